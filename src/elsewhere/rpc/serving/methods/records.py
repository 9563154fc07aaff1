"""Dataclasses, TypedDicts and NamedTuples: maps of fields on the wire.

Rule: fields may name the record itself, so they are compiled when the first value comes. `compiled` is what makes the
converter of an annotation.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable
from typing import Any

from elsewhere.rpc.serving.methods.mismatch import Converter, Mismatch, convert_part

__all__ = ["record"]

Compile = Callable[[Any], "Converter | None"]


def record(kind: type, compiled: Compile) -> Converter | None:
    """The converter of a class of records; None if it is none."""
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, compiled)
    if typing.is_typeddict(kind):
        return _typed_dict(kind, compiled)
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return _named_tuple(kind, compiled)
    return None


def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind, include_extras=True)


def _fields_of(value: Any, name: str, parts: dict[str, Converter | None], required: frozenset[str]) -> dict[str, Any]:
    if type(value) is not dict:
        raise Mismatch(name, value)
    for key in value:
        if key not in parts:
            raise Mismatch(f"no such field of {name}", value, f".{key!s:.40}", told="one")
    for key in parts:
        if key in required and key not in value:
            raise Mismatch(f"a field of {name}", value, f".{key}", told="none")
    return {key: convert_part(part, parts[key], f".{key}") for key, part in value.items()}


def _lazily(make: Callable[[], tuple[dict[str, Converter | None], frozenset[str]]]) -> Callable[[], Any]:
    made: list[tuple[dict[str, Converter | None], frozenset[str]]] = []

    def get() -> tuple[dict[str, Converter | None], frozenset[str]]:
        if not made:
            made.append(make())
        return made[0]

    return get


def _dataclass(kind: Any, compiled: Compile) -> Converter:
    def make() -> tuple[dict[str, Converter | None], frozenset[str]]:
        hints, fields = _hints(kind), [field for field in dataclasses.fields(kind) if field.init]
        needed = frozenset(
            field.name
            for field in fields
            if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        )
        return {field.name: compiled(hints[field.name]) for field in fields}, needed

    get = _lazily(make)

    def convert(value: Any) -> Any:
        found = _fields_of(value, kind.__name__, *get())
        try:
            return kind(**found)
        except (TypeError, ValueError) as error:  # its __post_init__ says no
            raise Mismatch(kind.__name__, value, told=f"fields that it refuses ({error})") from error

    return convert


def _typed_dict(kind: Any, compiled: Compile) -> Converter:
    def make() -> tuple[dict[str, Converter | None], frozenset[str]]:
        hints = _hints(kind)
        # Python does not see Required and NotRequired in annotations that are text.
        marks = {key: typing.get_origin(hint) for key, hint in hints.items()}
        needed = {key for key in kind.__required_keys__ if marks[key] is not typing.NotRequired}
        needed |= {key for key, mark in marks.items() if mark is typing.Required}
        return {key: compiled(hint) for key, hint in hints.items()}, frozenset(needed)

    get = _lazily(make)

    def convert(value: Any) -> Any:
        return _fields_of(value, kind.__name__, *get())

    return convert


def _named_tuple(kind: Any, compiled: Compile) -> Converter:
    get = _lazily(
        lambda: (
            {key: compiled(_hints(kind).get(key, Any)) for key in kind._fields},
            frozenset(kind._fields) - frozenset(kind._field_defaults),
        )
    )

    def convert(value: Any) -> Any:
        parts, required = get()
        if type(value) is list:
            if len(value) > len(parts):
                raise Mismatch(kind.__name__, value, told=f"{len(value)} values")
            value = dict(zip(parts, value, strict=False))
        return kind(**_fields_of(value, kind.__name__, parts, required))

    return convert
