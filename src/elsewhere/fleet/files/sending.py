"""Files to one host: what is there is asked, what differs is sent as one stream, and put into its place at once."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from elsewhere.fleet.files.bar import Bar
from elsewhere.fleet.files.channel import Channel
from elsewhere.fleet.files.checking import Same, compared, different
from elsewhere.fleet.files.far import Bare, far, listing, needs
from elsewhere.fleet.files.here.stream import pieces
from elsewhere.fleet.files.here.threads import given_up, in_thread
from elsewhere.fleet.files.outcome import Transfer, TransferError, done, within
from elsewhere.fleet.files.plain.sending import send_plainly
from elsewhere.fleet.files.wanted import Collected, Payload, Put, with_old_modes
from elsewhere.sansio.hosts.copies.listing import entries, sections
from elsewhere.sansio.hosts.copies.plan import Plan, doubtful, plan
from elsewhere.sansio.hosts.copies.tree import Entry
from elsewhere.sansio.hosts.copies.words import LAST, LEFT, STAGED, place_script, put_script, tight, tops

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host

__all__ = ["send"]


class _There(NamedTuple):
    """What was said of the far side."""

    state: str
    base: str
    entries: dict[str, Entry]  # what is to be there; a lone file may have another name
    payloads: dict[str, Payload]
    found: dict[str, Entry]


async def send(host: Host, wanted: Put, bar: Bar | None = None) -> Transfer:
    """Copy to one host.

    Args:
        host: to which.
        wanted: what, and where to.
        bar: is told how far it is.

    Raises:
        TransferError: the far side cannot take it; nothing half-written is seen.
        CallTimeout: it took too long.
        ConnectError, Unauthorized, ConnectionLost: there is no way there, or not any more.
        OSError: a source cannot be read.
    """
    async with within(host, wanted.timeout, f"to {wanted.to!r}", "there"):
        collected = await asyncio.get_running_loop().run_in_executor(None, wanted.collect)
        try:
            return await _send(host, wanted, collected, bar or Bar())
        except Bare as why:
            if wanted.sudo:
                raise needs(host, why) from None
            return await send_plainly(host, wanted, collected, bar or Bar())


async def _send(host: Host, wanted: Put, collected: Collected, bar: Bar) -> Transfer:
    async with far(host, wanted, partial(_script, collected=collected, delete=wanted.delete)) as (there, nonce):
        began = time.monotonic()
        seen = _understood(host, await listing(there, nonce), nonce, collected)
        same: Same | None = None if wanted.data is None else different  # bytes have no time
        if wanted.checksum:
            theirs = {path: f"./{path}" for path in doubtful(seen.entries.values(), seen.found)}
            same = await compared(there, nonce, seen.payloads, theirs)
        mirrored = collected.roots if wanted.delete else ()
        try:
            todo = plan(seen.entries.values(), seen.found, mirrored=mirrored, same=same)
        except ValueError as error:
            raise TransferError(f"{host}: in {seen.base or 'the home'}: {error}") from None
        idle = todo.nothing or wanted.dry_run
        if idle:
            there.eof()
        else:
            bar.expect(todo.size)
            await _stream(there, seen, todo, bar)
        if await there.ended() != (LEFT if idle else 0):
            raise there.failed(f"the copy to {wanted.to!r} could not be made")
    return done(host, todo, seen.base, began, dry_run=wanted.dry_run)


def _script(nonce: str, *, collected: Collected, delete: bool) -> str:
    lone = None
    folders: list[str] = []
    files: list[str] = []
    roots = list(collected.roots) if delete else []
    if collected.lone is not None:
        to, inner = collected.lone
        lone = (to, inner, next(iter(collected.entries)))
    else:
        known = set(roots)
        for path, entry in collected.entries.items():
            top = path.partition("/")[0]
            if {"", top} & known:
                continue
            if entry.kind == "folder":
                folders.append(path)
            elif "/" not in path:
                files.append(path)
        if "" in folders:
            files = []
    above = collected.base.rstrip("/").rpartition("/")[0] or ("/" if collected.base.startswith("/") else "")
    return put_script(nonce, collected.base, lone=lone, roots=roots, folders=folders, files=files, above=above)


def _understood(host: Host, data: bytes, nonce: str, collected: Collected) -> _There:
    first = sections(data, nonce)[0]
    state, which = first.words[:2]
    base, found = collected.base, collected.entries
    payloads = collected.payloads
    if which == "in" and collected.lone is not None:
        base, name = collected.lone
        if not name:
            raise TransferError(f"{host}: {base} is a folder, and what has no name needs the name of a file to become")
        old = next(iter(found))
        found = {name: found[old]._replace(path=name)}
        payloads = {name: payloads[old]}
    there = {entry.path: entry for entry in entries(first.data)} if state == "here" else {}
    if not collected.moded:
        found = with_old_modes(found, there)
    if state == "closed":
        raise TransferError(f"{host}: {base} may not be entered")
    if state == "file":
        raise TransferError(f"{host}: {base} is not a folder, and the copy goes into it")
    return _There(state, base, found, payloads, there)


async def _stream(there: Channel, seen: _There, todo: Plan, bar: Bar) -> None:
    whole = None
    if seen.state == "absent" and "" in seen.entries:
        whole = seen.base.rstrip("/").rpartition("/")[2]
    begin = "whole" if whole else "make" if seen.state == "absent" else "in"
    last = (LAST, place_script(todo, whole=whole).encode("utf-8", "surrogateescape"))
    produce = pieces(_archive(todo, seen), last)
    left = todo.size
    with contextlib.suppress(BrokenPipeError):  # it has ended, and says why
        there.go(f"{begin}\n".encode())
        coming = asyncio.ensure_future(in_thread(next, produce, None))
        try:
            while (piece := await coming) is not None:
                coming = asyncio.ensure_future(in_thread(next, produce, None))  # read while this one is on its way
                there.write(piece)
                await there.drain()
                step = min(left, len(piece))
                left -= step
                bar.advance(step)
        finally:
            await given_up(coming)
            produce.close()
        there.eof()
    bar.advance(left)


def _archive(todo: Plan, seen: _There) -> Iterator[tuple[str, Entry, Payload]]:
    """Each folder with all that is in it behind it: tar gives it its mode and time when another thing comes."""
    movable = {entry.path for entry in tops(todo) if entry.kind == "folder" and tight(entry)}
    wanted = {entry.path for entry in todo.folders + todo.send}
    for path, entry in seen.entries.items():
        if path in wanted:
            name = f"{STAGED}/{path}" if path else STAGED
            if path in movable:
                entry = entry._replace(mode=entry.mode | 0o700)
            yield name, entry, seen.payloads.get(path, b"")
