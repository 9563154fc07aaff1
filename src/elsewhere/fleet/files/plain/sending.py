"""A put over SFTP alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import posixpath
import secrets
import time
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from elsewhere.fleet.files.bar import Bar
from elsewhere.fleet.files.checking import Same, different, local_sum
from elsewhere.fleet.files.here.threads import in_thread
from elsewhere.fleet.files.outcome import Transfer, TransferError, done
from elsewhere.fleet.files.plain.reading import sums
from elsewhere.fleet.files.plain.session import Session, all_of, session
from elsewhere.fleet.files.wanted import Collected, Put, with_old_modes
from elsewhere.sansio.hosts.copies.plan import Plan, doubtful, plan
from elsewhere.sansio.hosts.copies.tree import Entry, ancestors
from elsewhere.sansio.hosts.copies.words import STAGED, tight, tops

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host

__all__ = ["send_plainly"]

PIECE = 1 << 20  # bytes
ENDING = 6.0  # seconds for what is left there to be removed


async def send_plainly(host: Host, wanted: Put, collected: Collected, bar: Bar) -> Transfer:
    """Copy to one host; raises as `send` does."""
    async with session(host, wanted.cwd(host)) as there:
        began = time.monotonic()
        collected = await _renamed(there, collected)
        base = there.path(collected.base)
        old = await there.look(base, "", follow=True)
        if old is not None and old.kind != "folder":
            raise TransferError(f"{host}: {collected.base} is not a folder, and the copy goes into it")
        found = {"": old} | await _listed(there, base, collected, wanted.delete) if old is not None else {}
        if not collected.moded:
            collected = collected._replace(entries=with_old_modes(collected.entries, found))
        same: Same | None = None if wanted.data is None else different
        if wanted.checksum:
            same = await _compared(there, base, collected, found)
        try:
            mirrored = collected.roots if wanted.delete else ()
            todo = plan(collected.entries.values(), found, mirrored=mirrored, same=same)
        except ValueError as error:
            raise TransferError(f"{host}: in {collected.base or 'the home'}: {error}") from None
        if not (todo.nothing or wanted.dry_run):
            bar.expect(todo.size)
            await _Sending(there, base, todo, collected, bar, whole=old is None and "" in collected.entries).run()
        return done(host, todo, collected.base, began, dry_run=wanted.dry_run)


async def _renamed(there: Session, collected: Collected) -> Collected:
    """A lone file gets another name if its place is a folder."""
    if collected.lone is None:
        return collected
    to, name = collected.lone
    found = await there.look(there.path(to), "", follow=True)
    if found is None or found.kind != "folder":
        return collected
    if not name:
        raise TransferError(f"{there.host}: {to} is a folder, and what has no name needs the name of a file to become")
    ((old, entry),) = collected.entries.items()
    return collected._replace(
        base=to, entries={name: entry._replace(path=name)}, payloads={name: collected.payloads[old]}, lone=None
    )


async def _listed(there: Session, base: str, collected: Collected, delete: bool) -> dict[str, Entry]:
    """What is there of what the copy concerns; what is in a link is not asked for."""
    found: dict[str, Entry] = {}
    for path in collected.entries:
        if path and "/" not in path and (old := await there.look(posixpath.join(base, path), path)) is not None:
            found[path] = old
    levels: dict[int, list[str]] = {}
    for path, entry in collected.entries.items():
        if entry.kind == "folder" and (not delete or path in collected.roots):
            levels.setdefault(path.count("/") + bool(path), []).append(path)
    for depth in sorted(levels):
        folders = [path for path in levels[depth] if not path or (path in found and found[path].kind == "folder")]
        for inner in await all_of(
            partial(there.inside, posixpath.join(base, path), path, deep=delete) for path in folders
        ):
            found |= {entry.path: entry for entry in inner}
    return found


async def _compared(there: Session, base: str, collected: Collected, found: dict[str, Entry]) -> Same:
    paths = doubtful(collected.entries.values(), found)
    theirs = await sums(there, {path: posixpath.join(base, path) for path in paths})
    equal = {path for path in paths if theirs[path] == await in_thread(local_sum, collected.payloads[path])}
    return lambda new, old: new.size == old.size and new.path in equal


class _Sending:
    """What is to be done, done."""

    def __init__(self, there: Session, base: str, todo: Plan, collected: Collected, bar: Bar, *, whole: bool) -> None:
        self._there, self._sftp = there, there.sftp
        self._base, self._todo, self._bar, self._whole = base, todo, bar, whole
        self._payloads = collected.payloads
        where = posixpath.dirname(base.rstrip("/")) if whole else base
        self._where = where or "."
        self._folder = posixpath.join(self._where, f".elsewhere-0-{secrets.token_hex(8)}")
        self._root = posixpath.join(self._folder, STAGED)

    async def run(self) -> None:
        with self._there.at(self._where):
            await self._sftp.makedirs(self._where, exist_ok=True)
        try:
            await self._make(self._folder)
            await self._make(self._root)
            await self._fill()
            await self._place()
        finally:
            with contextlib.suppress(Exception):  # the connection is gone: what is left there nobody sees as a copy
                async with asyncio.timeout(ENDING):
                    await asyncio.shield(self._there.remove(self._folder))

    async def _make(self, path: str) -> None:
        import asyncssh

        with self._there.at(path):
            await self._sftp.mkdir(path, asyncssh.SFTPAttrs(permissions=0o700))

    async def _move(self, entry: Entry) -> None:
        with self._there.at(self._to(entry.path)):
            await self._sftp.posix_rename(self._at(entry.path), self._to(entry.path))

    def _at(self, path: str) -> str:
        return posixpath.join(self._root, path) if path else self._root

    def _to(self, path: str) -> str:
        return posixpath.join(self._base, path) if path else self._base

    async def _fill(self) -> None:
        todo = self._todo
        needed = {entry.path for entry in todo.folders}
        for entry in todo.folders + todo.send:
            needed.update(ancestors(entry.path))
        for path in sorted(needed - {""}):
            await self._make(self._at(path))
        await all_of(partial(self._one, entry) for entry in todo.send)

    async def _one(self, entry: Entry) -> None:
        with self._there.at(self._to(entry.path)):
            if entry.kind == "link":
                await self._sftp.symlink(entry.target, self._at(entry.path))
                return
            payload = self._payloads[entry.path]
            if not isinstance(payload, str):
                await self._write(entry, payload)
                return
            fd = os.open(payload, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
            try:
                await self._write(entry, fd)
            finally:
                os.close(fd)

    async def _write(self, entry: Entry, payload: bytes | int) -> None:
        import asyncssh

        async with self._sftp.open(self._at(entry.path), "xb") as file:
            at = 0
            while data := await in_thread(_piece, payload, at):
                await file.write(data)
                at += len(data)
                self._bar.advance(len(data))
            times = {"atime": entry.mtime // 10**9, "mtime": entry.mtime // 10**9}
            await file.setstat(asyncssh.SFTPAttrs(permissions=entry.mode, **times))

    async def _place(self) -> None:
        import asyncssh

        todo = self._todo
        moved = tops(todo)
        late = {entry.path for entry in moved if entry.kind == "folder" and tight(entry)}
        for entry in reversed(todo.folders):
            mode = entry.mode | (0o700 if entry.path in late else 0)
            times = {"atime": entry.mtime // 10**9, "mtime": entry.mtime // 10**9}
            await self._sftp.setstat(self._at(entry.path), asyncssh.SFTPAttrs(permissions=mode, **times))
        if self._whole:
            if await self._there.look(self._base, "") is not None:
                raise TransferError(f"{self._there.host}: {self._base}: somebody else has made it meanwhile")
            await self._sftp.rename(self._root, self._base)
        else:
            for path in todo.clear:
                await self._there.remove(self._to(path))
            await all_of(partial(self._move, entry) for entry in moved)
        for entry in _moded(todo, late):
            await self._sftp.chmod(self._to(entry.path), entry.mode)
        for path in todo.delete:
            await self._there.remove(self._to(path))


def _moded(todo: Plan, late: set[str]) -> Iterable[Entry]:
    return todo.modes + [entry for entry in todo.folders if entry.path in late]


def _piece(payload: bytes | int, at: int) -> bytes:
    if isinstance(payload, bytes):
        return payload[at : at + PIECE]
    return os.pread(payload, PIECE, at)
