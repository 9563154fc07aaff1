"""What the bytes call when they are loaded: every constructor and setter that a by-value payload names.

The law of the file: an object that may be referred to from inside itself is made empty and registered before it is
filled; and of a class that exists already only what changed in the caller since it was last sent is set, and only where
the worker's own code has set nothing else.
"""

from __future__ import annotations

import functools
import importlib
import pickle
import sys
import types
import weakref
from collections.abc import Callable
from types import CellType, CodeType, FunctionType
from typing import Any

from .kinds.structures import final
from .namespace import current

MISSING = object()
MAIN_NAMES = frozenset({"__main__", "__mp_main__"})

# class -> attribute -> (mark of its bytes, what was set)
_attributes: weakref.WeakKeyDictionary[type, dict[str, tuple[bytes, Any]]] = weakref.WeakKeyDictionary()
_arrived: weakref.WeakSet[type] = weakref.WeakSet()  # made by a worker, filled at first arrival


def inherited(name: str) -> Any:
    """A global that this process has from the caller, of which it is a fork."""
    return getattr(sys.modules["__main__"], name)


def lookup(name: str) -> Any:
    """An object that was shipped under `name`; in the caller, the caller's own."""
    namespace = current()
    return own(name) if namespace is None else namespace.find(name)


def own(name: str) -> Any:
    """This process's own global of `__main__`."""
    try:
        return sys.modules["__main__"].__dict__[name]
    except KeyError:
        raise pickle.UnpicklingError(f"__main__ has no {name!r} (any more)") from None


def own_class(tracker_id: str, name: str) -> Any:
    """The class of this process that cloudpickle knows by that id."""
    cls = tracked(tracker_id)
    if cls is None:
        raise pickle.UnpicklingError(f"the class {name!r} no longer exists in this process")
    return cls


def tracked(tracker_id: str) -> Any:
    """The class that cloudpickle knows by that id, or None."""
    from cloudpickle import cloudpickle  # 15 ms that a worker without classes of `__main__` saves

    with cloudpickle._DYNAMIC_CLASS_TRACKER_LOCK:
        return cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID.get(tracker_id)


def created_here(cls: type) -> bool:
    """Was the class made from a definition, so that the caller has one of the same id?"""
    return cls in _attributes


def _register(key: str | None, value: Any) -> None:
    namespace = current()
    if key is not None and namespace is not None:
        namespace.register(key, value)


def namespace_of(module: str) -> dict[str, Any]:
    """The globals of a function: `__main__`'s, or those of an importable module."""
    if module in MAIN_NAMES:
        return sys.modules["__main__"].__dict__
    return importlib.import_module(module).__dict__


def imported(module: str) -> Any:
    """A module, as cloudpickle's own: its name is not enough for `importlib` where a package puts others there."""
    __import__(module)
    return sys.modules[module]


def builtin_type(name: str) -> Any:
    """A class of the `types` module, which has another name in its own; cloudpickle's would have to be imported."""
    return getattr(types, name)


def make_cell() -> CellType:
    """A closure's cell; the function that has it fills it."""
    return CellType()


def make_function(
    code: CodeType, namespace: dict[str, Any], name: str, cells: tuple[CellType, ...] | None, key: str | None
) -> FunctionType:
    """The function without its state, which may refer to it."""
    function = FunctionType(code, namespace, name, None, cells)
    _register(key, function)
    return function


def set_function(function: FunctionType, state: tuple[dict[str, Any], dict[str, Any], tuple[Any, ...], Any]) -> None:
    """Attributes, annotations and defaults, and what it captured."""
    attributes, slots, contents, _submodules = state  # the submodules were imported by being unpickled
    function.__dict__.update(attributes)
    for name, value in slots.items():
        setattr(function, name, value)
    for cell, (*content,) in zip(function.__closure__ or (), contents, strict=True):
        if content:  # an empty cell is written as (), a full one as (content,)
            cell.cell_contents = content[0]


def make_cached(
    parameters: dict[str, Any], function: Callable[..., Any], attributes: dict[str, Any], key: str | None
) -> Any:
    """A function with `functools.lru_cache`; its cache is empty."""
    cached = functools.lru_cache(**parameters)(function)
    cached.__dict__.update(attributes)
    _register(key, cached)
    return cached


def make_class(key: str | None, tracker_id: str, maker: Callable[..., type], args: tuple[Any, ...]) -> Any:
    """The class of that id, made without its attributes if there is none yet."""
    cls = tracked(tracker_id)
    if cls is None:
        cls = maker(*args)
    _register(key, cls)
    return cls


def set_class(cls: type, state: tuple[dict[str, Any], dict[str, bytes]]) -> None:
    """Worker: set what changed since the last time, unless the worker's own code has set it meanwhile."""
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


def set_class_once(cls: type, attributes: dict[str, Any]) -> None:
    """Caller: a class made in a worker is filled when it first arrives, and is the caller's own from then on."""
    if cls not in _arrived:
        _arrived.add(cls)
        for name, value in attributes.items():
            _set_attribute(cls, name, value)


def _set_attribute(cls: type, name: str, value: Any) -> None:
    if name == "_abc_impl":
        for subclass in value:
            cls.register(subclass)  # type: ignore[attr-defined]  # only classes with ABCMeta have this attribute
    elif not final(cls, name):
        setattr(cls, name, value)
