"""Files from one host: what is there is asked, what differs comes as one stream, and is put into its place at once."""

from __future__ import annotations

import asyncio
import os
import time
from functools import partial
from typing import TYPE_CHECKING

from elsewhere.errors import ProtocolError
from elsewhere.fleet.files.bar import Bar
from elsewhere.fleet.files.channel import Channel
from elsewhere.fleet.files.checking import Same, compared
from elsewhere.fleet.files.far import Bare, far, listing, needs
from elsewhere.fleet.files.here.local import look
from elsewhere.fleet.files.here.staging import Stage
from elsewhere.fleet.files.here.threads import given_up, in_thread
from elsewhere.fleet.files.here.unpacking import Unpacking
from elsewhere.fleet.files.outcome import Change, Transfer, TransferError, done, within
from elsewhere.fleet.files.plain.receiving import receive_plainly
from elsewhere.fleet.files.wanted import Get
from elsewhere.sansio.hosts.copies.found import Found, found, heard
from elsewhere.sansio.hosts.copies.plan import Plan, doubtful, plan
from elsewhere.sansio.hosts.copies.tree import Entry
from elsewhere.sansio.hosts.copies.words import LEFT, NOT_THERE, cat_script, get_script

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host

__all__ = ["receive"]

_GROWS = b"file changed as we read it"  # GNU tar's, of a log that is written meanwhile: its size is the old one


async def receive(host: Host, wanted: Get, bar: Bar | None = None) -> Transfer:
    """Copy from one host.

    Args:
        host: from which.
        wanted: what, and where to.
        bar: is told how far it is.

    Raises:
        FileNotFoundError: sources are not there; names all of them.
        TransferError: the far side cannot give it; nothing half-written is seen.
        CallTimeout: it took too long.
        ConnectError, Unauthorized, ConnectionLost: there is no way there, or not any more.
        ProtocolError: the far side does not speak as it should, or names files outside of what was asked for.
        OSError: it cannot be written here.
    """
    work = _receive if wanted.sink is None else _pour
    async with within(host, wanted.timeout, f"of {', '.join(wanted.sources)}", "here"):
        try:
            return await work(host, wanted, bar or Bar())
        except Bare as why:
            if wanted.sudo:
                raise needs(host, why) from None
            return await receive_plainly(host, wanted, bar or Bar())


async def _receive(host: Host, wanted: Get, bar: Bar) -> Transfer:
    async with far(host, wanted, partial(get_script, sources=wanted.sources)) as (there, nonce):
        began = time.monotonic()
        data = await listing(there, nonce)
        to_is_folder = await in_thread(os.path.isdir, wanted.to or ".")
        theirs = _found(host, data, nonce, wanted, to_is_folder)
        base = theirs.base or "."
        here = await in_thread(look, base, theirs.entries.values(), theirs.roots if wanted.delete else ())
        same = None
        if wanted.checksum:
            names = {path: theirs.names[path] for path in doubtful(theirs.entries.values(), here)}
            same = await compared(there, nonce, {path: os.path.join(base, path) for path in names}, names)
        todo = _compare(host, wanted, theirs, here, same)
        whole = "" in theirs.entries and not await in_thread(os.path.lexists, base)
        if todo.nothing or wanted.dry_run:
            there.eof()
        else:
            bar.expect(todo.size)
            await _stream(there, theirs, todo, Stage(base, todo, whole=whole), bar)
        status = await there.ended()
        if status not in {0, LEFT} and not (status == 1 and there.only(_GROWS)):
            raise there.failed("what was asked for could not be read")
    return done(host, todo, theirs.base, began, dry_run=wanted.dry_run)


def _found(host: Host, data: bytes, nonce: str, wanted: Get, to_is_folder: bool) -> Found:
    try:
        return found(
            heard(data, nonce, wanted.sources),
            wanted.sources,
            wanted.to,
            to_is_folder=to_is_folder,
            mode=wanted.mode,
            delete=wanted.delete,
        )
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{host}: {error}") from None
    except ProtocolError as error:
        raise ProtocolError(f"{host}: {error}") from None
    except ValueError as error:
        raise TransferError(f"{host}: {error}") from None


def _compare(host: Host, wanted: Get, theirs: Found, here: dict[str, Entry], same: Same | None) -> Plan:
    try:
        return plan(theirs.entries.values(), here, mirrored=theirs.roots if wanted.delete else (), same=same)
    except ValueError as error:
        raise TransferError(f"{host}: in {theirs.base or 'this folder'}: {error}") from None


async def _stream(there: Channel, theirs: Found, todo: Plan, stage: Stage, bar: Bar) -> None:
    files = {theirs.names[entry.path]: entry for entry in todo.send if entry.kind == "file"}
    unpacking = Unpacking(stage, files)
    try:
        await in_thread(stage.__enter__)
        if files:
            await _receive_files(there, files, unpacking, bar)
        else:
            there.eof()
        await in_thread(stage.place)
    finally:
        unpacking.close()
        await asyncio.shield(in_thread(stage.__exit__, None, None, None))


async def _receive_files(there: Channel, files: dict[str, Entry], unpacking: Unpacking, bar: Bar) -> None:
    """Ask for them, and write what comes: the next piece is on its way while this one is written."""
    names = "".join(f"{name}\0" for name in files).encode("utf-8", "surrogateescape")
    there.go(b"go\n" + names)
    there.eof()
    writing: asyncio.Future[int] | None = None
    try:
        while piece := await there.read():
            if writing is not None:
                bar.advance(await writing)
            writing = asyncio.ensure_future(in_thread(unpacking.feed, piece))
        if writing is not None:
            bar.advance(await writing)
    finally:
        if writing is not None:
            await given_up(writing)
    if unpacking.left or not unpacking.ended:
        await there.ended()
        raise there.failed("what was asked for could not be read")


async def _pour(host: Host, wanted: Get, bar: Bar) -> Transfer:
    """One file into a file-like object."""
    loop = asyncio.get_running_loop()
    size = 0
    async with far(host, wanted, partial(cat_script, source=wanted.sources[0], size=wanted.dry_run)) as (there, _):
        began = time.monotonic()
        there.eof()
        while piece := await there.read():
            if wanted.dry_run:
                size = int(piece)
                continue
            size += len(piece)
            bar.advance(len(piece))
            await loop.run_in_executor(None, wanted.sink.write, piece)
        status = await there.ended()
        if status == NOT_THERE:
            raise FileNotFoundError(f"{host}: there is no {wanted.sources[0]}")
        if status:
            raise there.failed(f"{wanted.sources[0]} could not be read")
    change = Change("send", wanted.sources[0])
    return Transfer(host, 1, bytes=size, seconds=time.monotonic() - began, changes=(change,), dry_run=wanted.dry_run)
