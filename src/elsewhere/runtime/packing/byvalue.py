"""A pickler to which nothing of `__main__` is importable: what functions and classes are made of, instead of where.

The law of the file: *what* is written lives here, on top of cloudpickle's reductions; *which* objects are written as
references instead is the subclasses' decision (`reference`): the caller's in `book.py`, the worker's in `returning.py`.
"""

from __future__ import annotations

import copyreg
import dataclasses
import functools
import io
import sys
import types
import typing
import weakref
from collections.abc import Callable
from types import FunctionType, MethodType, ModuleType
from typing import Any

from cloudpickle import cloudpickle

from elsewhere.runtime.memory.buffers import reduce_view

from . import restore
from .kinds.bodies import names_read
from .kinds.structures import by_expression, tidied
from .restore import MAIN_NAMES

Reduced = Any  # what __reduce__ returns: a string or a tuple of two to six
CACHED = functools._lru_cache_wrapper
# Those whose identity is their meaning: by name everywhere. Other globals: only inside definitions.
BY_NAME = (FunctionType, type, CACHED, typing.NewType, typing.ParamSpec, typing.TypeVarTuple)
# What Python itself notes down in a class, at its first instance's pickling say: it would look like a change.
CACHES = ("__slotnames__", "__annotations_cache__")
WITHOUT_NAME = frozenset({ModuleType, types.BuiltinFunctionType, types.CodeType, types.CellType})


