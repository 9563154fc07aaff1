"""Are files the same? By sha256 on both sides, at the same time."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from collections.abc import Callable, Mapping

from elsewhere.fleet.files.channel import Channel
from elsewhere.fleet.files.far import listing
from elsewhere.fleet.files.here.threads import given_up, in_thread
from elsewhere.fleet.files.wanted import Payload
from elsewhere.sansio.hosts.copies.tree import Entry

__all__ = ["Same", "compared", "different", "local_sum"]

PIECE = 1 << 20  # bytes
Same = Callable[[Entry, Entry], bool]


async def compared(there: Channel, nonce: str, ours: Mapping[str, Payload], theirs: Mapping[str, str]) -> Same:
    """Says of two entries whether they hold the same.

    Args:
        there: where the others are; it has listed what is there, and waits.
        nonce: that begins its words.
        ours: contents here, by path.
        theirs: their names there, by path.
    """
    # The dialogue is one of lines, and sums tell other names in a way of their own: such files count as different.
    plain = {path: name for path, name in theirs.items() if "\n" not in name and "\\" not in name}
    if not plain:
        return different
    enough = threading.Event()
    here = asyncio.ensure_future(in_thread(_sums, {path: ours[path] for path in plain}, enough))
    try:
        there.go("\n".join(["sum", *plain.values(), "", ""]).encode("utf-8", "surrogateescape"))
        told = (await listing(there, nonce)).partition(b"\0")[0].decode("utf-8", "surrogateescape")
        mine = await asyncio.shield(here)
    finally:
        enough.set()
        await given_up(here)
    sums = {name[1:]: value for value, _, name in (line.partition(" ") for line in told.split("\n")) if name}
    same = {path for path, value in mine.items() if sums.get(plain[path]) == value}
    return lambda new, old: new.size == old.size and new.path in same


def different(new: Entry, old: Entry) -> bool:
    """Never the same."""
    return False


def _sums(payloads: Mapping[str, Payload], enough: threading.Event) -> dict[str, str]:
    return {path: local_sum(payload, enough) for path, payload in payloads.items() if not enough.is_set()}


def local_sum(payload: Payload, enough: threading.Event | None = None) -> str:
    """Of a file here, or of bytes, as ``sha256sum`` shows it.

    Args:
        payload: what.
        enough: ends it, when nobody wants it any more.
    """
    if isinstance(payload, bytes):
        return hashlib.sha256(payload).hexdigest()
    fd = os.open(payload, os.O_RDONLY) if isinstance(payload, str) else payload
    try:
        found, at = hashlib.sha256(), 0
        while (data := os.pread(fd, PIECE, at)) and not (enough and enough.is_set()):
            found.update(data)
            at += len(data)
        return found.hexdigest()
    finally:
        if isinstance(payload, str):
            os.close(fd)
