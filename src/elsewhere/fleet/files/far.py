"""A script of ours on the far side: begun under the watcher's eyes, driven over its input, never left running."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from elsewhere.errors import ConnectionLost
from elsewhere.fleet.files.outcome import TransferError
from elsewhere.fleet.link.channels import opened
from elsewhere.sansio.hosts import prelude as words
from elsewhere.sansio.hosts.copies.listing import complete, sections

if TYPE_CHECKING:
    import asyncssh

    from elsewhere.fleet.host import Host
    from elsewhere.fleet.link.watcher import Watcher

__all__ = ["Bare", "Far", "far", "listing", "lost", "needs"]

PIECE = 1 << 20  # bytes
ENDING = 6.0  # seconds for what is stopped to be gone
KEPT = 16 << 10  # bytes of its errors


class Far:
    """See the module; `far` makes one.

    Attributes:
        host: where it runs.
        errors: what it has written to stderr, of late.
    """

    def __init__(
        self, host: Host, process: asyncssh.SSHClientProcess[bytes], watcher: Watcher, opening: words.Opening
    ) -> None:
        self.host = host
        self.errors = bytearray()
        self._process = process
        self._watcher = watcher
        self._opening = opening
        self._reading: asyncio.Task[None] | None = None
        self._waiting = False  # until `go`, the end of its input ends it

    async def begin(self, script: str) -> None:
        """Have it watched, and then begin."""
        process = self._process
        while self._opening.pid is None:
            data = await process.stderr.read(PIECE)
            self._complains(self._opening.feed(data) if data else self._opening.rest())
            if not data:
                return  # no shell, perhaps; its status tells
        self._watcher.runs(self._opening.pid)
        self._reading = asyncio.create_task(self._read_errors())
        process.stdin.write(f"eval {words.quoted(script)}\n".encode(errors="surrogateescape"))

    def _complains(self, data: bytes) -> None:
        self.errors += data
        del self.errors[:-KEPT]

    async def _read_errors(self) -> None:
        while data := await self._process.stderr.read(PIECE):
            self._complains(data)

    def go(self, data: bytes) -> None:
        """Have it begin what it was made for."""
        self._waiting = False
        self.write(data)

    def write(self, data: bytes) -> None:
        """Into its input; `drain` waits until it takes more."""
        self._process.stdin.write(data)

    async def drain(self) -> None:
        await self._process.stdin.drain()

    def waits(self) -> None:
        """It has said all, and does nothing before it is told to."""
        self._waiting = True

    def eof(self) -> None:
        """The end of its input."""
        with contextlib.suppress(OSError):
            self._process.stdin.write_eof()

    async def read(self) -> bytes:
        """Some of its output; b"" at its end."""
        data: bytes = await self._process.stdout.read(PIECE)
        return data

    async def ended(self) -> int:
        """Its exit status; negative for a signal's.

        Raises:
            ConnectionLost: the connection broke.
        """
        if self._reading is not None:
            await self._reading
        process = self._process
        await process.wait_closed()
        if process.exit_status is None and process.exit_signal is None:
            raise lost(self.host, None)
        if self._opening.pid is not None:
            self._watcher.ended(self._opening.pid)
        status = process.returncode
        return -1 if status is None else status

    def only(self, saying: bytes) -> bool:
        """Is that all that it complains of?"""
        return all(saying in line for line in self.errors.splitlines())

    def failed(self, what: str) -> TransferError:
        """What it said before it failed."""
        text = self.errors.decode(errors="backslashreplace").strip()
        lines = text.splitlines()
        return TransferError(f"{self.host}: {what}: {'; '.join(lines[:3]) or 'it says nothing about why'}")

    async def stop(self) -> None:
        """End it; returns when that has happened, or the far side does not answer."""
        process, pid = self._process, self._opening.pid
        if self._waiting:
            self.eof()
        elif pid is None:
            process.close()
        else:
            self._watcher.stop(pid)
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(ENDING):
                await process.wait_closed()
        process.close()
        if self._reading is not None:
            self._reading.cancel()


class Bare(Exception):
    """What a script needs is not there: perhaps SFTP is."""


@contextlib.asynccontextmanager
async def far(host: Host, script: Callable[[str], str]) -> AsyncIterator[tuple[Far, str]]:
    """Run a script there; what is left of it at the end of the block is ended.

    Args:
        host: where.
        script: gives it, for a nonce of sixteen hexadecimal digits that begins its words.

    Yields:
        It, and the nonce.

    Raises:
        Bare: there is no shell.
        ConnectionLost: the connection broke while it ran.
    """
    import asyncssh

    try:
        connection, watcher = await host.link.watched()
    except ConnectionLost as error:
        if host.link.up:
            raise Bare(str(error)) from error
        raise
    async with host.link.session():
        opening, nonce = words.Opening(mark := secrets.token_hex(8)), secrets.token_hex(8)
        try:
            process = await opened(connection, lambda: connection.create_process(words.prelude(mark), encoding=None))
        except (OSError, asyncssh.Error) as error:
            raise lost(host, error) from error
        running = Far(host, process, watcher, opening)
        try:
            await running.begin(script(nonce))
            yield running, nonce
        except (asyncssh.Error, BrokenPipeError, ConnectionResetError) as error:
            raise lost(host, error) from error
        finally:
            if not process.channel.is_closing() or process.exit_status is None:
                await asyncio.shield(running.stop())


def needs(host: Host, why: Bare) -> TransferError:
    """Under sudo there is no other way."""
    return TransferError(f"{host}: copies under sudo need a shell, GNU find and tar there: {why}")


async def listing(there: Far, nonce: str) -> bytes:
    """What it says first, to its end.

    Raises:
        TransferError: it has ended before.
        Bare: there is no GNU find, or no tar.
    """
    data = bytearray()
    while not complete(data, nonce):
        piece = await there.read()
        if not piece:
            await there.ended()
            raise there.failed("what is there cannot be asked")
        data += piece
    if sections(bytes(data), nonce)[-1].words[0] == "bare":
        there.eof()
        await there.ended()
        raise Bare("there is no GNU find, or no tar")
    there.waits()
    return bytes(data)


def lost(host: Host, error: Exception | None) -> ConnectionLost:
    """The connection broke."""
    reason = getattr(error, "reason", None) or str(error or "the connection ended before it did")
    return ConnectionLost(
        f"{host}: the transfer was cut off: {reason}; no half-written file is seen there",
        address=host.settings.address,
        phase="transfer",
    )
