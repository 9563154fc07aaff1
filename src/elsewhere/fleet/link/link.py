"""One host's connection: made when it is first needed, made anew when it is gone.

Rule: everything here runs on the engine's loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import weakref
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

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
        self._opening = asyncio.Lock()
        self._sessions = asyncio.Semaphore(SESSIONS)

    @property
    def up(self) -> bool:
        """Is there a connection?"""
        return self._connection is not None and not self._connection.is_closed()

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
                self._connection = connection
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
            tunnel = await self.links.tunnel(settings)
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


class Links:
    """Those of one loop: their gates, and the hosts that others are reached through."""

    def __init__(self) -> None:
        self.gates = Gates()
        self._jumps: dict[tuple[Settings, ...], Link] = {}
        self._all: weakref.WeakSet[Link] = weakref.WeakSet()

    def link(self, settings: Settings) -> Link:
        """A new one."""
        found = Link(settings, self)
        self._all.add(found)
        make_room(len(self._all))
        return found

    async def tunnel(self, settings: Settings) -> asyncssh.SSHClientConnection | None:
        """The connection of the last host on the way there, if there is any; hosts on ways are shared."""
        found: asyncssh.SSHClientConnection | None = None
        way: tuple[Settings, ...] = ()
        for jump in settings.jumps:
            way += (jump,)
            link = self._jumps.get(way)
            if link is None:
                before = settings.jumps[: len(way) - 1]
                link = self._jumps[way] = Link(_through(jump, before), self)
            found = await link.connection()
        return found

    async def close(self) -> None:
        """Close all connections, and then those of hosts on ways, the last ones first."""
        await asyncio.gather(*(link.close() for link in list(self._all)), return_exceptions=True)
        jumps, self._jumps = self._jumps, {}
        for way in sorted(jumps, key=len, reverse=True):
            await jumps[way].close()


def _through(jump: Settings, before: tuple[Settings, ...]) -> Settings:
    from dataclasses import replace

    return replace(jump, jumps=before)
