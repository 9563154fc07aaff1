"""An SFTP session: what is there, what fails, and many small requests at once."""

from __future__ import annotations

import asyncio
import contextlib
import posixpath
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from elsewhere.fleet.files.far import lost
from elsewhere.fleet.files.here.local import kind_of
from elsewhere.fleet.files.outcome import TransferError
from elsewhere.fleet.link.channels import opened
from elsewhere.sansio.hosts.copies.tree import Entry, safe, staging

if TYPE_CHECKING:
    import asyncssh

    from elsewhere.fleet.host import Host

__all__ = ["Session", "all_of", "session"]

AT_ONCE = 32  # requests
ENDING = 6.0  # seconds for the far side to answer that it is over
T = TypeVar("T")


class Session:
    """See the module; `session` makes one.

    Attributes:
        sftp: asyncssh's client.
    """

    def __init__(self, host: Host, sftp: asyncssh.SFTPClient, cwd: str | None) -> None:
        self.host = host
        self._cwd = cwd
        self.sftp = sftp

    def path(self, path: str) -> str:
        """As the far side knows it: it begins in the home, and has no ``~``."""
        if self._cwd is not None and not path.startswith(("/", "~")):
            path = posixpath.join(self._cwd, path)
        if path == "~" or path.startswith("~/"):
            path = path[2:].lstrip("/")
        return path or "."

    @contextlib.contextmanager
    def at(self, path: str) -> Iterator[None]:
        """What is refused in the block is said with its path."""
        import asyncssh

        try:
            yield
        except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection):
            raise
        except asyncssh.SFTPError as error:
            raise TransferError(f"{self.host}: {path}: {error.reason or 'refused'}") from error

    async def look(self, path: str, name: str, *, follow: bool = False) -> Entry | None:
        """One thing that is there."""
        import asyncssh

        try:
            attributes = await (self.sftp.stat(path) if follow else self.sftp.lstat(path))
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath, asyncssh.SFTPNotADirectory):
            return None
        return await self._entry(attributes, path, name)

    async def _entry(self, attributes: asyncssh.SFTPAttrs, path: str, name: str) -> Entry:
        mode = attributes.permissions or 0
        kind = kind_of(mode)
        target = str(await self.sftp.readlink(path)) if kind == "link" else ""
        return Entry(name, kind, stat.S_IMODE(mode), attributes.size or 0, (attributes.mtime or 0) * 10**9, target)

    async def inside(self, folder: str, name: str, *, deep: bool) -> list[Entry]:
        """What is in a folder; each folder before what is in it."""
        found: list[Entry] = []
        begin = f"{name}/" if name else ""
        with self.at(folder):
            items = [item async for item in self.sftp.scandir(folder)]
        for item in items:
            base = str(item.filename)
            if base in {".", ".."} or (not name and staging(base) is not None):
                continue
            if not safe(base) or "/" in base:
                raise TransferError(f"{self.host}: the far side names a file that is none: {base!r:.200}")
            found.append(await self._entry(item.attrs, posixpath.join(folder, base), f"{begin}{base}"))
        if deep:
            for inner in await all_of(
                partial(self.inside, posixpath.join(folder, entry.path[len(begin) :]), entry.path, deep=True)
                for entry in list(found)
                if entry.kind == "folder"
            ):
                found += inner
        return sorted(found, key=lambda entry: entry.path)

    async def remove(self, path: str) -> None:
        """A file, a link, or a folder with all that is in it; a link is not followed."""
        entry = await self.look(path, "")
        if entry is None:
            return
        if entry.kind != "folder":
            with self.at(path):
                await self.sftp.remove(path)
            return
        if entry.mode & 0o700 != 0o700:
            with contextlib.suppress(Exception):  # what follows says why it cannot be
                await self.sftp.chmod(path, 0o700)
        await all_of(
            partial(self.remove, posixpath.join(path, inner.path)) for inner in await self.inside(path, "", deep=False)
        )
        with self.at(path):
            await self.sftp.rmdir(path)


async def all_of(work: Iterable[Callable[[], Awaitable[T]]]) -> list[T]:
    """Do all of it, so many at once; the first error ends the others."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(each: Callable[[], Awaitable[T]]) -> T:
        async with gate:
            return await each()

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(each)) for each in work]
    except BaseExceptionGroup as error:
        raise error.exceptions[0] from None
    return [task.result() for task in tasks]


@contextlib.asynccontextmanager
async def session(host: Host, cwd: str | None = None) -> AsyncIterator[Session]:
    """One on the host's connection.

    Args:
        host: where.
        cwd: the folder in which relative paths begin; the home by default.

    Raises:
        TransferError: there is no SFTP there, or it refuses something.
        ConnectionLost: the connection broke.
    """
    import asyncssh

    connection = await host.link.connection()
    async with host.link.session():
        try:
            start = partial(connection.start_sftp_client, path_encoding="utf-8", path_errors="surrogateescape")
            sftp = await opened(connection, start)
        except (OSError, asyncssh.Error) as error:
            if connection.is_closed():
                raise lost(host, error) from error
            raise TransferError(
                f"{host}: neither a shell with GNU find and tar nor SFTP is there: {getattr(error, 'reason', error)}"
            ) from error
        try:
            yield Session(host, sftp, cwd)
        except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection) as error:
            raise lost(host, error) from error
        except asyncssh.SFTPError as error:
            raise TransferError(f"{host}: {error.reason}") from error
        except asyncssh.Error as error:
            raise lost(host, error) from error
        finally:
            sftp.exit()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ENDING):
                    await sftp.wait_closed()
