"""Annotations as what a browser has to ask for.

Rule: whatever a service can convert has a field here; what has no better one is asked for as JSON. Nothing is checked
here: the service does that, and says what is wrong.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import decimal
import enum
import json
import pathlib
import re
import types
import typing
import uuid
from typing import Any, NamedTuple

from elsewhere.rpc.page.examples import example, fields_of
from elsewhere.rpc.serving.methods.converters import expected, unwrapped

__all__ = ["Field", "Option", "field_of"]

DEEP = 2  # records within records; what is deeper is asked for as JSON
_TEXTS = (str, bytes, dt.datetime, dt.date, dt.time, decimal.Decimal, uuid.UUID, pathlib.Path, pathlib.PurePath)


class Option(NamedTuple):
    """One of several values.

    Attributes:
        shown: as a reader is told.
        json: the value.
    """

    shown: str
    json: str


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """How one value is asked for.

    Attributes:
        kind: ``"int"``, ``"float"``, ``"str"``, ``"bytes"``, ``"date"``, ``"time"``, ``"choice"`` (of `options`),
            ``"record"`` (of `fields`), ``"json"``, or ``"any"``: JSON, or a text where it is none.
        label: its type in words.
        example: a value, to be shown where nothing has been entered.
        nullable: None will do as well.
        options: the values there are.
        fields: name, field, and whether it may be left out.
    """

    kind: str
    label: str
    example: str = ""
    nullable: bool = False
    options: tuple[Option, ...] = ()
    fields: tuple[tuple[str, Field, bool], ...] = ()


def field_of(annotation: Any, inside: tuple[Any, ...] = ()) -> Field:
    """How a value of an annotation is asked for.

    Args:
        annotation: one that a service can convert.
        inside: the records that this is in.
    """
    annotation = unwrapped(annotation)
    label = _label(expected(annotation))
    if annotation in {Any, object} or isinstance(annotation, typing.TypeVar):
        return Field("any", "anything" if annotation in {Any, object} else label, "JSON, or a text")
    if annotation is None or annotation is type(None):
        return Field("choice", label, options=(Option("None", "null"),))
    if annotation in _SIMPLE:
        kind, hint = _SIMPLE[annotation]
        return Field(kind, label, hint, options=_BOOL if annotation is bool else ())
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Union or origin is types.UnionType:
        return _union(label, args, inside)
    options = _options(annotation, origin, args)
    if options:
        return Field("choice", label, options=options)
    kind = origin or annotation
    if isinstance(kind, type) and kind not in inside and len(inside) < DEEP:
        found = fields_of(kind)
        if found:
            parts = tuple((name, field_of(hint, (*inside, kind)), free) for name, hint, free in found)
            return Field("record", label, fields=parts)
    return Field("json", label, example(annotation))


def _label(told: str) -> str:
    """Without the modules that classes are in: they take much room, and say little to who calls."""
    return told if "'" in told or '"' in told else re.sub(r"\b(?:\w+\.)+(?=\w)", "", told)


_BOOL = (Option("True", "true"), Option("False", "false"))
_SIMPLE: dict[Any, tuple[str, str]] = {
    int: ("int", ""),
    float: ("float", ""),
    bool: ("choice", ""),
    str: ("str", ""),
    bytes: ("bytes", ""),
    bytearray: ("bytes", ""),
    dt.datetime: ("str", "2026-01-31T12:00:00"),
    dt.date: ("date", ""),
    dt.time: ("time", ""),
    dt.timedelta: ("float", "seconds"),
    decimal.Decimal: ("str", "1.25"),
    uuid.UUID: ("str", "12345678-1234-5678-1234-567812345678"),
    pathlib.Path: ("str", "folder/name"),
    pathlib.PurePath: ("str", "folder/name"),
}


def _union(label: str, args: tuple[Any, ...], inside: tuple[Any, ...]) -> Field:
    parts = [arg for arg in map(unwrapped, args) if arg is not type(None)]
    nullable = len(parts) < len(args)
    if len(parts) == 1:
        return dataclasses.replace(field_of(parts[0], inside), label=label, nullable=nullable)
    if set(parts) == {int, float}:
        return Field("float", label, nullable=nullable)
    found = [field_of(part, inside) for part in parts]
    if all(each.kind == "choice" for each in found):
        options = [option for each in found for option in each.options]
        return Field("choice", label, nullable=nullable, options=tuple(dict.fromkeys(options)))
    if any(part in _TEXTS for part in parts):
        return Field("any", label, "JSON, or a text", nullable)
    return Field("json", label, example(parts[0]), nullable)


def _options(annotation: Any, origin: Any, args: tuple[Any, ...]) -> tuple[Option, ...]:
    """The values of a Literal or an Enum, if JSON can hold them all; none otherwise."""
    if origin is typing.Literal:
        shown = [(repr(arg.value if isinstance(arg, enum.Enum) else arg), arg) for arg in args]
    elif isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        shown = [(member.name, member) for member in annotation]
    else:
        return ()
    try:
        return tuple(Option(told, _wire(arg.value if isinstance(arg, enum.Enum) else arg)) for told, arg in shown)
    except (TypeError, ValueError):
        return ()


def _wire(value: Any) -> str:
    if isinstance(value, bytes):
        return json.dumps(base64.b64encode(value).decode())
    return json.dumps(value, allow_nan=False)
