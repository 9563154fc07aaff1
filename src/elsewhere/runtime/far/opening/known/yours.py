"""The caller's own classes: shipped, or of a module of the caller that is loaded here.

What they define of pickling (``__setstate__``, ``__reduce__``, ``__new__``) is the caller's own code and runs, with
what the host chose. More than that does not: a class is *called* only if it defines how its objects are pickled, never
as ``class Job(subprocess.Popen)`` could be; one that defines ``__del__`` is not made at all.
"""

from __future__ import annotations

import copyreg
import enum
import sys
from collections.abc import Callable
from typing import Any

from elsewhere.runtime.far.opening.machine import Refused

from .errors import give_state
from .rules import Rule, no_ranges, state_of
from .standard import members

__all__ = ["class_of", "rule_for"]

HEAP = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made while the program runs, as classes in Python are


def class_of(module: str, name: str) -> type:
    """The class of that name, looked up without running anything.

    Raises:
        Refused: the module is not loaded, or has no class of its own with that name.
    """
    whole = f"{module}.{name}"
    loaded = sys.modules.get(module)
    if loaded is None:
        raise Refused(whole, f"{module} is not imported here, and nothing is imported for a host")
    found: Any = loaded
    for part in name.split("."):
        if found is not loaded and not isinstance(found, type):
            raise Refused(whole, "it is no class")
        found = vars(found).get(part)
    if not isinstance(found, type):
        raise Refused(whole, "it is no class")
    # Only under its own name: `from subprocess import Popen` in a module of the caller does not make it the caller's.
    if found.__module__ != module or found.__qualname__ != name:
        raise Refused(whole, f"it is {found.__module__}.{found.__qualname__} under another name")
    return found


def rule_for(cls: Any, arrays: Any) -> Rule:
    """What may be done with such a class.

    Args:
        cls: the class.
        arrays: gives arrays their states, see `arrays.Arrays.build_array`.
    """
    name = f"{cls.__module__}.{cls.__qualname__}"
    if issubclass(cls, enum.Enum):
        return Rule(call=members(cls))
    if issubclass(cls, type):
        return Rule()
    if hasattr(cls, "__del__"):
        return Rule(call=_never(name), new=_never(name))
    return Rule(_call(cls, name), _new(cls, name), _build(cls, name, arrays), _extend, _update)


def _never(name: str) -> Callable[..., Any]:
    def refuse(*args: Any) -> Any:
        raise Refused(name, "it defines __del__, which would run with what the host chose")

    return refuse


def _array_or_bytes(cls: Any, name: str, args: tuple[Any, ...]) -> None:
    no_ranges(name, args)
    numpy = sys.modules.get("numpy")
    if numpy is not None and issubclass(cls, numpy.ndarray):
        raise Refused(name, "an array is made by numpy's own way only")
    if issubclass(cls, bytes | bytearray) and any(isinstance(arg, int) for arg in args):
        raise Refused(name, "it is made of a size")
    base = next((one for one in (str, bytes, int, float, tuple) if issubclass(cls, one)), None)
    if base is not None and cls.__new__ is base.__new__ and [type(arg) for arg in args] != [base]:
        raise Refused(name, f"it is not made of a {base.__name__}")  # str takes bytes and a codec, which is imported


def _call(cls: Any, name: str) -> Callable[[tuple[Any, ...]], Any]:
    says_how = (
        cls.__reduce_ex__ is not object.__reduce_ex__
        or cls.__reduce__ is not object.__reduce__
        or cls in copyreg.dispatch_table
    )

    def call(args: tuple[Any, ...]) -> Any:
        if not says_how:
            raise Refused(name, "it is called, as no pickle of it does")
        _array_or_bytes(cls, name, args)
        return cls(*args)

    return call


def _new(cls: Any, name: str) -> Callable[[tuple[Any, ...], dict[str, Any]], Any]:
    takes = hasattr(cls, "__getnewargs__") or hasattr(cls, "__getnewargs_ex__") or cls in copyreg.dispatch_table
    takes = takes or cls.__reduce_ex__ is not object.__reduce_ex__ or cls.__reduce__ is not object.__reduce__

    def new(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if (args or kwargs) and not takes:
            raise Refused(name, "it is made with arguments, as no pickle of it is")
        _array_or_bytes(cls, name, args)
        return cls.__new__(cls, *args, **kwargs)

    return new


def _build(cls: Any, name: str, arrays: Any) -> Callable[[Any, Any], None]:
    where = next((base for base in cls.__mro__ if "__setstate__" in vars(base)), None)
    numpy = sys.modules.get("numpy")
    if where is BaseException:
        return give_state
    if numpy is not None and where is numpy.ndarray:
        return arrays  # type: ignore[no-any-return]  # one of ours
    if where is None:
        return _attributes
    if not where.__flags__ & HEAP:

        def refuse(made: Any, state: Any) -> None:
            raise Refused(name, f"its state is that of {where.__module__}.{where.__qualname__}, which is in C")

        return refuse
    return lambda made, state: made.__setstate__(state)


def _attributes(made: Any, state: Any) -> None:
    """As pickle does it without a ``__setstate__``; ``(attributes, slots)`` where the class has slots."""
    name = type(made).__qualname__
    slots: Any = None
    if type(state) is tuple and len(state) == 2:
        state, slots = state
    if state:
        known = made.__dict__
        if type(known) is not dict:
            raise Refused(name, "it has no attributes of its own")
        for key, value in state_of(name, state).items():
            known[sys.intern(key)] = value
    for key, value in state_of(name, slots or {}).items():
        if key.startswith("__") and key.endswith("__"):
            raise Refused(name, f"its state has {key}")
        setattr(made, key, value)


def _extend(made: Any, items: list[Any]) -> None:
    add = getattr(made, "extend", None)
    if add is not None:
        add(items)
        return
    for item in items:
        made.append(item)


def _update(made: Any, items: list[tuple[Any, Any]]) -> None:
    for key, value in items:
        made[key] = value
