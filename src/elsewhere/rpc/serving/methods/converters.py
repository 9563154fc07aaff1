"""Annotations as converters: from what MessagePack holds to what a method wants.

Rule: a converter returns the value to pass on, or raises `Mismatch` with what was expected, what came, and where in the
argument; it never guesses. What no annotation can make out of MessagePack's types is refused when it is registered.

Each is compiled once. None stands for "anything", so that it costs nothing.
"""

from __future__ import annotations

import collections.abc
import datetime as dt
import decimal
import enum
import pathlib
import types
import typing
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from elsewhere.rpc.serving.methods.mismatch import Converter, Mismatch, convert_part
from elsewhere.rpc.serving.methods.records import record

__all__ = ["EXACT", "converter", "expected", "text_as_bytes", "unwrapped"]

EXACT = (int, float, str, bytes, bool)  # a value of just this type needs no conversion
_LISTS = (list, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Collection,
          collections.abc.MutableSequence)  # fmt: skip
_SETS = (set, frozenset, collections.abc.Set, collections.abc.MutableSet)
_MAPS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


def _as_before(text: str) -> bytes:
    """A peer of the old specification of MessagePack has one type for both."""
    return text.encode("utf-8", "surrogateescape")


# What becomes of a text where bytes are wanted: JSON, which has none, sets base64 while it binds arguments.
text_as_bytes: ContextVar[Callable[[str], bytes]] = ContextVar("elsewhere.rpc.text_as_bytes", default=_as_before)


def expected(annotation: Any) -> str:
    """The annotation as a reader would write it."""
    if annotation is None or annotation is type(None):
        return "None"
    if isinstance(annotation, type):
        return annotation.__name__
    return str(annotation).replace("typing.", "")


def unwrapped(annotation: Any) -> Any:
    """What an annotation means that only names another."""
    while True:
        if isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif typing.get_origin(annotation) in {typing.Annotated, typing.Required, typing.NotRequired}:
            annotation = typing.get_args(annotation)[0]
        elif type(annotation).__name__ == "TypeAliasType":  # `type X = ...` of Python 3.12
            annotation = annotation.__value__
        else:
            return annotation


def converter(annotation: Any) -> Converter | None:
    """The converter of an annotation; None if it allows anything.

    Raises:
        TypeError: nothing that MessagePack holds can become that.
    """
    annotation = unwrapped(annotation)
    if not isinstance(annotation, collections.abc.Hashable):  # such as [int], which is meant to be list[int]
        raise TypeError(f"{annotation!r:.60} is no type")
    if annotation in {Any, object} or isinstance(annotation, typing.TypeVar):
        return None
    if annotation in _SIMPLE:
        return _SIMPLE[annotation]
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Union or origin is types.UnionType:
        return _union(annotation, args)
    if origin is typing.Literal:
        return _literal(annotation, args)
    kind = origin or annotation
    if isinstance(kind, type):
        return _of_type(annotation, kind, args)
    raise TypeError(f"{expected(annotation)} is no type that a service can make out of what MessagePack holds")


def _of_type(annotation: Any, kind: type, args: tuple[Any, ...]) -> Converter:
    if kind in _LISTS:
        return _list(annotation, list, args[:1])
    if kind in _SETS:
        return _list(annotation, frozenset if kind is frozenset else set, args[:1])
    if kind in _MAPS:
        return _dict(annotation, args)
    if kind is tuple:
        return _tuple(annotation, args)
    if issubclass(kind, enum.Enum):
        return _enum(kind)
    found = record(kind, converter)
    if found is not None:
        return found
    raise TypeError(f"{expected(annotation)} is no type that a service can make out of what MessagePack holds")


# ---- plain values ----------------------------------------------------------------------------------------------------


def _exactly(kind: type) -> Converter:
    name = expected(kind)

    def convert(value: Any) -> Any:
        if type(value) is not kind:
            raise Mismatch(name, value)
        return value

    return convert


def _float(value: Any) -> float:
    if type(value) is float:
        return value
    if type(value) is int:
        try:
            return float(value)
        except OverflowError:
            raise Mismatch("float", value, told="an int too large for one") from None
    raise Mismatch("float", value)


def _bytes(value: Any) -> bytes:
    if type(value) is bytes:
        return value
    if type(value) is str:
        try:
            return text_as_bytes.get()(value)
        except ValueError as error:
            raise Mismatch("bytes, as base64", value, told=f"text that is none ({error})") from None
    raise Mismatch("bytes", value)


def _bytearray(value: Any) -> bytearray:
    return bytearray(_bytes(value))


def _parsed(kind: Any, name: str, takes: tuple[type, ...], parse: Converter) -> Converter:
    def convert(value: Any) -> Any:
        if isinstance(value, kind):
            return value
        if type(value) in takes:
            try:
                return parse(value)
            except (ValueError, ArithmeticError, OverflowError):
                raise Mismatch(name, value, told=f"{value!r:.60}") from None
        raise Mismatch(name, value)

    return convert


def _datetime(value: Any) -> Any:
    if type(value).__name__ == "Timestamp":  # MessagePack's own, as the codec gives it
        try:
            return value.to_datetime()
        except (ValueError, OverflowError):  # before the year 1, or after 9999
            raise Mismatch("datetime", value, told=f"{value!r:.60}") from None
    return _ISO_DATETIME(value)


