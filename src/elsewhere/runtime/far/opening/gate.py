"""Is a pickle nothing but plain values? Then Python's own, which is ten times as fast, reads it as safely.

Rule: what passes here can neither name nor call anything, as none of its opcodes does, and takes neither more memory
nor more depth than its length says. What is left is the hash of tuples as keys, which is deep if they are, and long if
they hold others twice, which hold others twice, and the comparison of frozensets in the same way: so it is either
little, and nothing twice, or no tuples and frozensets, or no keys, and then `too_deep` looks at the value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .machine import DEEP, MOST

__all__ = ["is_simple", "too_deep"]

SHORT = rb"(?:" + b"|".join(re.escape(bytes([size])) + b".{%d}" % size for size in range(256)) + b")"
"""A byte that says how many follow, and those."""

# NONE, booleans, EMPTY_LIST, EMPTY_TUPLE, MARK, MEMOIZE, APPEND, APPENDS; integers; floats and frames; text, bytes and
# long integers below 256 bytes.
ONCE = rb"[N\x88\x89\])(\x94ae]|K.|M..|J.{4}|[G\x95].{8}|[\x8cC\x8a]" + SHORT
PLAIN = ONCE + rb"|h.|j.{4}"  # ... and what was seen before
TUPLES = rb"(?:[t\x85-\x87]|" + PLAIN + rb")*+"
KEYS = rb"(?:[}su\x8f\x90]|" + PLAIN + rb")*+"  # of dictionaries and sets; frozensets may be keys as tuples may
BOTH = rb"(?:[}su\x8f\x90\x91t\x85-\x87]|" + ONCE + rb")*+"
NEVER = (None, 0)
LITTLE = 8192  # bytes: so many tuples, each in the next, take less than 1 MB of the C stack when they are hashed

HEAD = rb"\x80[\x04\x05]"
LARGE, SMALL = (
    (
        re.compile(HEAD + rb"(?:" + first + rb"\.|" + KEYS + rb"\.)", re.DOTALL).fullmatch,
        [re.compile(part, re.DOTALL).match for part in (first, KEYS)],
    )
    for first in (TUPLES, BOTH)
)
"""For data of more than `LITTLE` bytes and for others: what takes all of it, and what takes it piece by piece."""
WIDTHS: dict[int | None, int] = {0x58: 4, 0x42: 4, 0x8D: 8, 0x8E: 8}  # of the lengths of long text and bytes

Match = Callable[[Any, int], "re.Match[bytes] | None"]


def is_simple(data: bytes | bytearray | memoryview) -> bool:
    """Does Python's pickle read this without any risk?

    False says nothing: `opcodes.load` then reads it, and refuses it if need be.
    """
    size = len(data)
    whole, parts = SMALL if size <= LITTLE else LARGE
    if whole(data):
        return True
    return size >= 4 and data[0] == 0x80 and data[1] in (4, 5) and any(_reaches_end(part, data, size) for part in parts)


def _reaches_end(simple: Match, data: bytes | bytearray | memoryview, size: int) -> bool:
    """Is it simple, but for text and bytes that are too long for a pattern?"""
    position = 2
    while position < size:
        found = simple(data, position)
        position = found.end() if found is not None else position
        code = data[position] if position < size else None
        width = WIDTHS.get(code)
        if width is None:
            return code == 0x2E and position + 1 == size  # STOP
        body = position + 1 + width
        position = body + int.from_bytes(data[position + 1 : body], "little")
    return False


def too_deep(data: bytes | bytearray | memoryview, value: Any) -> bool:
    """Does a plain value hold tuples so deep in each other, or so often, that whoever hashes it is lost?

    Lists are looked through as well, and refused by nobody: `opcodes.load` then tells them apart.
    """
    if len(data) <= LITTLE or type(value) not in (tuple, list):
        return False
    level, left = {id(value): (value, 1)}, MOST + 16 * len(data)
    for _ in range(DEEP):
        inner: dict[int, tuple[Any, int]] = {}
        for one, times in level.values():
            left -= times * len(one)
            for part in one:
                if type(part) is tuple or type(part) is list:
                    inner[id(part)] = part, inner.get(id(part), NEVER)[1] + times
        if not inner or left < 0:
            return left < 0
        level = inner
    return True
