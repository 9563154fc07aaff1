"""Are files the same? By sha256 on both sides, at the same time."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable, Mapping

from elsewhere.fleet.files.channel import Channel
from elsewhere.fleet.files.far import listing
from elsewhere.fleet.files.here.local import digest
from elsewhere.fleet.files.wanted import Payload
from elsewhere.sansio.hosts.copies.tree import Entry

__all__ = ["Same", "compared", "different", "local_sum"]

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
    loop = asyncio.get_running_loop()
    here = loop.run_in_executor(None, lambda: {path: local_sum(ours[path]) for path in plain})
    there.go("\n".join(["sum", *plain.values(), "", ""]).encode("utf-8", "surrogateescape"))
    told = (await listing(there, nonce)).partition(b"\0")[0].decode("utf-8", "surrogateescape")
    sums = {name[1:]: value for value, _, name in (line.partition(" ") for line in told.split("\n")) if name}
    same = {path for path, value in (await here).items() if sums.get(plain[path]) == value}
    return lambda new, old: new.size == old.size and new.path in same


def different(new: Entry, old: Entry) -> bool:
    """Never the same."""
    return False


def local_sum(payload: Payload) -> str:
    """Of a file here, or of bytes."""
    if isinstance(payload, str):
        return digest(payload)
    if isinstance(payload, bytes):
        return hashlib.sha256(payload).hexdigest()
    found = hashlib.sha256()
    at = 0
    while data := os.pread(payload, 1 << 20, at):
        found.update(data)
        at += len(data)
    return found.hexdigest()
