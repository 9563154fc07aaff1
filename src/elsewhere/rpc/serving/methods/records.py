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

__all__ = ["members", "record"]

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


def members(kind: type) -> list[tuple[str, Any, bool]] | None:
    """Name, annotation, and whether it may be left out, of each field of a class of records; None if it is none.

    Raises:
        NameError: an annotation names what does not exist while running.
    """
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind, include_extras=True)
        return [
            (field.name, hints[field.name], _has_default(field)) for field in dataclasses.fields(kind) if field.init
        ]
    if typing.is_typeddict(kind):
        hints = typing.get_type_hints(kind, include_extras=True)
        return [(key, hint, not _needed(kind, key, hint)) for key, hint in hints.items()]
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        hints = typing.get_type_hints(kind, include_extras=True)
        defaults = getattr(kind, "_field_defaults", {})
        return [(key, hints.get(key, Any), key in defaults) for key in kind._fields]
    return None


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def _needed(kind: Any, key: str, hint: Any) -> bool:
    # Python does not see Required and NotRequired in annotations that are text.
    mark = typing.get_origin(hint)
    return mark is typing.Required or (key in kind.__required_keys__ and mark is not typing.NotRequired)


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


def _lazily(kind: type, compiled: Compile) -> Callable[[], tuple[dict[str, Converter | None], frozenset[str]]]:
    """Its fields' converters, and which fields it needs; worked out at the first call."""
    made: list[tuple[dict[str, Converter | None], frozenset[str]]] = []

    def get() -> tuple[dict[str, Converter | None], frozenset[str]]:
        if not made:
            found = members(kind) or []
            parts = {name: compiled(hint) for name, hint, _ in found}
            made.append((parts, frozenset(name for name, _, free in found if not free)))
        return made[0]

    return get


def _dataclass(kind: Any, compiled: Compile) -> Converter:
    get = _lazily(kind, compiled)

    def convert(value: Any) -> Any:
        found = _fields_of(value, kind.__name__, *get())
        try:
            return kind(**found)
        except (TypeError, ValueError) as error:  # its __post_init__ says no
            raise Mismatch(kind.__name__, value, told=f"fields that it refuses ({error})") from error

    return convert


def _typed_dict(kind: Any, compiled: Compile) -> Converter:
    get = _lazily(kind, compiled)

    def convert(value: Any) -> Any:
        return _fields_of(value, kind.__name__, *get())

    return convert


def _named_tuple(kind: Any, compiled: Compile) -> Converter:
    get = _lazily(kind, compiled)

    def convert(value: Any) -> Any:
        parts, required = get()
        if type(value) is list:
            if len(value) > len(parts):
                raise Mismatch(kind.__name__, value, told=f"{len(value)} values")
            value = dict(zip(parts, value, strict=False))
        return kind(**_fields_of(value, kind.__name__, parts, required))

    return convert
