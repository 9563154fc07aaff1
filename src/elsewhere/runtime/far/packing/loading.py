"""In a far worker: the constructors and setters that bodies name, beside those of the worker's own file.

Rule: shipped as the module ``elsewhere_packing``, imported when a body first names it: the standard library only, and
any Python from 3.8 on. The caller never imports it. What it does is what `elsewhere.runtime.packing.restore` does in
the pool's own workers, and the reasons are told there.
"""

from __future__ import annotations

import functools
import importlib
import sys
import types
import weakref
from collections.abc import Callable
from types import CellType, CodeType, FunctionType
from typing import Any

import elsewhere_far  # type: ignore[import-not-found]  # the worker itself

MISSING = object()
MAIN_NAMES = ("__main__", "__mp_main__")

# class -> attribute -> (mark of its bytes, what was set)
_attributes: weakref.WeakKeyDictionary[type, dict[str, tuple[bytes, Any]]] = weakref.WeakKeyDictionary()


def namespace_of(module: str) -> dict[str, Any]:
    """The globals of a function: those of all that comes from the caller's `__main__`, or a module's."""
    if module in MAIN_NAMES:
        names: dict[str, Any] = elsewhere_far.namespace()
        return names
    return importlib.import_module(module).__dict__


def imported(module: str) -> Any:
    """A module."""
    __import__(module)
    return sys.modules[module]


def builtin_type(name: str) -> Any:
    """A class of the `types` module."""
    return getattr(types, name)


def array_of(inner: Any, length: int) -> Any:
    """The type of ctypes' arrays of so many."""
    return inner * length


def make_view(buffer: Any, form: str, shape: tuple[int, ...]) -> memoryview:
    """A memoryview of that format and shape."""
    flat = memoryview(buffer).cast("B")
    if len(shape) == 1 or 0 in shape:
        return flat.cast(form)  # type: ignore[call-overload,no-any-return]  # checked when it was sent
    return flat.cast("B").cast(form, shape)  # type: ignore[call-overload,no-any-return]  # see above


def make_cell() -> CellType:
    """A closure's cell; the function that has it fills it."""
    return CellType()


def make_function(
    code: CodeType, namespace: dict[str, Any], name: str, cells: tuple[CellType, ...] | None, key: str | None
) -> FunctionType:
    """The function without its state, which may refer to it."""
    function = FunctionType(code, namespace, name, None, cells)
    elsewhere_far.register(key, function)
    return function


def set_function(function: FunctionType, state: tuple[dict[str, Any], dict[str, Any], tuple[Any, ...], Any]) -> None:
    """Attributes, annotations and defaults, and what it captured."""
    attributes, slots, contents, _submodules = state  # the submodules were imported by being unpickled
    function.__dict__.update(attributes)
    for name, value in slots.items():
        setattr(function, name, value)
    for cell, content in zip(function.__closure__ or (), contents):
        if content:  # an empty cell is written as (), a full one as (content,)
            cell.cell_contents = content[0]


def make_cached(
    parameters: dict[str, Any], function: Callable[..., Any], attributes: dict[str, Any], key: str | None
) -> Any:
    """A function with `functools.lru_cache`; its cache is empty."""
    cached: Any = functools.lru_cache(**parameters)(function)
    cached.__dict__.update(attributes)
    elsewhere_far.register(key, cached)
    return cached


def make_class(key: str | None, token: str, maker: Callable[..., type], args: tuple[Any, ...]) -> Any:
    """The class with that token, made without its attributes if there is none yet."""
    return elsewhere_far.keep_class(token, maker, args, key)


def set_class(cls: type, state: tuple[dict[str, Any], dict[str, bytes]]) -> None:
    """Set what changed since the last time, unless this process's own code has set it meanwhile."""
    attributes, marks = state
    record = _attributes.get(cls)
    fresh = record is None
    if record is None:
        record = _attributes[cls] = {}
    for name, value in attributes.items():
        mark, before = record.get(name, (b"", MISSING))
        if mark == marks[name]:
            continue
        if fresh or cls.__dict__.get(name, MISSING) is before:
            _set_attribute(cls, name, value)
            value = cls.__dict__.get(name, value)
        record[name] = (marks[name], value)
    for name in record.keys() - attributes.keys():
        if cls.__dict__.get(name, MISSING) is record.pop(name)[1]:
            delattr(cls, name)


def _set_attribute(cls: type, name: str, value: Any) -> None:
    if name == "_abc_impl":
        for subclass in value:
            cls.register(subclass)  # type: ignore[attr-defined]  # only classes with ABCMeta have this attribute
    elif not (name in CTYPES and "_fields_" in cls.__dict__ and "ctypes" in sys.modules):
        setattr(cls, name, value)


CTYPES = ("_pack_", "_align_", "_layout_", "_anonymous_", "_fields_")  # which a structure lets nobody set again