class Stand:
    """Stands for a cell or a namespace in a reduction: it is written as a call and remembered by its identity."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> Reduced:
        return self.call


class ByValuePickler(cloudpickle.Pickler):  # type: ignore[misc]  # Any, as cloudpickle has no types
    """One payload."""

    def __init__(
        self,
        main: dict[str, Any],
        table: dict[type, Callable[[Any], Reduced]],
        take: Callable[[Any], object] | None = None,
    ) -> None:
        self.file = io.BytesIO()
        self.dispatch_table = table  # before the base's __init__, which reads it
        super().__init__(self.file, 5, take)
        self.main = main
        self.root: Any = self  # the object being defined; the pickler itself is never pickled
        self.root_key: str | None = None
        self.stands: dict[Any, Stand] = {}

    def reference(self, obj: Any, kind: type) -> Reduced | None:
        """The object as a reference to one of `__main__`; None if it is written by value."""
        raise NotImplementedError

    def named(self, name: str, obj: Any) -> Reduced | None:
        """The object as a reference to the global whose name it gave itself; None if it is no such global."""
        raise NotImplementedError

    def class_by_value(self, cls: type, key: str | None) -> Reduced:
        """The class; `key` is the definition that it is the root of."""
        raise NotImplementedError

    def shared(self, value: Any) -> Any:
        """What is written for a container that a function holds: itself, or a reference to the global that it is."""
        return value

    def home(self, function: FunctionType) -> str | None:
        """The module whose globals the function has there; None if it must bring them along."""
        return "__main__" if function.__globals__ is self.main else _importable(function.__globals__)

    def reads(self, function: FunctionType) -> dict[str, Any]:
        """The globals that a function of `__main__` reads."""
        names = dict.fromkeys(cloudpickle._extract_code_globals(function.__code__))
        names.update(dict.fromkeys(sorted(names_read(function.__code__))))  # sorted: the same bytes each time
        return {name: self.main[name] for name in names if name in self.main}

    def reducer_override(self, obj: Any) -> Reduced:
        """Pickle asks this about everything but plain values and containers."""
        kind = type(obj)
        if kind is FunctionType:
            return self._function(obj)
        if issubclass(kind, type):
            return self._class(obj)
        if kind is ModuleType and cloudpickle._should_pickle_by_reference(obj):
            return restore.imported, (obj.__name__,)
        if kind in WITHOUT_NAME:
            return NotImplemented
        return self._instance(obj, kind)

    def _key(self, obj: Any) -> str | None:
        """The definition's name if `obj` is what it defines: true once, then the pickler itself remembers it."""
        if obj is not self.root:
            return None
        self.root = self
        return self.root_key

    def _function(self, obj: FunctionType) -> Reduced:
        if obj.__module__ not in MAIN_NAMES and cloudpickle._should_pickle_by_reference(obj):
            return NotImplemented
        key = self._key(obj)
        reference = self.reference(obj, FunctionType) if key is None else None
        return reference or self._function_by_value(obj, key)

    def _function_by_value(self, obj: FunctionType, key: str | None) -> Reduced:
        home = self.home(obj)
        if home is None:
            return self._dynamic_function_reduce(obj)
        read = self.reads(obj) if obj.__globals__ is self.main else dict[str, Any]()
        namespace = self._stand(home, restore.namespace_of, (home,))
        cells: Any = obj.__closure__ and tuple(self._stand(cell, restore.make_cell, ()) for cell in obj.__closure__)
        args = obj.__code__, namespace, "".join(obj.__name__), cells, key
        return restore.make_function, args, self._function_state(obj, read), None, None, restore.set_function

    def _function_state(self, obj: FunctionType, read: dict[str, Any]) -> tuple[Any, ...]:
        slots = {
            # New strings, as in cloudpickle: interned ones would be remembered, or not, by chance.
            "__qualname__": "".join(obj.__qualname__),
            "__annotations__": obj.__annotations__,
            "__kwdefaults__": obj.__kwdefaults__ and {k: self.shared(v) for k, v in obj.__kwdefaults__.items()},
            "__defaults__": obj.__defaults__ and tuple(map(self.shared, obj.__defaults__)),
            "__module__": obj.__module__,
            "__doc__": obj.__doc__,
        }
        if getattr(obj, "__type_params__", ()):
            slots["__type_params__"] = obj.__type_params__  # type: ignore[attr-defined]  # Python 3.12
        contents = tuple(tuple(map(self.shared, _content(cell))) for cell in obj.__closure__ or ())
        held = [*read.values(), *(value for (*content,) in contents for value in content)]
        submodules = cloudpickle._find_imported_submodules(obj.__code__, held)
        attributes = {"".join(name): value for name, value in obj.__dict__.items()}
        return attributes, slots, contents, submodules

    def _stand(self, key: Any, *call: Any) -> Stand:
        """The same stand-in for the same cell, so that functions which share a cell still do."""
        stand = self.stands.get(id(key))
        if stand is None:
            stand = self.stands[id(key)] = Stand(*call)
            self.stands[id(stand)] = key  # keeps the cell alive, so that no other gets its id
        return stand

    def _class(self, obj: type) -> Reduced:
        if obj.__module__ in ("builtins", "types"):
            reduced = cloudpickle._class_reduce(obj)
            made = reduced[0] if type(reduced) is tuple else None
            return (restore.builtin_type, reduced[1]) if made is cloudpickle._builtin_type else reduced
        if obj.__module__ not in MAIN_NAMES and cloudpickle._should_pickle_by_reference(obj):
            return NotImplemented
        if (expression := by_expression(obj)) is not None:
            return expression
        key = self._key(obj)
        reference = self.reference(obj, type) if key is None else None
        return reference or self.class_by_value(obj, key)

    def _instance(self, obj: Any, kind: type) -> Reduced:
        key = self._key(obj)
        reference = self.reference(obj, kind) if key is None else None
        if reference is not None:
            return reference
        if kind is CACHED and cloudpickle._lookup_module_and_qualname(obj) is None:
            return _cached(obj, key)
        if kind is MethodType:
            return self.method(obj)
        if kind not in self.dispatch_table and getattr(obj, "__module__", None) in MAIN_NAMES and _reduces(kind):
            return self._own_reduce(obj, kind, key)
        return NotImplemented

    def method(self, obj: MethodType) -> Reduced:
        """A bound method by its name, as the standard library does, where that finds it again."""
        name = getattr(obj.__func__, "__name__", "")
        if getattr(obj.__self__, name, None) == obj:
            return getattr, (obj.__self__, name)
        return MethodType, (obj.__func__, obj.__self__)

    def _own_reduce(self, obj: Any, kind: type, key: str | None) -> Reduced:
        """An instance whose class has a `__reduce__`, which may name a global of `__main__`: this one, for a root."""
        reduced = obj.__reduce_ex__(5)
        if not isinstance(reduced, str):
            return reduced
        return (self.named(reduced, obj) if key is None else None) or _by_parts(obj, kind)


def class_parts(cls: type) -> tuple[str, Callable[..., type], tuple[Any, ...], dict[str, Any]]:
    """Tracker id, constructor and its arguments, attributes: cloudpickle's reduction, with what it leaves out."""
    maker, args, (attributes, _), *_ = cloudpickle._dynamic_class_reduce(cls)
    tracker_id = args[-2]
    for name in CACHES:
        attributes.pop(name, None)
    if not attributes.get("__annotations__", True):
        del attributes["__annotations__"]  # an empty one appears when it is first looked at
    if maker is cloudpickle._make_skeleton_class:
        attributes["__qualname__"] = cls.__qualname__
        if "__slots__" in attributes:  # cloudpickle would make a class with a __dict__ instead
            args[3]["__slots__"] = attributes.pop("__slots__")
        if issubclass(cls, tuple):  # typing.NamedTuple among the original bases would make another namedtuple
            args = (*args[:2], cls.__bases__, *args[3:])
            args[3].update((k, v) for k, v in vars(cls).items() if k == "__orig_bases__")  # for Generic's checks
        attributes = {k: v for k, v in attributes.items() if type(v) is not types.MemberDescriptorType}
        attributes = tidied(cls, args[3], attributes)
    return tracker_id, maker, args, attributes


