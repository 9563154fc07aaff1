"""A script of ours under sudo, driven as `far` drives one without."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from elsewhere.fleet.commands.command import Command
from elsewhere.fleet.commands.sudo import Sudo
from elsewhere.fleet.commands.sudo import run as run_under_sudo
from elsewhere.fleet.files.channel import Channel
from elsewhere.fleet.results import Result

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host
    from elsewhere.fleet.naming.password import Password

__all__ = ["Raised"]

AHEAD = 4  # pieces each way that nobody has taken yet


class Raised(Channel):
    """See the module.

    Args:
        host: where it runs.
        script: of plain sh.
        user: as whom; None for root.
        password: for sudo, if it asks.
    """

    def __init__(self, host: Host, script: str, user: str | None, password: Password) -> None:
        super().__init__(host)
        self._given: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._taken = asyncio.Event()
        self._came: asyncio.Queue[bytes] = asyncio.Queue(AHEAD)
        asked = Sudo(command=Command(command=script, check=False, input=b""), password=password, user=user)
        self._work = asyncio.create_task(run_under_sudo(host, asked, self._output, source=self._input(), keep=False))

    async def _output(self, name: str, data: bytes) -> None:
        if name == "stderr":
            self._complains(data)
        else:
            await self._came.put(data)

    async def _input(self) -> AsyncIterator[bytes]:
        while (piece := await self._given.get()) is not None:
            yield piece
            self._taken.set()

    def write(self, data: bytes) -> None:
        self._given.put_nowait(data)

    async def drain(self) -> None:
        while self._given.qsize() > AHEAD:
            if self._work.done():
                raise BrokenPipeError
            self._taken.clear()
            await self._first(self._taken.wait())

    def eof(self) -> None:
        self._given.put_nowait(None)

    async def read(self) -> bytes:
        if self._came.empty() and not self._work.done():
            return await self._first(self._came.get()) or await self.read()
        if not self._came.empty():
            return self._came.get_nowait()
        self._work.result()
        return b""

    async def _first(self, wanted: object) -> bytes:
        """Wait for something, or for the end of all; b"" for that."""
        waiting = asyncio.ensure_future(wanted)  # type: ignore[call-overload]  # one of the two coroutines above
        try:
            await asyncio.wait([waiting, self._work], return_when=asyncio.FIRST_COMPLETED)
            found = waiting.result() if waiting.done() else b""
        finally:
            waiting.cancel()
        return found if isinstance(found, bytes) else b""

    async def ended(self) -> int:
        result: Result = await self._work
        return result.returncode

    async def stop(self) -> None:
        if self._waiting:
            self.eof()
            await asyncio.wait([self._work], timeout=self.ENDING)
        self._work.cancel()
        await asyncio.wait([self._work])
        if not self._work.cancelled():
            self._work.exception()  # whoever stops it knows why
