"""What a row looks like: values and failures as JSON, one line each. Everything here is a pure function.

======================================  ====================================================================
dataclass, namedtuple                   an object of its fields
Path, UUID, Decimal                     its ``str()``
datetime, date, time                    ISO 8601
Enum                                    its name; one that is a ``str`` itself is its value
NumPy scalar                            a number, a boolean, a text
set, frozenset                          a list, in order, so that equal sets make equal rows
NaN, infinity                           null, as in JavaScript's JSON: valid JSON has no word for them
any other type                          `Unencodable`: it is not guessed at, the user decides
======================================  ====================================================================

The keys of an object may be of any kind that is a text or a number above. A line holds no byte that any reader could
take for a line break, and no text that is not Unicode, so a row is a row for everyone.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import json
import math
import pathlib
import re
import sys
import uuid
from collections.abc import Callable
from typing import Any

__all__ = ["Unencodable", "encode", "row", "type_name"]

ATOMS = frozenset({str, int, bool, type(None)})
TEXTS = (pathlib.PurePath, uuid.UUID, decimal.Decimal)
TIMES = (dt.date, dt.time)  # a datetime is a date
KEYS = frozenset({int, bool, type(None)})

# Line breaks for str.splitlines and JavaScript, and half characters, which UTF-8 cannot write.
UNSAFE = re.compile("[\x85\u2028\u2029\ud800-\udfff]")

_dumps = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


class Unencodable(TypeError):
    """A value holds something of a type that JSON cannot hold; `type_name` says which."""

    def __init__(self, type_name: str) -> None:
        super().__init__(type_name)
        self.type_name = type_name


def encode(value: object) -> str:
    """`value` as JSON in one line.

    Raises:
        Unencodable: it holds something that JSON cannot.
    """
    try:
        return _safe(_dumps(_plain(value)))
    except RecursionError:
        raise Unencodable(f"{type_name(type(value))} that contains itself") from None


def row(index: int, given: object, key: str, text: str, seconds: float | None, attempt: int) -> bytes:
    """One line: input `given`, number `index`, and under `key` the JSON `text` of its value or error."""
    spent = "null" if seconds is None else f"{seconds:.6f}"
    shown = _safe(_dumps(given))
    line = f'{{"index": {index}, "input": {shown}, "{key}": {text}, "seconds": {spent}, "attempt": {attempt}}}\n'
    return line.encode()


def type_name(kind: type) -> str:
    """``ValueError``, ``shapes.Circle``: builtins and ours without their module."""
    module = kind.__module__.split(".")[0] if kind.__module__.startswith("elsewhere.") else kind.__module__
    return kind.__qualname__ if module in ("builtins", "__main__") else f"{module}.{kind.__qualname__}"


def _safe(text: str) -> str:
    if text.isascii():
        return text
    return UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _plain(value: Any) -> Any:
    """The same with nothing but what JSON has; exact types first, because nearly all values are of those."""
    kind = type(value)
    if kind in ATOMS:
        return value
    if kind is float:
        return value if math.isfinite(value) else None
    if kind is list or kind is tuple:
        return [_plain(item) for item in value]
    if kind is dict:
        return {_key(key): _plain(item) for key, item in value.items()}
    return _unusual(value)


def _unusual(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return str(value.value) if isinstance(value, str) else value.name
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        fields = getattr(value, "_fields", None)
        return [*map(_plain, value)] if fields is None else dict(zip(fields, map(_plain, value), strict=False))
    if isinstance(value, set | frozenset):
        return sorted(map(_plain, value), key=_order)
    if isinstance(value, TEXTS):
        return str(value)
    if isinstance(value, TIMES):
        return value.isoformat()
    numpy = sys.modules.get("numpy")  # a value can be NumPy's only where NumPy has been imported
    if numpy is not None and isinstance(value, numpy.generic):
        return _scalar(value)
    for base, make in BASES.items():
        if isinstance(value, base):
            return _plain(make(value))
    raise Unencodable(type_name(type(value)))


# A class derived from one of these is written as what it is derived from, as json itself does.
BASES: dict[type, Callable[[Any], Any]] = {
    str: str.__str__,
    int: int.__index__,
    float: float.__float__,
    list: list,
    dict: dict,
}


def _scalar(value: Any) -> Any:
    item = value.item()
    if isinstance(item, type(value)):
        item = float(item)  # a long double is its own item
    return _plain(item)


def _key(key: Any) -> Any:
    if type(key) is str:
        return key
    if type(key) in KEYS:
        return key
    plain = _plain(key)
    if isinstance(plain, list | dict):
        raise Unencodable(f"dict with a key of type {type_name(type(key))}")
    return plain


def _order(plain: Any) -> tuple[bool, Any, str]:
    # Numbers by size, then everything else by what it looks like.
    number = isinstance(plain, int | float)
    return (not number, plain if number else 0, _dumps(plain))
