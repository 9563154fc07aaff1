"""In a far worker: the constructors and setters that bodies name, beside those of the worker's own file.

Rule: shipped as the module ``elsewhere_packing``, imported when a body first names it: the standard library only, and
any Python from 3.8 on. What it does is what `elsewhere.runtime.packing.restore` does in the pool's own workers, and the
reasons are told there. The caller imports it, too, to try out what it is about to send as source.
"""

from __future__ import annotations
import __future__

import builtins
import collections
import functools
import importlib
import sys
import types
import weakref
from collections.abc import Callable
from types import CellType, CodeType, FunctionType
from typing import Any

MISSING = object()
BARE = "="  # stands before a module's name where its globals are not needed
MAIN_NAMES = ("__main__", "__mp_main__")

# class -> attribute -> (mark of its bytes, what was set)
_attributes: weakref.WeakKeyDictionary[type, dict[str, tuple[bytes, Any]]] = weakref.WeakKeyDictionary()


def far() -> Any:
    """The worker itself."""
    return sys.modules["elsewhere_far"]


def namespace_of(module: str) -> dict[str, Any]:
    """The globals of a function: those of what comes from the caller's `__main__`, a module's, or as good as none."""
    if module.startswith(BARE):
        return {"__name__": module[len(BARE) :], "__builtins__": builtins}
    if module in MAIN_NAMES:
        names: dict[str, Any] = far().namespace()
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
    far().register(key, function)
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
    far().register(key, cached)
    return cached


def make_class(key: str | None, token: str, maker: Callable[..., type], args: tuple[Any, ...]) -> Any:
    """The class with that token, made without its attributes if there is none yet."""
    return far().keep_class(token, maker, args, key)


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


# ---- by source, for another minor version of Python than the caller's ----------------------------------------------


def compiled(text: str, filename: str, line: int, name: str, annotations: bool, version: str) -> CodeType:
    """Whole lines of a file as the code of a module.

    Args:
        text: they.
        filename: for tracebacks.
        line: the first one's number there.
        name: what they define, for the error.
        annotations: are annotations texts (``from __future__ import annotations``)?
        version: of the caller's Python.

    Raises:
        SyntaxError: this Python does not understand them.
    """
    flags = __future__.annotations.compiler_flag if annotations else 0
    try:
        code: CodeType = compile("\n" * max(0, line - 1) + text, filename, "exec", flags, dont_inherit=True)
        return code
    except SyntaxError as error:
        here = "{}.{}".format(*sys.version_info[:2])
        raise SyntaxError(
            f"{name} is written for Python {version}, and Python {here} does not understand it: "
            f"{error.msg} ({filename}, line {error.lineno})"
        ) from None


def code_of(text: str, filename: str, line: int, path: tuple[str, ...], annotations: bool, version: str) -> CodeType:
    """The code of one function in `text`; nothing of that is run. See `compiled`.

    Args:
        path: the names of what the function is in, and its own.

    Raises:
        LookupError: it is not there.
    """
    code = compiled(text, filename, line, path[-1] + "()", annotations, version)
    for name in path:
        code = _inner(code, name)
    return code


def _inner(code: CodeType, name: str) -> CodeType:
    for const in code.co_consts:
        if isinstance(const, CodeType):
            if const.co_name == name:
                return const
            if const.co_name.startswith("<generic parameters of "):  # def f[T](): ...
                return _inner(const, name)
    raise LookupError(f"{name} is not in its own source")


def run_class(
    key: str | None,
    token: str,
    inner: tuple[tuple[str, str], ...],
    source: tuple[str, str, int, str, bool, str],
    held: dict[str, Any],
) -> type:
    """The class with that token, made by its class statement if there is none yet.

    Args:
        key: its name in `__main__`, or None.
        token: see `make_class`.
        inner: its inner classes: names that lead to them, and tokens.
        source: the arguments of `compiled`.
        held: what the statement reads when it runs.
    """

    def make() -> type:
        names = dict(held)
        exec(compiled(*source), namespace_of("__main__"), names)
        made: type = names[source[3]]
        return made

    cls: type = far().keep_class(token, make, (), key)
    for path, other in inner:
        far().keep_class(other, functools.partial(reach, cls, path), ())
    return cls


def reach(cls: Any, path: str) -> Any:
    """An inner class."""
    for name in path.split("."):
        cls = getattr(cls, name)
    return cls


def make_namedtuple(
    key: str | None, token: str, name: str, fields: tuple[str, ...], defaults: tuple[Any, ...], module: str
) -> type:
    """A class that `collections.namedtuple` made."""
    make = functools.partial(collections.namedtuple, defaults=defaults, module=module)  # noqa: PYI024 - what it was
    cls: type = far().keep_class(token, make, (name, fields), key)
    return cls
