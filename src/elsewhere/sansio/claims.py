"""How large a MessagePack value will be at least, as far as its first bytes tell.

The codec looks at what a header claims only when all of it has come. So who claims a gigabyte would be given that much
room first; and who reads a large value can make room once, if it knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

__all__ = ["HEAD", "Count", "claimed", "last_bin"]

HEAD = 512  # bytes in which headers are looked for: deeper ones are bounded by what has really come
_SIZED = {
    0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0),  # bin
    0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1),  # ext: one byte more, its type
    0xD9: (1, 0), 0xDA: (2, 0), 0xDB: (4, 0),  # str
}  # fmt: skip
_BINS = (0xC4, 0xC5, 0xC6)
_FIXED = {
    0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8,
    0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17,
}  # fmt: skip
_COUNTED = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}  # array, map: two values an entry


def claimed(head: bytes | bytearray | memoryview) -> int:
    """Bytes that the value which begins here takes at least: each value that was not seen yet counts as one."""
    at, missing = 0, 1
    while missing and at < len(head):
        missing -= 1
        size, more = _step(head, at)
        if not size:  # its header is cut
            return at + 1 + missing
        at += size
        missing += more
    return at + missing


def last_bin(head: bytes | bytearray | memoryview) -> tuple[int, int] | None:
    """Where the header of the last value is, and how many bytes that holds; None if it is not in there, or no bin.

    It must be the last of arrays only, so that whoever decodes the rest knows where it belongs.
    """
    at, missing = 0, 1
    while at < len(head):
        size, more = _step(head, at)
        if missing == 1 and head[at] in _BINS:
            header = 1 + _SIZED[head[at]][0]
            return (at, size - header) if size else None
        ends_in_map = missing == 1 and more and (0x80 <= head[at] <= 0x8F or head[at] in {0xDE, 0xDF})
        if not size or ends_in_map:
            return None
        at += size
        missing += more - 1
    return None


def _step(head: bytes | bytearray | memoryview, at: int) -> tuple[int, int]:
    """Bytes of the value here, or of its header if it holds others, and how many others; 0 bytes if it is cut."""
    first = head[at]
    if 0x80 <= first <= 0x8F:
        return 1, 2 * (first & 0x0F)
    if 0x90 <= first <= 0x9F:
        return 1, first & 0x0F
    if 0xA0 <= first <= 0xBF:
        return 1 + (first & 0x1F), 0
    if first in _SIZED:
        width, extra = _SIZED[first]
        found = _number(head, at, width)
        return (0, 0) if found < 0 else (1 + width + extra + found, 0)
    if first in _COUNTED:
        width, each = _COUNTED[first]
        found = _number(head, at, width)
        return (0, 0) if found < 0 else (1 + width, each * found)
    return 1 + _FIXED.get(first, 0), 0


def _number(head: bytes | bytearray | memoryview, at: int, width: int) -> int:
    """The number behind the byte here; -1 if it is cut."""
    digits = head[at + 1 : at + 1 + width]
    return int.from_bytes(digits, "big") if len(digits) == width else -1


class Count:
    """How many arrays and maps the codec has made for a message: it is called with each.

    Args:
        most: so many are allowed.

    Raises:
        ValueError: they are more.
    """

    __slots__ = ("_found", "_most")

    def __init__(self, most: int) -> None:
        self._most = most
        self._found = 0

    def __call__(self, value: Any) -> Any:
        self._found += 1
        if self._found > self._most:
            raise ValueError(f"{self._found} exceeds max_arrays_and_maps({self._most})")
        return value

    def each(self, messages: Iterable[Any]) -> Iterator[Any]:
        """These, each counted alone."""
        for message in messages:
            self._found = 0
            yield message
