"""Classes of ctypes by value: structures, unions, arrays of them, pointers to them.

Rule: what ctypes itself makes of a class (its fields' descriptors, its layout) is not written but made again, by giving
the new class the same ``_fields_``. And a type that is an expression (``Point * 3``, ``POINTER(Point)``) is written as
that, since ctypes has exactly one of each.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

__all__ = ["by_expression", "final", "tidied"]

# Attributes that say how the fields are laid out, in the order in which ctypes wants them; then the fields.
LAYOUT = ("_pack_", "_align_", "_layout_", "_anonymous_", "_fields_")
# Attributes without which ctypes does not make a class at all.
NEEDED = ("_type_", "_length_", "_flags_", "_restype_", "_argtypes_")


def by_expression(cls: type) -> tuple[Callable[..., Any], tuple[Any, ...]] | None:
    """The call that gives this type of ctypes; None if it is another, or has a name."""
    ctypes: Any = sys.modules.get("ctypes")
    if ctypes is None:
        return None
    if issubclass(cls, type):  # metaclasses, which `_ctypes` does not show
        bases = (ctypes.Structure, ctypes.Union, ctypes.Array, ctypes._Pointer, ctypes._SimpleCData, ctypes._CFuncPtr)
        return next(((type, (base,)) for base in bases if type(base) is cls), None)
    kind: Any = cls
    inner: Any = getattr(kind, "_type_", None)
    if not isinstance(inner, type):
        return None
    if issubclass(kind, ctypes.Array) and inner * kind._length_ is kind:
        return array_of, (inner, kind._length_)
    if issubclass(kind, ctypes._Pointer) and ctypes.POINTER(inner) is kind:
        return ctypes.POINTER, (inner,)
    return None


def array_of(inner: Any, length: int) -> Any:
    """The type of arrays of so many."""
    return inner * length


def tidied(cls: type, made_with: dict[str, Any], attributes: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a class to be set one after the other; of ctypes's, what it needs first is first.

    Args:
        cls: the class.
        made_with: the attributes with which it is made; grows.
        attributes: the others; shrinks.
    """
    if not _is_data(cls):
        return attributes
    for name in NEEDED:
        if name in attributes:
            made_with[name] = attributes.pop(name)
    first = {name: attributes.pop(name) for name in LAYOUT if name in attributes}
    return first | {name: value for name, value in attributes.items() if type(value).__name__ != "CField"}


def final(cls: type, name: str) -> bool:
    """Is this attribute of a class one that ctypes lets nobody set again?"""
    return name in LAYOUT and "_fields_" in vars(cls) and _is_data(cls)


def _is_data(cls: type) -> bool:
    ctypes: Any = sys.modules.get("ctypes")
    return ctypes is not None and issubclass(cls, ctypes.Array.__mro__[1])  # what all of its data have in common
