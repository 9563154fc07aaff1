"""Connections that are carried over a host's: from a port here to one there, and from there to here.

Rule: what is open when it ends is broken off, so that nothing is left of it on either side.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Any, Protocol

from elsewhere.errors import ConnectError, ElsewhereError
from elsewhere.fleet.link.dialing import dial
from elsewhere.fleet.tunnels.listening import listen

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host

__all__ = ["FromHere", "FromThere", "Way"]

PIECE = 64 << 10  # bytes
PATIENCE = 30.0  # seconds for the far side to say whether it listens
CLOSING = 2.0  # ... and that it does no more
Place = int | str  # a port, or the path of a socket


class Way(Protocol):
    """One of the two.

    Attributes:
        where: the port or the path that listens, once it does.
        error: why the last connection that came could not be carried on, or None.
    """

    where: Place
    error: Exception | None

    async def open(self) -> None:
        """Listen."""

    async def close(self) -> None:
        """Listen no more, and break off what is open."""


class _Carrying:
    """Connections under way."""

    def __init__(self, host: Host) -> None:
        self.error: Exception | None = None
        self._host = host
        self._under_way: set[asyncio.Task[None]] = set()

    def _carry(self, reader: Any, writer: Any) -> None:
        task = asyncio.get_running_loop().create_task(self._carried(reader, writer))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _carried(self, reader: Any, writer: Any) -> None:
        import asyncssh

        other: Any = None
        try:
            further, other = await self._further()
            async with asyncio.TaskGroup() as both:
                both.create_task(_copy(reader, other))
                both.create_task(_copy(further, writer))
        except asyncio.CancelledError:
            for each in (writer, other):  # what its reader has not taken yet is of no use to anybody
                if each is not None:
                    getattr(each, "channel" if hasattr(each, "channel") else "transport").abort()
            raise
        except (OSError, asyncssh.Error, ElsewhereError, ValueError) as error:
            self.error = error
        except ExceptionGroup as group:  # one of the two was broken off: so is the other
            self.error = group.exceptions[0]
        finally:
            for each in (writer, other):
                if each is not None:
                    each.close()

    async def _further(self) -> tuple[Any, Any]:
        """Reader and writer of the connection that carries it on."""
        raise NotImplementedError

    async def _break_off(self) -> None:
        for task in self._under_way:
            task.cancel()
        if self._under_way:
            await asyncio.wait(self._under_way)


async def _copy(reader: Any, writer: Any) -> None:
    """All that comes, and its end."""
    while data := await reader.read(PIECE):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


class FromHere(_Carrying):
    """A port here stands for one there; a connection that broke meanwhile is made anew when the next one comes.

    Args:
        host: the host.
        here: where to listen: a name of this machine, and a port or a path.
        there: where to, as the host sees it.
    """

    def __init__(self, host: Host, here: tuple[str, Place], there: tuple[str, Place]) -> None:
        super().__init__(host)
        self.where = here[1]
        self._here = here
        self._there = there
        self._servers: list[asyncio.Server] = []

    async def open(self) -> None:
        """Listen.

        Raises:
            OSError: it cannot.
            ConnectError, ...: the host is not reached, as `Link.connection` tells it.
        """
        await self._host.link.connection()
        sockets = listen(*self._here)
        try:
            for sock in sockets:
                if isinstance(self._here[1], str):
                    self._servers.append(await asyncio.start_unix_server(self._carry, sock=sock))
                else:
                    self._servers.append(await asyncio.start_server(self._carry, sock=sock))
                    self.where = sock.getsockname()[1]
        except BaseException:
            await self.close()
            for sock in sockets:
                sock.close()
            raise

    async def _further(self) -> tuple[Any, Any]:
        connection = await self._host.link.connection()
        name, place = self._there
        if isinstance(place, str):
            return await connection.open_unix_connection(place)
        return await connection.open_connection(name, place)

    async def close(self) -> None:
        """Listen no more, and break off what is open."""
        servers, self._servers = self._servers, []
        for server in servers:
            server.close()
        if servers and isinstance(self._here[1], str):
            with contextlib.suppress(OSError):
                os.unlink(self._here[1])
        await self._break_off()


class FromThere(_Carrying):
    """A port there stands for one here, as long as the connection to the host lives.

    Args:
        host: the host.
        there: where the host is to listen: a name of its own, and a port or a path.
        here: where to, as this machine sees it.
    """

    def __init__(self, host: Host, there: tuple[str, Place], here: tuple[str, Place]) -> None:
        super().__init__(host)
        self.where = there[1]
        self._there = there
        self._here = here
        self._listener: Any = None

    async def open(self) -> None:
        """Have it listen.

        Raises:
            ConnectError: it does not, or is not reached, as `Link.connection` tells it.
        """
        import asyncssh

        connection = await self._host.link.connection()
        name, place = self._there
        try:
            async with asyncio.timeout(PATIENCE):
                if isinstance(place, str):
                    self._listener = await connection.start_unix_server(lambda: self._carry, place)
                else:
                    self._listener = await connection.start_server(lambda *_: self._carry, name, place)
                    self.where = self._listener.get_port()
        except (asyncssh.Error, asyncssh.ChannelListenError, OSError) as error:
            settings = self._host.settings
            at = place if isinstance(place, str) else f"port {place} of {name}"
            reason = "it is taken there, or its sshd does not allow it"
            if isinstance(error, TimeoutError):
                reason = f"it has not answered for {PATIENCE:g} s"
            elif not isinstance(error, asyncssh.ChannelListenError):
                reason = str(error)
            text = f"{self._host}: nothing can listen at {at}: {reason}"
            raise ConnectError(text, address=settings.address, phase="forward") from error

    async def _further(self) -> tuple[Any, Any]:
        name, place = self._here
        if isinstance(place, str):
            return await asyncio.open_unix_connection(place)
        return await asyncio.open_connection(sock=await dial(name, place, PATIENCE))

    async def close(self) -> None:
        """Have it listen no more, and break off what is open."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSING):
                    await listener.wait_closed()
        await self._break_off()
