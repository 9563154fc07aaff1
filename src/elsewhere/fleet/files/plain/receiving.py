"""A get over SFTP alone."""

from __future__ import annotations

import asyncio
import os
import posixpath
import time
from functools import partial
from typing import TYPE_CHECKING

from elsewhere.fleet.files.bar import Bar
from elsewhere.fleet.files.checking import Same, local_sum
from elsewhere.fleet.files.here.local import look
from elsewhere.fleet.files.here.staging import Stage
from elsewhere.fleet.files.here.threads import in_thread
from elsewhere.fleet.files.outcome import Change, Transfer, TransferError, done
from elsewhere.fleet.files.plain.reading import contents, sums
from elsewhere.fleet.files.plain.session import Session, all_of, session
from elsewhere.fleet.files.wanted import Get
from elsewhere.sansio.hosts.copies.found import Found, Part, found
from elsewhere.sansio.hosts.copies.plan import Plan, doubtful, plan
from elsewhere.sansio.hosts.copies.tree import Entry

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host

__all__ = ["receive_plainly"]


async def receive_plainly(host: Host, wanted: Get, bar: Bar) -> Transfer:
    """Copy from one host; raises as `receive` does."""
    async with session(host, wanted.cwd(host)) as there:
        began = time.monotonic()
        if wanted.sink is not None:
            return await _pour(host, there, wanted, bar)
        parts: list[Part] = []
        for index, source in enumerate(wanted.sources):
            parts += await _parts(there, index, source)
        to_is_folder = await in_thread(os.path.isdir, wanted.to or ".")
        try:
            theirs = found(
                parts, wanted.sources, wanted.to, to_is_folder=to_is_folder, mode=wanted.mode, delete=wanted.delete
            )
            base = theirs.base or "."
            mirrored = theirs.roots if wanted.delete else ()
            here = await in_thread(look, base, theirs.entries.values(), mirrored)
            same = await _compared(there, base, theirs, here) if wanted.checksum else None
            todo = plan(theirs.entries.values(), here, mirrored=mirrored, same=same)
        except FileNotFoundError as error:
            raise FileNotFoundError(f"{host}: {error}") from None
        except ValueError as error:
            raise TransferError(f"{host}: {error}") from None
        whole = "" in theirs.entries and not await in_thread(os.path.lexists, base)
        if not (todo.nothing or wanted.dry_run):
            bar.expect(todo.size)
            await _fetch(there, theirs, todo, Stage(base, todo, whole=whole), bar)
        return done(host, todo, theirs.base, began, dry_run=wanted.dry_run)


async def _parts(there: Session, index: int, source: str) -> list[Part]:
    """What a source is, or what it matches."""
    slash = source.endswith("/") or posixpath.basename(source) in {".", ".."}
    path = there.path(source.rstrip("/") or "/")
    entry = await there.look(path, "", follow=slash)
    if entry is None and any(sign in path for sign in "*?["):
        matches = sorted(str(match) for match in await there.sftp.glob(path, error_handler=lambda _error: None))
        return [await _part(there, index, match, slash) for match in matches] or [Part("none", index, source, ())]
    return [await _part(there, index, path, slash)]


async def _part(there: Session, index: int, path: str, slash: bool) -> Part:
    entry = await there.look(path, "", follow=slash)
    if entry is None:
        return Part("none", index, path, ())
    if entry.kind != "folder":
        return Part("file", index, path, [entry._replace(path=posixpath.basename(path))])
    return Part("folder", index, path, [entry, *await there.inside(path, "", deep=True)])


async def _compared(there: Session, base: str, theirs: Found, here: dict[str, Entry]) -> Same:
    paths = doubtful(theirs.entries.values(), here)
    far = await sums(there, {path: theirs.names[path] for path in paths})
    equal = {path for path in paths if far[path] == await in_thread(local_sum, os.path.join(base, path))}
    return lambda new, old: new.size == old.size and new.path in equal


async def _fetch(there: Session, theirs: Found, todo: Plan, stage: Stage, bar: Bar) -> None:
    async def one(entry: Entry) -> None:
        fd = await in_thread(stage.opened, entry.path)
        try:
            async for data in contents(there, theirs.names[entry.path]):
                await in_thread(stage.write, fd, entry.path, data)
                bar.advance(len(data))
            stage.closed(fd, entry.mode, entry.mtime)
        finally:
            os.close(fd)

    try:
        await in_thread(stage.__enter__)
        await all_of(partial(one, entry) for entry in todo.send if entry.kind == "file")
        await in_thread(stage.place)
    finally:
        await asyncio.shield(in_thread(stage.__exit__, None, None, None))


async def _pour(host: Host, there: Session, wanted: Get, bar: Bar) -> Transfer:
    loop = asyncio.get_running_loop()
    began, size = time.monotonic(), 0
    source = wanted.sources[0]
    entry = await there.look(there.path(source), "", follow=True)
    if entry is None:
        raise FileNotFoundError(f"{host}: there is no {source}")
    if entry.kind == "folder":
        raise TransferError(f"{host}: {source} is a folder")
    if wanted.dry_run:
        size = entry.size
    else:
        async for data in contents(there, there.path(source)):
            size += len(data)
            bar.advance(len(data))
            await loop.run_in_executor(None, wanted.sink.write, data)
    change = Change("send", source)
    return Transfer(host, 1, bytes=size, seconds=time.monotonic() - began, changes=(change,), dry_run=wanted.dry_run)
