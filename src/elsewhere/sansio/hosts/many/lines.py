"""Whole lines out of what comes in pieces, however it was cut.

A line ends with a newline, with a carriage return and a newline (as terminals have it), or with a carriage return
alone, with which progress bars rewrite themselves. One that is longer than `LONGEST` is given out in pieces, so that
nothing has to be held that never ends.
"""

from __future__ import annotations

import re

__all__ = ["LONGEST", "Lines"]

LONGEST = 16 << 10  # bytes
_END = re.compile(rb"\r*\n|\r+(?=[^\r\n])")  # a \r at the very end may be half of an \r\n


class Lines:
    """Of one stream of one host."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are whole now, without their ends."""
        parts = _END.split(self._held + data)
        self._held = parts.pop()
        lines = [piece for part in parts for piece in _pieces(part)]
        if len(self._held) > LONGEST:
            *more, self._held = _pieces(self._held)
            lines += more
        return lines

    def rest(self) -> list[bytes]:
        """It has ended: the line that had no end, if there is one."""
        held, self._held = self._held.rstrip(b"\r"), b""
        return [*_pieces(held)] if held else []


def _pieces(line: bytes) -> list[bytes]:
    """A line that is too long in pieces, none of which begins inside of a character."""
    pieces = []
    while len(line) > LONGEST:
        end = LONGEST
        while end > LONGEST - 3 and line[end] & 0xC0 == 0x80:  # the next piece would begin with half a character
            end -= 1
        pieces.append(line[:end])
        line = line[end:]
    return [*pieces, line]
