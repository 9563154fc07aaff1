"""Is a pickle nothing but plain values? Then Python's own, which is ten times as fast, reads it as safely.

Rule: what passes here can neither name nor call anything, as none of its opcodes does, and takes neither more memory
nor more depth than its length says. What is left is the hash of tuples as keys, which is deep if they are, and long if
they hold others twice, which hold others twice, and the comparison of frozensets in the same way: so either no tuples
and frozensets, or no keys, or little and nothing twice.
"""

from __future__ import annotations

import re
from typing import Any

from .machine import DEEP

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
LITTLE = 8192  # bytes: so many tuples, each in the next, take less than 1 MB of the C stack when they are hashed

HEAD = rb"\x80[\x04\x05]"
WHOLE = re.compile(HEAD + rb"(?:" + TUPLES + rb"\.|" + KEYS + rb"\.)", re.DOTALL).fullmatch
SMALL = re.compile(HEAD + BOTH + rb"\.", re.DOTALL).fullmatch
PARTS = [re.compile(part, re.DOTALL) for part in (TUPLES, KEYS)]
WIDTHS: dict[int | None, int] = {0x58: 4, 0x42: 4, 0x8D: 8, 0x8E: 8}  # of the lengths of long text and bytes


def is_simple(data: bytes | bytearray | memoryview) -> bool:
    """Does Python's pickle read this without any risk?

    False says nothing: `opcodes.load` then reads it, and refuses it if need be.
    """
    if WHOLE(data):
        return True
    size = len(data)
    if size <= LITTLE:
        if SMALL(data):
            return True
        if size < 4:
            return False
    return data[0] == 0x80 and data[1] in (4, 5) and any(_reaches_end(part, data, size) for part in PARTS)


def _reaches_end(simple: re.Pattern[bytes], data: bytes | bytearray | memoryview, size: int) -> bool:
    """Is it simple, but for text and bytes that are too long for a pattern?"""
    position = 2
    while position < size:
        found = simple.match(data, position)
        position = found.end() if found is not None else position
        code = data[position] if position < size else None
        width = WIDTHS.get(code)
        if width is None:
            return code == 0x2E and position + 1 == size  # STOP
        body = position + 1 + width
        position = body + int.from_bytes(data[position + 1 : body], "little")
    return False


def too_deep(data: bytes | bytearray | memoryview, value: Any) -> bool:
    """Does a plain value hold tuples so deep in each other that whoever hashes it ends the process?

    Lists are looked through as well, and refused by nobody: `opcodes.load` then tells them apart.
    """
    if len(data) <= LITTLE or not isinstance(value, tuple | list):
        return False
    level, left = {id(value): value}, 16 * len(data)
    for _ in range(DEEP):
        inner = {id(part): part for one in level.values() for part in one if type(part) in (tuple, list)}
        left -= sum(map(len, level.values()))
        level = inner
        if not level or left < 0:
            break
    return bool(level)
