"""The streams of asyncio, with bounds for their waits and our errors for their failures."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, NoReturn

from elsewhere.errors import SocketTimeout
from elsewhere.transport.trouble import lost

__all__ = ["LIMIT", "Protocol", "Reader", "Writer"]

LIMIT = 65536  # bytes that `readuntil` and `readline` look through, and half of what is read ahead


class Reader(asyncio.StreamReader):
    """A `StreamReader` each of whose waits ends: with data, at the end of the file, or with a `SocketTimeout`.

    Args:
        name: the far side, for errors.
        timeout: seconds for each wait; None for no bound.
    """

    def __init__(self, name: str, timeout: float | None, limit: int = LIMIT) -> None:
        super().__init__(limit, asyncio.get_running_loop())
        self.name = name
        self._seconds = timeout
        self._came = self._taken = 0  # bytes
        self._mark = -1  # what had come when the wait that lasts began; -1: nobody waits
        self._stopped = self._cut = False

    @property
    def unread(self) -> int:
        """Bytes that have come and were not asked for."""
        return self._came - self._taken

    def feed_data(self, data: Any) -> None:
        if not self._cut:  # what comes after an end that `stop` has made is nobody's
            self._came += len(data)
            super().feed_data(data)

    def stop(self) -> None:
        """End the file for a handler that is between two messages, now or later."""
        self._stopped = True
        if self._mark == self._came == self._taken:
            self._end()

    def _end(self) -> None:
        self._cut = True
        self.feed_eof()

    async def read(self, n: int = -1) -> bytes:
        if n < 0:  # asyncio reads block after block, with this method
            return await super().read(n)
        return await self._bounded(super().read(n))

    async def readexactly(self, n: int) -> bytes:
        return await self._bounded(super().readexactly(n))

    async def readuntil(self, separator: Any = b"\n") -> bytes:
        return await self._bounded(super().readuntil(separator))

    async def _bounded(self, reading: Awaitable[bytes]) -> bytes:
        if self._stopped and not self.unread and not self._cut:
            self._end()
        self._mark = self._came
        bound = asyncio.timeout(self._seconds)
        try:
            async with bound:
                data = await reading
        except asyncio.IncompleteReadError as error:
            self._taken += len(error.partial)
            raise
        except OSError as error:
            _raise(error, bound, self.name, "recv", self._seconds)
        finally:
            self._mark = -1
        self._taken += len(data)
        return data


class Writer(asyncio.StreamWriter):
    """A `StreamWriter` whose `drain` ends, with a `SocketTimeout` where the far side does not read."""

    def __init__(self, transport: Any, protocol: Any, reader: Reader, timeout: float | None) -> None:
        super().__init__(transport, protocol, reader, asyncio.get_running_loop())
        self._name, self._seconds = reader.name, timeout

    async def drain(self) -> None:
        bound = asyncio.timeout(self._seconds)
        try:
            async with bound:
                await super().drain()
        except OSError as error:
            _raise(error, bound, self._name, "send", self._seconds)


class Protocol(asyncio.StreamReaderProtocol):
    """Between the transport and a `Reader`."""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader, loop=asyncio.get_running_loop())
        self._keeps = reader  # asyncio's own reference is a weak one
        self.ended = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.ended.set()


def _raise(error: OSError, bound: asyncio.Timeout, name: str, phase: str, seconds: float | None) -> NoReturn:
    if isinstance(error, TimeoutError) and bound.expired():
        what = "what is waited for has not come" if phase == "recv" else "the far side has not read what was sent"
        raise SocketTimeout(f"{name}: {what} within {seconds:g} s", address=name, phase=phase) from None
    raise lost(error, name, phase) from error
