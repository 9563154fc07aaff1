"""A document goes into expat in pieces, so that no single one of its tokens can take long.

A tag or a comment that is not whole yet is read again from its beginning when more comes: one of 64 MiB would take
seconds, in which no other thread runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from elsewhere.sansio.xmlrpc.terms import Malformed

if TYPE_CHECKING:
    from xml.parsers.expat import XMLParserType

__all__ = ["PIECE", "Feed"]

PIECE = 64 << 10  # bytes that go in at once
_TOKEN = 1 << 20  # bytes of a tag or a comment; texts are no such tokens, and may be longer


class Feed:
    """What goes into one parser.

    Args:
        parser: from expat, with its handlers.
    """

    __slots__ = ("_at", "_parser", "_waiting")

    def __init__(self, parser: XMLParserType) -> None:
        self._parser = parser
        self._at = -1  # where the token that was looked at last begins
        self._waiting = 0  # bytes that have come since

    def feed(self, data: bytes | bytearray | memoryview | str) -> None:
        """Read more of the document.

        Raises:
            Malformed: a tag or a comment is too long.
            xml.parsers.expat.ExpatError: it is not well-formed.
            Exception: what the handlers raise.
        """
        for begin in range(0, len(data), PIECE):
            piece = data[begin : begin + PIECE] if len(data) > PIECE else data
            self._parser.Parse(piece, False)
            at = self._parser.CurrentByteIndex
            self._waiting = self._waiting + len(piece) if at == self._at else 0
            self._at = at
            if self._waiting > _TOKEN:
                raise Malformed(f"a tag or a comment is longer than {_TOKEN:,} bytes")

    def end(self) -> None:
        """That was all; raises as `feed` does."""
        self._parser.Parse(b"", True)
