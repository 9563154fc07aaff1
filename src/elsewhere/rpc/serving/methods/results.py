"""Answers on their way to the wire: what MessagePack cannot hold becomes what it can.

Rule: whatever a method returns, there is an answer: what cannot be packed is an error that names its type.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import pathlib
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import msgpack

from elsewhere.errors import MessageTooLarge
from elsewhere.sansio.large import LARGE
from elsewhere.sansio.msgpackrpc import RESPONSE

__all__ = ["Data", "pack_response", "plain"]

Data = bytes | tuple[bytes, ...]  # what is to be sent, in one piece or in several

KEPT = 1 << 20  # bytes that a thread's packer may keep between answers
START = 4096  # bytes of a packer's first buffer: each thread has one
_TEXTS = (decimal.Decimal, uuid.UUID, pathlib.PurePath)


class _Packers(threading.local):
    """Each thread its own, so that no lock is needed."""

    pack: Callable[[Any], bytes] | None = None


_mine = _Packers()


def plain(value: Any) -> Any:
    """Something MessagePack can hold for what it cannot; `msgpack.Packer` asks for each such value.

    Raises:
        TypeError: there is nothing; names the type.
    """
    if isinstance(value, enum.Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if isinstance(value, _TEXTS):
        return str(value)
    if isinstance(value, AbstractSet | Sequence):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    to_list = getattr(value, "tolist", None)  # NumPy's scalars and arrays, array.array
    if to_list is not None and not isinstance(value, type):
        return to_list()
    raise TypeError(f"a value of type {type(value).__module__}.{type(value).__qualname__} cannot be sent")


def pack_response(msgid: int, error: Any, result: Any, limit: int) -> Data:
    """The bytes of an answer.

    Raises:
        TypeError, ValueError, OverflowError: something in it cannot be packed.
        MessageTooLarge: it is above the limit.
    """
    pack = _mine.pack or _fresh()
    if type(result) is bytes and len(result) >= LARGE:
        head = b"\x94\x01" + pack(msgid) + b"\xc0\xc6" + len(result).to_bytes(4, "big")
        _check(len(head) + len(result), limit)
        return head, result
    data = pack([RESPONSE, msgid, error, result])
    if len(data) > limit or len(data) > KEPT:
        _mine.pack = None
        _check(len(data), limit)
    return data


def _check(size: int, limit: int) -> None:
    if size > limit:
        text = f"its result of {size:,} bytes is above the limit of {limit:,} of a message"
        raise MessageTooLarge(text, size=size, limit=limit)


def _fresh() -> Callable[[Any], bytes]:
    packer = msgpack.Packer(default=plain, unicode_errors="surrogateescape", buf_size=START)
    pack: Callable[[Any], bytes] = packer.pack
    _mine.pack = pack
    return pack
