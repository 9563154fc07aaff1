r"""What GNU `find` says of a folder: its answer, understood, and not believed where it would lead out of that folder.

::

    find ./a -maxdepth 1 -printf '%y %m %s %T@ %p\0%l\0'        f 644 12 1700000000.1234567890 ./a/b\0\0
"""

from __future__ import annotations

from typing import NamedTuple

from elsewhere.errors import ProtocolError
from elsewhere.sansio.hosts.copies.tree import Entry, Kind, safe, staging

__all__ = ["FORMAT", "Section", "complete", "entries", "sections"]

FORMAT = r"%y %m %s %T@ %p\0%l\0"
_KINDS: dict[str, Kind] = {"f": "file", "d": "folder", "l": "link"}


class Section(NamedTuple):
    """What is said in one go: the words of ours that begin it, and what `find` says behind them."""

    words: list[str]
    data: bytes


def complete(data: bytes | bytearray, nonce: str) -> bool:
    """Has all of it come? Either its end, or that there is no `find` of that kind or no `tar`."""
    end = data.rfind(b"\0", 0, -1) + 1
    return data.endswith(b"\0") and data[end:].lstrip().startswith(
        (f"{nonce} end ".encode(), f"{nonce} bare ".encode())
    )


def sections(data: bytes, nonce: str) -> list[Section]:
    """Its parts, without the last one, which is its end; what a profile has written before them is passed over.

    Raises:
        ProtocolError: it does not speak so.
    """
    found: list[Section] = []
    for part in data.split(f"{nonce} ".encode())[1:]:
        line, nul, rest = part.partition(b"\0")
        if not nul:
            raise ProtocolError("the far side's listing of files ends in the middle")
        found.append(Section(line.decode("utf-8", "surrogateescape").split(" ", 2), rest))
    if not found or found[-1].words[0] not in {"end", "bare"}:
        raise ProtocolError("the far side's listing of files has no end")
    return found


def entries(data: bytes) -> list[Entry]:
    """What it lists; each path once, and our own half-made copies left out.

    Raises:
        ProtocolError: it is no listing, or a name in it leads out of the folder.
    """
    words = data.decode("utf-8", "surrogateescape").split("\0")
    if words.pop() or len(words) % 2:
        raise ProtocolError("the far side's listing of files ends in the middle")
    found: dict[str, Entry] = {}
    pairs = iter(words)
    for line, target in zip(pairs, pairs, strict=True):
        entry = _entry(line, target)
        if staging(entry.path.partition("/")[0]) is None:
            found[entry.path] = entry
    return list(found.values())


def _entry(line: str, target: str) -> Entry:
    try:
        kind, mode, size, mtime, path = line.split(" ", 4)
        seconds, _, fraction = mtime.partition(".")
        when = int(seconds) * 10**9 + int((fraction + "000000000")[:9])
        numbers = int(mode, 8), int(size)
    except ValueError:
        raise ProtocolError(f"the far side lists files in a way that is not understood: {line!r:.200}") from None
    if path == ".":
        path = ""
    elif path.startswith("./"):
        path = path[2:]
    if path and not safe(path):
        raise ProtocolError(f"the far side names a file outside of the folder: {path!r:.200}")
    return Entry(path, _KINDS.get(kind, "other"), *numbers, when, target)
