"""Is a pickle nothing but plain values? Then Python's own, which is ten times as fast, reads it as safely.

Rule: what passes here can neither name nor call anything, as none of its opcodes does, and can take neither more memory
nor more depth than its length says. So either tuples or keys: a tuple as a key is hashed, with all that it holds, and
may hold itself 2**60 times.
"""

from __future__ import annotations

import re

__all__ = ["is_simple"]

SHORT = rb"(?:" + b"|".join(re.escape(bytes([size])) + b".{%d}" % size for size in range(256)) + b")"
"""A byte that says how many follow, and those."""

# NONE, booleans, EMPTY_LIST, EMPTY_TUPLE, MARK, MEMOIZE, APPEND, APPENDS; integers; floats; what was seen before; text,
# bytes and long integers below 256 bytes; frames.
PLAIN = rb"[N\x88\x89\])(\x94ae]|[Kh].|M..|[Jj].{4}|[G\x95].{8}|[\x8cC\x8a]" + SHORT
TUPLES = re.compile(rb"(?:[t\x85-\x87]|" + PLAIN + rb")*+", re.DOTALL)
KEYS = re.compile(rb"(?:[}su\x8f\x90\x91]|" + PLAIN + rb")*+", re.DOTALL)  # of dictionaries and sets

WIDTHS = {0x58: 4, 0x42: 4, 0x8D: 8, 0x8E: 8}  # of the lengths of long text and bytes


def is_simple(data: bytes | bytearray | memoryview) -> bool:
    """Does Python's pickle read this without any risk?

    False says nothing: `opcodes.load` then reads it, and refuses it if need be.
    """
    size = len(data)
    if size < 4 or data[0] != 0x80 or data[1] not in (4, 5):
        return False
    return _reaches_end(TUPLES, data, size) or _reaches_end(KEYS, data, size)


def _reaches_end(simple: re.Pattern[bytes], data: bytes | bytearray | memoryview, size: int) -> bool:
    position = 2
    while True:
        found = simple.match(data, position)
        position = found.end() if found is not None else position
        if position >= size:
            return False
        code = data[position]
        width = WIDTHS.get(code)
        if width is None:
            return code == 0x2E and position + 1 == size  # STOP
        body = position + 1 + width
        position = body + int.from_bytes(data[position + 1 : body], "little")
