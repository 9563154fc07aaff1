"""One command on one host: begun under the watcher's eyes, its output read while it comes, ended when it must be."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from elsewhere.errors import CallTimeout, ConnectionLost
from elsewhere.fleet.results import Result
from elsewhere.sansio.hosts import prelude as words

if TYPE_CHECKING:
    import asyncssh

    from elsewhere.fleet.host import Host
    from elsewhere.fleet.link.watcher import Watcher

__all__ = ["Command", "Sink", "run"]

PIECE = 64 << 10  # bytes
ENDING = 6.0  # seconds for what is stopped to be gone: TERM, two seconds, KILL, and the way there
Sink = Callable[[str, bytes], None]  # "stdout" or "stderr", and what came


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command with all that is said of it; see `Host.run`."""

    command: str | Sequence[str]
    cwd: str | None = None
    prefixes: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    input: bytes | None = field(default=None, repr=False)
    timeout: float | None = None
    pty: bool = False
    encoding: str | None = "utf-8"
    check: bool = True

    def line(self) -> bytes:
        """What the prelude reads; raises where something cannot be said."""
        return words.line(
            self.command,
            cwd=self.cwd,
            prefixes=self.prefixes,
            env=self.env,
            quiet_input=self.input is None and not self.pty,
        )


async def run(host: Host, command: Command, sink: Sink | None = None) -> Result:
    """Run it, and wait for its end.

    Args:
        host: where.
        command: what.
        sink: is given the output while it comes.

    Raises:
        CommandError: it has failed, and was to be checked.
        CallTimeout: it took too long, and was ended.
        ConnectError, Unauthorized, ConnectionLost: there is no way there, or not any more.
        TypeError, ValueError: it cannot be said.
    """
    line = command.line()
    connection, watcher = await host.link.watched()
    async with host.link.session():
        running = _Running(host, command, watcher, sink)
        began = time.monotonic()
        try:
            async with asyncio.timeout(command.timeout):
                await running.begin(connection, line)
                await running.finish()
        except TimeoutError:
            await running.stop()
            took = time.monotonic() - began
            raise CallTimeout(
                f"{host}: {command.command!r} did not end within its timeout of {command.timeout:g} s, and was ended "
                f"after {took:.3g} s"
            ) from None
        except asyncio.CancelledError:
            await asyncio.shield(running.stop())
            raise
        result = running.result(time.monotonic() - began)
    if command.check:
        result.check_returncode()
    return result


class _Running:
    """A command under way."""

    def __init__(self, host: Host, command: Command, watcher: Watcher, sink: Sink | None) -> None:
        self._host = host
        self._command = command
        self._watcher = watcher
        self._sink = sink
        self._opening = words.Opening(secrets.token_hex(8))
        self._output: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
        self._process: asyncssh.SSHClientProcess[bytes] | None = None

    async def begin(self, connection: asyncssh.SSHClientConnection, line: bytes) -> None:
        """Start it, and have it watched before it does anything."""
        import asyncssh

        nonce, pty = self._opening._mark.decode(), self._command.pty
        try:
            terminal: dict[str, Any] = {"term_type": "xterm", "term_size": (200, 50)} if pty else {}
            self._process = process = await connection.create_process(
                words.prelude(nonce, pty=pty), encoding=None, **terminal
            )
            told = process.stdout if pty else process.stderr
            while self._opening.pid is None:
                data = await told.read(PIECE)
                self._came("stdout" if pty else "stderr", self._opening.feed(data) if data else self._opening.rest())
                if not data:
                    return  # it has ended: no shell, perhaps; its status tells
            self._watcher.runs(self._opening.pid)
            process.stdin.write(line)
        except (OSError, asyncssh.Error) as error:
            raise self._lost(error) from error

    async def finish(self) -> None:
        """Read all of its output, and wait for its end."""
        import asyncssh

        process = self._process
        assert process is not None
        try:
            await asyncio.gather(self._feed(), self._read("stdout"), self._read("stderr"))
            await process.wait_closed()
        except (OSError, asyncssh.Error) as error:
            raise self._lost(error) from error
        if process.exit_status is None and process.exit_signal is None:
            raise self._lost(None)
        if self._opening.pid is not None:
            self._watcher.ended(self._opening.pid)

    async def _feed(self) -> None:
        """Give it its input, as fast as it takes it."""
        process, data = self._process, self._command.input
        assert process is not None
        with contextlib.suppress(OSError):  # it reads no more, which is its own affair
            if data is not None:
                view = memoryview(data)
                for at in range(0, len(view), PIECE):
                    process.stdin.write(bytes(view[at : at + PIECE]))
                    await process.stdin.drain()
            if not self._command.pty:
                process.stdin.write_eof()

    async def _read(self, name: str) -> None:
        process = self._process
        assert process is not None
        reader = process.stdout if name == "stdout" else process.stderr
        while data := await reader.read(PIECE):
            self._came(name, data)

    def _came(self, name: str, data: bytes) -> None:
        if data:
            self._output[name].append(data)
            if self._sink is not None:
                self._sink(name, data)

    async def stop(self) -> None:
        """End it, on the far side too; returns when that has happened, or the far side does not answer."""
        process, pid = self._process, self._opening.pid
        if process is None:
            return
        if pid is None:  # it waits for its line, and reads the end instead
            process.close()
        else:
            self._watcher.stop(pid)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ENDING):
                await process.wait_closed()
        process.close()

    def result(self, seconds: float) -> Result:
        """How it has ended."""
        process = self._process
        assert process is not None
        told = process.exit_signal
        status = process.returncode
        return Result(
            self._command.command,
            -1 if status is None else status,
            self._text("stdout"),
            self._text("stderr"),
            host=self._host,
            seconds=seconds,
            signal=told[0] if told else None,
        )

    def _text(self, name: str) -> Any:
        data = b"".join(self._output[name])
        encoding = self._command.encoding
        return data if encoding is None else codecs.decode(data, encoding, "surrogateescape")

    def _lost(self, error: Exception | None) -> ConnectionLost:
        reason = getattr(error, "reason", None) or str(error or "the connection ended before it did")
        return ConnectionLost(
            f"{self._host}: {self._command.command!r} may have run: {reason}",
            address=self._host.settings.address,
            phase="command",
        )
