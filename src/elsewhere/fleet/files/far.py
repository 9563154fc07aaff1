"""A script of ours on the far side: begun under the watcher's eyes, driven over its input, never left running."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from elsewhere.errors import ConnectionLost, ElsewhereError
from elsewhere.fleet.files.channel import Channel
from elsewhere.fleet.files.outcome import TransferError
from elsewhere.fleet.files.raised import Raised
from elsewhere.fleet.link.channels import opened
from elsewhere.sansio.hosts import prelude as words
from elsewhere.sansio.hosts.copies.listing import complete, sections
from elsewhere.sansio.hosts.copies.words import word

if TYPE_CHECKING:
    import asyncssh

    from elsewhere.fleet.files.wanted import Get, Put
    from elsewhere.fleet.host import Host
    from elsewhere.fleet.link.watcher import Watcher

__all__ = ["Bare", "Far", "far", "listing", "lost", "needs"]

PIECE = 1 << 20  # bytes


class Far(Channel):
    """See the module; `far` makes one."""

    def __init__(self, host: Host, process: asyncssh.SSHClientProcess[bytes], watcher: Watcher, mark: str) -> None:
        super().__init__(host)
        self._process = process
        self._watcher = watcher
        self._opening = words.Opening(mark)
        self._watched = False
        self._reading: asyncio.Task[None] | None = None

    async def begin(self, script: str) -> None:
        """Have it watched, and then begin."""
        process = self._process
        while self._opening.pid is None:
            data = await process.stderr.read(PIECE)
            self._complains(self._opening.feed(data) if data else self._opening.rest())
            if not data:  # no shell, perhaps, which the watcher knows
                await asyncio.shield(self._watcher.ready)
                return
        await asyncio.shield(self._watcher.ready)
        self._watcher.runs(self._opening.pid)
        self._watched = True
        self._reading = asyncio.create_task(self._read_errors())
        process.stdin.write(f"eval {words.quoted(script)}\n".encode(errors="surrogateescape"))

    async def _read_errors(self) -> None:
        while data := await self._process.stderr.read(PIECE):
            self._complains(data)

    def write(self, data: bytes) -> None:
        self._process.stdin.write(data)

    async def drain(self) -> None:
        await self._process.stdin.drain()

    def eof(self) -> None:
        with contextlib.suppress(OSError):
            self._process.stdin.write_eof()

    async def read(self) -> bytes:
        data: bytes = await self._process.stdout.read(PIECE)
        return data

    async def ended(self) -> int:
        if self._reading is not None:
            await self._reading
        process = self._process
        await process.wait_closed()
        if process.exit_status is None and process.exit_signal is None:
            raise lost(self.host, None)
        self._unwatch()
        status = process.returncode
        return -1 if status is None else status

    async def stop(self) -> None:
        process = self._process
        if self._waiting:
            self.eof()
        elif not self._watched:  # it waits for its line, and reads the end instead
            process.close()
        elif self._opening.pid is not None:
            self._watcher.stop(self._opening.pid)
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(self.ENDING):
                while await self.read():  # its end comes behind what nobody wants any more
                    pass
                await process.wait_closed()
                self._unwatch()
        process.close()
        if self._reading is not None:
            self._reading.cancel()

    @property
    def over(self) -> bool:
        """Has it ended, and been seen to?"""
        return self._process.channel.is_closing() and self._process.exit_status is not None

    def _unwatch(self) -> None:
        if self._watched and self._opening.pid is not None:
            self._watched = False
            self._watcher.ended(self._opening.pid)


class Bare(Exception):
    """What a script needs is not there: perhaps SFTP is."""


@contextlib.asynccontextmanager
async def far(host: Host, wanted: Put | Get, script: Callable[[str], str]) -> AsyncIterator[tuple[Channel, str]]:
    """Run a script there; what is left of it at the end of the block is ended.

    Args:
        host: where.
        wanted: says whether it is under sudo, and the folder in which relative paths begin.
        script: gives it, for a nonce of sixteen hexadecimal digits that begins its words.

    Yields:
        It, and the nonce.

    Raises:
        Bare: there is no shell.
        Unauthorized: sudo does not run it.
        ConnectionLost: the connection broke while it ran.
    """
    nonce = secrets.token_hex(8)
    cwd = wanted.cwd(host)
    text = script(nonce) if cwd is None else f"cd {word(cwd)} || exit 1; {script(nonce)}"
    if wanted.sudo:
        user = wanted.sudo if isinstance(wanted.sudo, str) else None
        assert wanted.password is not None
        raised = Raised(host, text, user, wanted.password)
        try:
            yield raised, nonce
        finally:
            await asyncio.shield(raised.stop())
        return
    async with host.link.session():
        running = await _begun(host, text)
        try:
            with _breaks(host):
                yield running, nonce
        finally:
            if not running.over:
                await asyncio.shield(running.stop())


async def _begun(host: Host, text: str) -> Far:
    """It, watched and begun; on a new connection, where the old one was dead, which nobody had seen."""
    while True:
        fresh = not host.link.up
        connection, watcher = await host.link.watching()
        running: Far | None = None
        try:
            with _breaks(host):
                mark = secrets.token_hex(8)
                session = partial(connection.create_process, words.prelude(mark), encoding=None)
                process = await opened(connection, session)
                running = Far(host, process, watcher, mark)
                await running.begin(text)
                return running
        except ConnectionLost as error:
            if host.link.up:
                if running is not None:
                    await asyncio.shield(running.stop())
                raise Bare(str(error)) from error
            if fresh:
                raise
        except BaseException:
            if running is not None:
                await asyncio.shield(running.stop())
            raise


@contextlib.contextmanager
def _breaks(host: Host) -> Iterator[None]:
    """What says that the connection has broken, said in our words."""
    import asyncssh

    try:
        yield
    except (asyncssh.Error, BrokenPipeError, ConnectionResetError) as error:
        if isinstance(error, ElsewhereError) or (isinstance(error, OSError) and host.link.up):
            raise  # it is not the connection's, but that of what is written to here
        raise lost(host, error) from error


def needs(host: Host, why: Bare) -> TransferError:
    """Under sudo there is no other way."""
    return TransferError(f"{host}: copies under sudo need a shell, GNU find and tar there: {why}")


async def listing(there: Channel, nonce: str) -> bytes:
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
