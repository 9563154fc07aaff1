"""Annotations as examples in JSON, for fields whose value has to be written by hand."""

from __future__ import annotations

import collections.abc
import datetime as dt
import decimal
import enum
import json
import pathlib
import types
import typing
import uuid
from typing import Any

from elsewhere.rpc.serving.methods.converters import unwrapped
from elsewhere.rpc.serving.methods.records import members

__all__ = ["example", "fields_of"]

DEEP = 3  # what is deeper is left empty
_VALUES: dict[Any, Any] = {
    bool: True,
    int: 1,
    float: 1.5,
    str: "text",
    bytes: "YmFzZTY0",
    bytearray: "YmFzZTY0",
    dt.datetime: "2026-01-31T12:00:00",
    dt.date: "2026-01-31",
    dt.time: "12:00:00",
    dt.timedelta: 1.5,
    decimal.Decimal: "1.25",
    uuid.UUID: "12345678-1234-5678-1234-567812345678",
    pathlib.Path: "folder/name",
    pathlib.PurePath: "folder/name",
}


def example(annotation: Any) -> str:
    """A value of an annotation, as JSON; "" if none comes to mind."""
    try:
        return json.dumps(_value(annotation, 0), ensure_ascii=False)
    except (TypeError, ValueError):  # of an Enum whose values are no JSON
        return ""


def fields_of(kind: type) -> list[tuple[str, Any, bool]]:
    """Name, annotation, and whether it may be left out, of each field of a class of records; [] if that is unknown."""
    try:
        return members(kind) or []
    except (NameError, TypeError):  # a name that only type checkers import: a call with such a record fails, too
        return []


def _value(annotation: Any, depth: int) -> Any:
    annotation = unwrapped(annotation)
    if annotation in _VALUES:
        return _VALUES[annotation]
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Union or origin is types.UnionType:
        return _value(args[0], depth)
    if origin is typing.Literal:
        return args[0].value if isinstance(args[0], enum.Enum) else args[0]
    kind = origin or annotation
    if not isinstance(kind, type):
        return None
    if issubclass(kind, enum.Enum):
        return next((member.value for member in kind), None)
    if fields := fields_of(kind):
        return {name: _value(hint, depth + 1) for name, hint, _ in fields} if depth < DEEP else {}
    return _holder(kind, args, depth)


def _holder(kind: type, args: tuple[Any, ...], depth: int) -> Any:
    """Of what holds others."""
    if depth >= DEEP:
        args = ()
    if issubclass(kind, tuple):
        return [_value(arg, depth + 1) for arg in args if arg is not Ellipsis]
    if issubclass(kind, collections.abc.Mapping):
        return {_value(args[0], depth + 1): _value(args[1], depth + 1)} if len(args) == 2 else {}
    if issubclass(kind, collections.abc.Iterable):
        return [_value(args[0], depth + 1)] if args else []
    return None
