"""Are files the same? By sha256 on both sides, at the same time."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from elsewhere.fleet.files.far import far
from elsewhere.fleet.files.here.local import digest
from elsewhere.fleet.files.wanted import Get, Payload, Put
from elsewhere.sansio.hosts.copies.tree import Entry
from elsewhere.sansio.hosts.copies.words import sum_script

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host

__all__ = ["Same", "compared", "different", "local_sum"]

Same = Callable[[Entry, Entry], bool]


async def compared(
    host: Host, wanted: Put | Get, ours: Mapping[str, Payload], theirs: Mapping[str, str], base: str
) -> Same:
    """Says of two entries whether they hold the same.

    Args:
        host: where the others are.
        wanted: the copy it is for.
        ours: contents here, by path.
        theirs: their names there, by path.
        base: the folder there in which names that are relative begin.
    """
    if not theirs:
        return different
    loop = asyncio.get_running_loop()
    here = loop.run_in_executor(None, lambda: {path: local_sum(ours[path]) for path in theirs})
    there = await _far_sums(host, wanted, base, list(theirs.values()))
    sums = {path for path, value in (await here).items() if there.get(theirs[path]) == value}
    return lambda new, old: new.size == old.size and new.path in sums


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


async def _far_sums(host: Host, wanted: Put | Get, base: str, names: list[str]) -> dict[str, str]:
    """Of files on the far side, by name.

    A file whose name holds a newline or a backslash is left out, and so is all where nothing there can tell sums.
    """
    plain = [name for name in names if "\n" not in name and "\\" not in name]
    async with far(host, wanted, partial(sum_script, base=base)) as (there, _):
        there.write("".join(f"{name}\0" for name in plain).encode("utf-8", "surrogateescape"))
        there.eof()
        data = bytearray()
        while piece := await there.read():
            data += piece
        await there.ended()
    found: dict[str, str] = {}
    for line in data.decode("utf-8", "surrogateescape").split("\n"):
        value, _, name = line.partition(" ")
        if len(value) == 64 and name[:1] in {" ", "*"}:
            found[name[1:]] = value
    return found