def dispatch_table(*, local: bool = True) -> dict[type, Callable[[Any], Reduced]]:
    """Reducers by type: cloudpickle's and ours, then what users and, if `local`, multiprocessing registered."""
    table = {**cloudpickle.Pickler._dispatch_table, **_REDUCERS}
    reduction = sys.modules.get("multiprocessing.reduction") if local else None
    extra = reduction.ForkingPickler._extra_reducers if reduction else {}
    table.update((kind, reducer) for kind, reducer in extra.items() if kind not in _NATIVE)
    table.update(
        (kind, reducer) for kind, reducer in copyreg.dispatch_table.items() if local or not _is_tblib_s(reducer)
    )
    return table


def _is_tblib_s(reducer: Any) -> bool:
    """Is it one of those for exceptions that `distributed` registers as it is imported?

    What they write can be loaded only where tblib is installed.
    """
    return str(getattr(getattr(reducer, "func", reducer), "__module__", "")).partition(".")[0] == "tblib"


# multiprocessing registers reducers for these, from a time when pickle had none.
_NATIVE = (MethodType, functools.partial, type(list.append), type(int.__add__))


def _cached(obj: Any, key: str | None) -> Reduced:
    attributes = {k: v for k, v in vars(obj).items() if k not in ("__wrapped__", "cache_parameters")}
    return restore.make_cached, (obj.cache_parameters(), obj.__wrapped__, attributes, key)


def _reduces(kind: Any) -> bool:
    """Does the class say itself how its instances are pickled?"""
    return kind.__reduce__ is not object.__reduce__ or kind.__reduce_ex__ is not object.__reduce_ex__


def _by_parts(obj: Any, kind: type) -> Reduced:
    """The instance as its class and attributes, where it would rather be a global's name."""
    return copyreg.__newobj__, (kind,), getattr(obj, "__dict__", None) or None  # type: ignore[attr-defined]  # missing in the stubs


def _importable(namespace: dict[str, Any]) -> str | None:
    """The name of the imported module that has these globals, if another process can import it."""
    name = namespace.get("__name__")
    module = sys.modules.get(name) if isinstance(name, str) else None
    if module is None or getattr(module, "__spec__", None) is None or module.__dict__ is not namespace:
        return None
    return None if cloudpickle._is_registered_pickle_by_value(module) else name


def _content(cell: types.CellType) -> tuple[Any, ...]:
    try:
        return (cell.cell_contents,)
    except ValueError:
        return ()


def _named(make: Callable[[Any], Reduced]) -> Callable[[Any], Reduced]:
    """By reference where the object is importable under its name, else what `make` says."""

    def reduce(obj: Any) -> Reduced:
        name: str = obj.__name__
        module = sys.modules.get(obj.__module__) if obj.__module__ not in MAIN_NAMES else None
        return name if getattr(module, name, None) is obj else make(obj)

    return reduce


def _stream(obj: Any) -> Reduced:
    for name in ("stdout", "stderr", "stdin"):
        if obj is getattr(sys, name):
            return getattr, (sys, name)
    raise TypeError(f"cannot pickle {type(obj).__name__!r} object: an open file")


FILENAME = 10  # its place among the arguments of types.CodeType


def _code(obj: types.CodeType) -> Reduced:
    """With its file's name, for tracebacks and warnings, which cloudpickle leaves out since 3.1.3."""
    maker, args = cloudpickle._code_reduce(obj)
    return maker, (*args[:FILENAME], "".join(obj.co_filename), *args[FILENAME + 1 :])


_DATACLASS_MISSING: Any = dataclasses.MISSING
_REDUCERS: dict[type, Callable[[Any], Reduced]] = {
    io.TextIOWrapper: _stream,
    types.CodeType: _code,
    memoryview: reduce_view,
    type(_DATACLASS_MISSING): lambda _: (getattr, (dataclasses, "MISSING")),
    functools.cached_property: lambda obj: (functools.cached_property, (obj.func,), {"attrname": obj.attrname}),
    weakref.WeakKeyDictionary: lambda obj: (weakref.WeakKeyDictionary, (dict(obj),)),
    weakref.WeakValueDictionary: lambda obj: (weakref.WeakValueDictionary, (dict(obj),)),
    typing.NewType: _named(lambda obj: (typing.NewType, (obj.__name__, obj.__supertype__))),
    typing.TypeVarTuple: _named(lambda obj: (typing.TypeVarTuple, (obj.__name__,))),
    typing.ParamSpec: _named(lambda obj: (typing.ParamSpec, (obj.__name__,))),
}
