"""One host's connection: made when it is first needed, made anew when it is gone.

Rule: everything here runs on the engine's loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import weakref
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from elsewhere.errors import ConnectError
from elsewhere.fleet.link.gates import Gates
from elsewhere.fleet.link.limits import make_room
from elsewhere.fleet.link.opening import Transient, open_connection
from elsewhere.fleet.link.watcher import Watcher
from elsewhere.fleet.naming.settings import Settings

if TYPE_CHECKING:
    import asyncssh

__all__ = ["Link", "Links"]

TRIES = 5  # connections that break before the login
PAUSE = 0.1  # seconds before the second try, doubled each time, and up to twice as long by chance
SESSIONS = 9  # commands and transfers at once: sshd's MaxSessions is 10, and the watcher is one
CLOSING = 2.0  # seconds for the far side to say goodbye


class Link:
    """See the module.

    Args:
        settings: how to get there.
        links: the others of this loop.

    Attributes:
        watcher: it sees to it that nothing is left running on the far side; of the connection that is up.
    """

    def __init__(self, settings: Settings, links: Links) -> None:
        self.settings = settings
        self.watcher: Watcher | None = None
        self.links = links
        self._connection: asyncssh.SSHClientConnection | None = None
        self._closed = 0  # times
        self._before: Link | None = None  # on the way there; it is closed when no link goes through it any more
        self._last: weakref.finalize[Any, Any] | None = None
        self._opening = asyncio.Lock()
        self._sessions = asyncio.Semaphore(SESSIONS)

    @property
    def up(self) -> bool:
        """Is there a connection?"""
        ours = self.links.pid == os.getpid()  # after a fork it is the parent's
        return ours and self._connection is not None and not self._connection.is_closed()

    async def connection(self) -> asyncssh.SSHClientConnection:
        """A connection that is up.

        Raises:
            ConnectError, ConnectTimeout, HostKeyError, Unauthorized: it cannot be had.
            ValueError: a file of keys or of known hosts cannot be read.
        """
        async with self._opening:
            if self._connection is None or self._connection.is_closed():
                self.watcher = None
                closed = self._closed
                connection = await self._open()
                if closed != self._closed:
                    connection.abort()
                    raise ConnectError(
                        f"{self.settings.name}: it was closed while it was being connected",
                        address=self.settings.address,
                        phase="connect",
                    )
                if self._last is not None:
                    self._last.detach()
                self._connection = connection
                self._last = weakref.finalize(self, _forgotten, asyncio.get_running_loop(), connection, os.getpid())
                self._last.atexit = False
            return self._connection

    async def watching(self) -> tuple[asyncssh.SSHClientConnection, Watcher]:
        """A connection, and its watcher, which may still be starting; raises as `connection` does."""
        connection = self._connection
        if connection is None or connection.is_closed():
            connection = await self.connection()
        if self.watcher is None or self.watcher.gone or self.watcher.connection is not connection:
            before, self.watcher = self.watcher, Watcher(connection, self.settings)
            if before is not None and before.connection is connection:
                for group in before.running:
                    self.watcher.runs(group)
        return connection, self.watcher

    async def watched(self) -> tuple[asyncssh.SSHClientConnection, Watcher]:
        """A connection, and its watcher, which watches.

        Raises:
            ConnectionLost: the connection broke, or there is no shell that does it.
            ConnectError, ...: as `connection` does.
        """
        connection, watcher = await self.watching()
        await asyncio.shield(watcher.ready)
        return connection, watcher

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[None]:
        """A turn for a channel: there are never more than sshd takes."""
        async with self._sessions:
            yield

    async def _open(self) -> asyncssh.SSHClientConnection:
        settings, loop, spent = self.settings, asyncio.get_running_loop(), 0.0
        for attempt in range(1, TRIES + 1):
            self._before = self.links.before(settings)
            tunnel = None if self._before is None else await self._before.connection()
            try:
                async with self.links.gates.address(settings.hostname, settings.port):
                    began = loop.time()
                    try:
                        return await open_connection(settings, self.links.gates, tunnel)
                    finally:
                        spent += loop.time() - began
            except Transient:
                if attempt == TRIES or spent > settings.connect_timeout:
                    raise
            await asyncio.sleep(PAUSE * 2 ** (attempt - 1) * (1 + random.random()))
        raise AssertionError

    async def close(self) -> None:
        """Give it back, with all that runs over it; the next verb connects again."""
        self._closed += 1
        if self._last is not None:
            self._last.detach()
        connection, self._connection = self._connection, None
        watcher, self.watcher = self.watcher, None
        if watcher is not None:
            await watcher.close()
        if connection is not None:
            connection.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSING):
                    await connection.wait_closed()
            connection.abort()
        self._before = None


def _forgotten(loop: asyncio.AbstractEventLoop, connection: asyncssh.SSHClientConnection, pid: int) -> None:
    """Nobody has its link any more, and nobody has closed it."""
    if pid == os.getpid():
        with contextlib.suppress(RuntimeError):  # the loop has ended, and all connections with it
            loop.call_soon_threadsafe(connection.close)


class Links:
    """Those of one loop: their gates, and the hosts that others are reached through."""

    def __init__(self) -> None:
        self.gates = Gates()
        self.pid = os.getpid()
        self._jumps: weakref.WeakValueDictionary[tuple[Settings, ...], Link] = weakref.WeakValueDictionary()
        self._all: weakref.WeakSet[Link] = weakref.WeakSet()
        self._closing: set[asyncio.Task[None]] = set()

    def link(self, settings: Settings) -> Link:
        """A new one."""
        found = Link(settings, self)
        self._all.add(found)
        make_room(len(self._all))
        return found

    def before(self, settings: Settings) -> Link | None:
        """The link of the last host on the way there, if there is any; those whose ways are the same share it."""
        way = settings.jumps
        if not way:
            return None
        found = self._jumps.get(way)
        if found is None:
            found = self._jumps[way] = Link(replace(way[-1], jumps=way[:-1]), self)
        return found

    def close_soon(self, link: Link) -> None:
        """Close one; nobody waits for it but who closes all."""
        task = asyncio.get_running_loop().create_task(link.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close all connections, and then those of hosts on ways, the last ones first."""
        closing = [*self._closing, *(link.close() for link in list(self._all))]
        await asyncio.gather(*closing, return_exceptions=True)
        for _, link in sorted(self._jumps.items(), key=lambda jump: len(jump[0]), reverse=True):
            await link.close()
