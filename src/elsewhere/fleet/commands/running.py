"""A command under way: the session of its channel, as asyncssh calls one.

::

    channel opened, our words sent       `begin`
    NONCE PID comes                      `data_received`: the watcher is told, the line is sent; now it runs
    output comes, input goes             `data_received`; `_feed`, as fast as it is taken
    the channel is closed                `connection_lost`; its status came before

All of that happens in asyncssh's callbacks: a task is woken once, at the end. That, and no process but the command's,
is what makes it as quick as a bare channel.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from elsewhere.fleet.commands.command import Command
from elsewhere.fleet.link.channels import opened
from elsewhere.sansio.hosts.answers import Answers
from elsewhere.sansio.hosts.prelude import MODES, Opening, prelude, values

if TYPE_CHECKING:
    import asyncssh

    from elsewhere.fleet.link.watcher import Watcher

__all__ = ["Running", "Sink", "Source"]

PIECE = 64 << 10  # bytes
ENDING = 6.0  # seconds for what is stopped to be gone: TERM, two seconds, KILL, and the way there
STDERR = 1  # the kind of data, in SSH's numbers (RFC 4254, 5.2)
END_OF_FILE = b"\x04"  # as it is typed
# "stdout" or "stderr", and what came. What it gives may be awaited; no more is read meanwhile.
Sink = Callable[[str, bytes], Awaitable[None] | None]
Source = AsyncIterator[bytes]


class Running:
    """See the module; `whole` does all.

    Args:
        command: what; for its host already.
        watcher: of the connection.
        sink: is given the output while it comes.
        source: its input, instead of the command's own.
        keep: keep the output, too.

    Attributes:
        pid: of the command; None as long as it does not run: then it certainly has not begun.
        output: what it has written, by stream.
        status: its exit status, or None.
        signal: the name of the signal that ended it, or None.
        lost: what ended the channel, if it was not the command's end.
    """

    def __init__(
        self,
        command: Command,
        watcher: Watcher,
        sink: Sink | None = None,
        source: Source | None = None,
        *,
        keep: bool = True,
    ) -> None:
        self._command = command
        self._watcher = watcher
        self._sink = sink
        self._source = source
        self._keep = keep
        self._loop = asyncio.get_running_loop()
        self.answers = Answers(command.answers, command.encoding or "utf-8") if command.answers else None
        self.output: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
        self._line = b""
        self._reset()

    def _reset(self) -> None:
        self._opening = Opening(os.urandom(8).hex())
        self.pid: int | None = None
        self.status: int | None = None
        self.signal: str | None = None
        self.lost: Exception | None = None
        self._channel: Any = None
        self._given_up = False
        self._silent = False
        self._is_watched = False
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._room: asyncio.Future[None] | None = None  # pending: there is no room for more input
        self._tasks: set[asyncio.Task[None]] = set()
        self._error: BaseException | None = None
        self._sinking = 0
        self._held: list[tuple[str, bytes]] | None = None  # said by a shell that may not understand
        self._dark = True  # a terminal is opened with `MODES` off
        self._typing: Opening | None = None  # a terminal that is not yet as it should be

    @property
    def begun(self) -> bool:
        """May it have run?"""
        return self.pid is not None

    async def whole(self, connection: asyncssh.SSHClientConnection) -> None:
        """Run it; returns when its channel is closed, for whatever reason: see `status` and `lost`.

        Raises:
            ConnectionLost: nothing can be watched there.
        """
        direct = self._command.direct(self._opening.nonce) if self._watcher.plain is not False else None
        if direct is not None:
            self._held = [] if self._watcher.plain is None else None
            self._dark = bool(self._command.env)
            await self._once(connection, direct, values(self._command.env))
            self._watcher.understood = self._watcher.understood or self._opening.pid is not None
            if not self.begun and self.lost is None:
                await asyncio.shield(self._watcher.ready)
            if self.begun or self.lost is not None or self._watcher.plain:
                self._release()  # where it has not begun, what the shell has said and its status tell
                return
            self._reset()
        if not self._watcher.ready.done():
            await asyncio.shield(self._watcher.ready)  # it says whether a session has to be made
        words = prelude(self._opening.nonce, pty=self._command.pty, alone=self._watcher.alone)
        await self._once(connection, words, self._command.line())

    async def _once(self, connection: asyncssh.SSHClientConnection, words: str | bytes, line: bytes) -> None:
        self._line = line
        terminal: dict[str, Any] = {}
        if self._command.pty:
            terminal = {"term_type": "xterm", "term_size": (200, 50), "term_modes": _modes_off() if self._dark else {}}
        make: Any = lambda: self  # it has all methods of a session, and bytes are sent as they are
        session = opened(connection, lambda: connection.create_session(make, words, encoding=None, **terminal))  # type: ignore[arg-type, unused-ignore]  # as above
        self._loop.create_task(session).add_done_callback(self._opened)
        await asyncio.shield(self._done)
        if self._tasks:  # no input is wanted any more; what is given to a sink is given
            for task in self._tasks:
                if task.get_name() == "feed":
                    task.cancel()
            await asyncio.wait(self._tasks)
        if self._error is not None:
            raise self._error

    async def stop(self) -> None:
        """End it, on the far side too; returns when that has happened, or the far side does not answer."""
        self._given_up = True
        for task in self._tasks:
            task.cancel()
        if self._channel is not None:
            if self.pid is None:
                self._channel.close()  # it waits for its line, and reads the end instead
            else:
                self._watcher.stop(self.pid)
            self._channel.resume_reading()
            await asyncio.wait([self._done], timeout=ENDING)
            self._channel.close()

    # ---- what asyncssh tells its session -----------------------------------------------------------------------------

    def _opened(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._ends(error if isinstance(error, Exception) else None)

    def connection_made(self, channel: Any) -> None:
        self._channel = channel

    def session_started(self) -> None:
        if self._given_up:
            self._channel.close()

    def data_received(self, data: bytes, kind: int | None) -> None:
        name = "stderr" if kind == STDERR else "stdout"
        if self.pid is None and (name == "stdout") == self._command.pty:
            data = self._opening.feed(data)
            if self._opening.pid is not None and not self._given_up:
                self._go()
        if self._typing is not None and self.pid is not None and name == "stdout":
            data = self._typing.feed(data)
            if self._typing.pid is not None:
                self._typing = None
                self._begin_input()
        if data:
            self._came(name, data)

    def eof_received(self) -> bool:
        self._silent = True
        self._may_be_over()
        return True  # it may still read

    def exit_status_received(self, status: int) -> None:
        self.status = status
        self._may_be_over()

    def exit_signal_received(self, signal: str, *_told: object) -> None:
        self.signal = signal
        self._may_be_over()

    def _may_be_over(self) -> None:
        """It has ended, and nothing that it has left behind writes any more: what follows is only the goodbye."""
        if self._silent and self.pid is not None and (self.status is not None or self.signal is not None):
            self._watch_no_more()

    def _watch_no_more(self) -> None:
        if self._is_watched and self.pid is not None:
            self._watcher.ended(self.pid)
        self._is_watched = False

    def pause_writing(self) -> None:
        self._room = self._loop.create_future()

    def resume_writing(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._ends(error)

    def _ends(self, error: Exception | None) -> None:
        self.resume_writing()
        if self._done.done():
            return
        self.lost = error
        if self._opening.pid is None and (rest := self._opening.rest()):
            self._came("stdout" if self._command.pty else "stderr", rest)
        if self._typing is not None and (rest := self._typing.rest()):
            self._came("stdout", rest)
        self._watch_no_more()
        self._done.set_result(None)

    # ---- it runs -----------------------------------------------------------------------------------------------------

    def _go(self) -> None:
        """Its process is known: have it watched, and let it run."""
        ready = self._watcher.ready
        if not ready.done():
            ready.add_done_callback(lambda _ready: self._go())
            return
        if self._given_up or self._done.done():
            return
        if (error := ready.exception()) is not None:
            self._channel.close()
            self._ends(error if isinstance(error, Exception) else None)
            return
        pid = self._opening.pid
        assert pid is not None
        self._release()
        self._watcher.runs(pid)
        self._is_watched = True
        self.pid = pid
        with contextlib.suppress(OSError):
            self._channel.write(self._line)
            if self._command.pty:  # what is typed now would not be the command's: it says when
                self._typing = Opening(self._opening.nonce, alone=not self._dark)
            else:
                self._begin_input()

    def _begin_input(self) -> None:
        data = self._command.input
        if self._source is not None or (data is not None and len(data) > PIECE):
            self._task(self._feed(self._source), "feed")
        elif data is not None:
            with contextlib.suppress(OSError):  # it has ended
                self._channel.write(data)
                self._end_input(data)

    def _end_input(self, data: bytes) -> None:
        if not self._command.pty:
            self._channel.write_eof()
        else:  # in the middle of a line it only ends that
            self._channel.write(END_OF_FILE if data[-1:] in {b"", b"\n"} else END_OF_FILE * 2)

    async def _feed(self, source: Source | None) -> None:
        """Give it its input, as fast as it takes it."""
        last = b""
        with contextlib.suppress(OSError):  # it reads no more, which is its own affair
            if source is None:
                view = memoryview(self._command.input or b"")
                for at in range(0, len(view), PIECE):
                    last = bytes(view[at : at + PIECE])
                    await self._give(last)
            else:
                async for piece in source:
                    last = piece or last
                    await self._give(piece)
            self._end_input(last)

    async def _give(self, piece: bytes) -> None:
        self._channel.write(piece)
        if self._room is not None:
            await self._room

    def _release(self) -> None:
        """The shell is of Bourne's kind: what it has said counts."""
        held, self._held = self._held, None
        for name, data in held or ():
            self._came(name, data)

    def _came(self, name: str, data: bytes) -> None:
        if self._held is not None:
            self._held.append((name, data))
            return
        if self._keep:
            self.output[name].append(data)
        if self.answers is not None and (typed := self.answers.feed(name, data)):
            with contextlib.suppress(OSError):  # it has ended
                self._channel.write(typed)
        if self._sink is not None:
            given = self._sink(name, data)
            if given is not None and inspect.isawaitable(given):
                self._channel.pause_reading()
                self._sinking += 1
                self._task(self._given(given), "sink")

    async def _given(self, given: Awaitable[None]) -> None:
        try:
            await given
        finally:
            self._sinking -= 1
            if not self._sinking:
                self._channel.resume_reading()

    def _task(self, work: Any, name: str) -> None:
        task = self._loop.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        """A source or a sink may raise anything, which ends the command."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and self._error is None:
            self._error = error
            if self.pid is not None:
                self._watcher.stop(self.pid)
            else:
                self._channel.close()


def _modes_off() -> dict[int, int]:
    import asyncssh

    return {getattr(asyncssh, f"PTY_{name.upper()}"): 0 for name in MODES.split()}