_ISO_DATETIME = _parsed(dt.datetime, "datetime (ISO 8601 text)", (str,), dt.datetime.fromisoformat)
_SIMPLE: dict[Any, Converter] = {
    int: _exactly(int),
    float: _float,
    str: _exactly(str),
    bytes: _bytes,
    bytearray: _bytearray,
    bool: _exactly(bool),
    None: _exactly(type(None)),
    type(None): _exactly(type(None)),
    dt.datetime: _datetime,
    dt.date: _parsed(dt.date, "date (ISO 8601 text)", (str,), dt.date.fromisoformat),
    dt.time: _parsed(dt.time, "time (ISO 8601 text)", (str,), dt.time.fromisoformat),
    dt.timedelta: _parsed(dt.timedelta, "timedelta (seconds)", (int, float), lambda value: dt.timedelta(seconds=value)),
    decimal.Decimal: _parsed(decimal.Decimal, "Decimal (text or int)", (str, int), decimal.Decimal),
    uuid.UUID: _parsed(
        uuid.UUID,
        "UUID (text or 16 bytes)",
        (str, bytes),
        lambda value: uuid.UUID(value) if type(value) is str else uuid.UUID(bytes=value),
    ),
    pathlib.Path: _parsed(pathlib.Path, "Path (text)", (str,), pathlib.Path),
    pathlib.PurePath: _parsed(pathlib.PurePath, "PurePath (text)", (str,), pathlib.PurePath),
}


# ---- what holds others -----------------------------------------------------------------------------------------------


def _list(annotation: Any, kind: Any, args: tuple[Any, ...]) -> Converter:
    name, each = expected(annotation), converter(args[0]) if args else None

    def convert(value: Any) -> Any:
        if type(value) is not list:
            raise Mismatch(name, value)
        if each is not None:
            value = _items(value, each)
        if kind is list:
            return value
        try:
            return kind(value)
        except TypeError:
            raise Mismatch(name, value, told="a list of what cannot be in a set") from None

    return convert


def _items(values: list[Any], each: Converter) -> list[Any]:
    try:
        return [each(value) for value in values]
    except Mismatch:
        for index, value in enumerate(values):  # which one it was
            try:
                each(value)
            except Mismatch as mismatch:
                raise mismatch.inside(f"[{index}]") from None
        raise


def _tuple(annotation: Any, args: tuple[Any, ...]) -> Converter:
    if not args or (len(args) == 2 and args[1] is Ellipsis):
        return _list(annotation, tuple, args[:1])
    name = expected(annotation)
    each = [converter(arg) for arg in args if arg != ()]

    def convert(value: Any) -> Any:
        if type(value) is not list:
            raise Mismatch(name, value)
        if len(value) != len(each):
            raise Mismatch(name, value, told=f"{len(value)} values")
        return tuple(convert_part(value[index], part, f"[{index}]") for index, part in enumerate(each))

    return convert


def _dict(annotation: Any, args: tuple[Any, ...]) -> Converter:
    name = expected(annotation)
    key_of, value_of = (converter(args[0]), converter(args[1])) if len(args) == 2 else (None, None)

    def convert(value: Any) -> Any:
        if type(value) is not dict:
            raise Mismatch(name, value)
        if key_of is None and value_of is None:
            return value
        return {
            convert_part(key, key_of, " (a key)"): convert_part(part, value_of, f"[{key!r:.40}]")
            for key, part in value.items()
        }

    return convert


def _union(annotation: Any, args: tuple[Any, ...]) -> Converter | None:
    name = " | ".join(expected(arg) for arg in args)
    parts = [converter(arg) for arg in args]
    if any(part is None for part in parts):
        return None
    exact = frozenset(arg for arg in args if arg in EXACT or arg is type(None))
    rest = [part for part in parts if part is not None]

    def convert(value: Any) -> Any:
        if type(value) in exact:
            return value
        for part in rest:
            try:
                return part(value)
            except Mismatch:
                continue
        raise Mismatch(name, value)

    return convert


def _literal(annotation: Any, args: tuple[Any, ...]) -> Converter:
    name = "one of " + ", ".join(repr(arg.value if isinstance(arg, enum.Enum) else arg) for arg in args)
    known = [(arg.value if isinstance(arg, enum.Enum) else arg, arg) for arg in args]

    def convert(value: Any) -> Any:
        for wire, given in known:
            if type(value) is type(wire) and value == wire:
                return given
        raise Mismatch(name, value, told=f"{value!r:.60}" if isinstance(value, str | int) else "")

    return convert


def _enum(kind: type[enum.Enum]) -> Converter:
    values = [member.value for member in kind]
    name = f"{kind.__name__} (one of {', '.join(repr(value) for value in values[:12])})"

    def convert(value: Any) -> Any:
        for member in kind:
            wire = list(member.value) if isinstance(member.value, tuple) else member.value
            if type(wire) is type(value) and wire == value:
                return member
        raise Mismatch(name, value, told=f"{value!r:.60}" if isinstance(value, str | int) else "")

    return convert
