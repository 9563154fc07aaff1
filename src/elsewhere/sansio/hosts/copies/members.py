"""A tar stream, read as it comes: a machine that is fed bytes and gives members and their contents.

It reads what GNU and BSD `tar` write: plain headers, GNU's long names, POSIX's records, numbers in base 256.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from elsewhere.errors import ProtocolError
from elsewhere.sansio.hosts.copies.headers import BLOCK

__all__ = ["Member", "Members"]

MOST_WORDS = 1 << 20  # bytes of a long name or of a record


class Member(NamedTuple):
    """What a header tells.

    Attributes:
        name: as it stands there; nothing is said of where it leads.
        kind: "0" a file, "1" a second name of one, "2" a link, "5" a folder, or another character.
        mode: permission bits.
        size: bytes that follow.
        mtime: nanoseconds.
        target: of a link, or the first name.
    """

    name: str
    kind: str
    mode: int
    size: int
    mtime: int
    target: str


class Members:
    """See the module.

    Attributes:
        ended: the archive's end has been seen.
    """

    def __init__(self) -> None:
        self.ended = False
        self._held = bytearray()
        self._left = 0  # bytes of the member's contents that are to come
        self._padding = 0
        self._words: bytearray | None = None  # the contents are for us
        self._words_kind = ""
        self._more: dict[str, str] = {}

    def feed(self, data: bytes) -> Iterator[Member | memoryview]:
        """Members, each before the pieces of its contents.

        A piece must be used before the next is asked for.

        Raises:
            ProtocolError: it is no archive.
        """
        if self._held:
            self._held += data
            data = bytes(self._held)
            self._held.clear()
        view, at = memoryview(data), 0
        while not self.ended:
            if self._left:
                piece = view[at : at + self._left]
                if not piece:
                    return
                at += len(piece)
                self._left -= len(piece)
                if self._words is None:
                    yield piece
                else:
                    self._words += piece
            elif self._padding:
                step = min(self._padding, len(view) - at)
                if not step:
                    return
                at += step
                self._padding -= step
            else:
                if self._words is not None:
                    self._learn()
                if len(view) - at < BLOCK:
                    self._held += view[at:]
                    return
                member = self._header(data[at : at + BLOCK])
                at += BLOCK
                if member is not None:
                    yield member

    def _header(self, block: bytes) -> Member | None:
        if not block.strip(b"\0"):
            self.ended = True
            return None
        told = _number(block[148:156])
        if told != sum(block) - sum(block[148:156]) + 8 * 32:
            raise ProtocolError("the far side sends an archive that is none, or is damaged")
        kind = chr(block[156] or 0x30)
        size = _number(block[124:136])
        if kind in "LKxg":
            if not 0 <= size <= MOST_WORDS:
                raise ProtocolError(f"the far side sends a file's name of {size} bytes")
            self._words, self._words_kind = bytearray(), kind
            self._left, self._padding = size, -size % BLOCK
            return None
        more, self._more = self._more, {}
        try:
            size = int(more.get("size", size))
            mtime = _nanoseconds(more.get("mtime", str(_number(block[136:148]))))
        except ValueError:
            raise ProtocolError("the far side sends an archive whose records are damaged") from None
        if size < 0:
            raise ProtocolError(f"the far side sends a file of {size} bytes")
        self._left = size if kind in "07S" else 0
        self._padding = -self._left % BLOCK
        name, prefix = _text(block[:100]), _text(block[345:500])
        if prefix and block[257:263] == b"ustar\0":
            name = f"{prefix}/{name}"
        return Member(
            name=more.get("path", name),
            kind=kind,
            mode=_number(block[100:108]) & 0o7777,
            size=self._left,
            mtime=mtime,
            target=more.get("linkpath", _text(block[157:257])),
        )

    def _learn(self) -> None:
        assert self._words is not None
        words, self._words = bytes(self._words), None
        if self._words_kind in "LK":
            what = "path" if self._words_kind == "L" else "linkpath"
            self._more[what] = words.rstrip(b"\0").decode("utf-8", "surrogateescape")
            return
        if self._words_kind == "g":  # of the whole archive: nothing of it matters here
            return
        try:
            while words:
                length = int(words[: words.index(b" ")])
                key, _, value = words[:length].partition(b" ")[2].partition(b"=")
                self._more[key.decode()] = value[:-1].decode("utf-8", "surrogateescape")
                if length <= 0:
                    raise ValueError
                words = words[length:]
        except ValueError:
            raise ProtocolError("the far side sends an archive whose records are damaged") from None


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _nanoseconds(text: str) -> int:
    whole, _, fraction = text.partition(".")
    if len(whole) > len("-9223372036"):  # no file system has such a time, nor could it be set
        raise ValueError(text)
    return int(whole) * 10**9 + int((fraction + "000000000")[:9])


def _number(field: bytes) -> int:
    try:
        if field[0] & 0x80:
            return int.from_bytes(field[1:], "big", signed=field[0] == 0xFF)
        return int(field.strip(b"\0 ") or b"0", 8)
    except ValueError:
        raise ProtocolError("the far side sends an archive whose numbers are damaged") from None
