"""An interpreter that runs on a host: the session of its channel, as asyncssh calls one.

A command like any other until it runs: then its input and its output are ours, piece by piece, without a task or a
wake for any of them.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from elsewhere.fleet.commands.command import Command
from elsewhere.fleet.commands.running import ENDING, PIECE, Running
from elsewhere.fleet.lean import gathered, silent

if TYPE_CHECKING:
    import asyncssh

    from elsewhere.fleet.link.watcher import Watcher

__all__ = ["Interpreter"]

LINGERS = 1.0  # seconds without a word of it, once it has ended, and no more will come


class Interpreter(Running):
    """See the module; all of it is the loop's.

    Args:
        words: that start it.
        watcher: of the connection.
        connection: that one.
        out: what is to be sent; anybody may append, and calls `flush` then, on the loop.
        came: is given what it writes.
        said: is given what comes on its standard error.
    """

    def __init__(
        self,
        words: Sequence[str],
        watcher: Watcher,
        connection: asyncssh.SSHClientConnection,
        out: deque[bytes],
        came: Callable[[bytes], None],
        said: Callable[[bytes], None],
    ) -> None:
        super().__init__(Command(command=tuple(words), input=b""), watcher, self._sorted, keep=False)
        self._connection = connection
        self._out = out
        self._took = came
        self._said = said
        self._open = False
        self._full = False
        self._paused = False
        self._came_in = 0  # bytes
        self._rest: memoryview | None = None  # of a large piece, of which some has been sent

    def _sorted(self, stream: str, data: bytes) -> None:
        (self._took if stream == "stdout" else self._said)(data)

    def data_received(self, data: bytes, kind: int | None) -> None:
        self._came_in += len(data)
        if kind is None and self.pid is not None:
            self._took(data)
        else:
            super().data_received(data, kind)

    def connection_made(self, channel: Any) -> None:
        super().connection_made(channel)
        silent(channel)

    # ---- what it is sent ---------------------------------------------------------------------------------------------

    def _begin_input(self) -> None:
        self._open = True
        self.flush()

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._full:
            self._full = False
            self._loop.call_soon(self.flush)  # asyncssh is in the middle of its own buffer

    def flush(self) -> None:
        """Send what there is, as far as the far side takes it."""
        if not self._open or self._full:
            return
        transport = gathered(self._connection)
        if transport is not None:
            transport.held = True  # somebody waits for the answer, and nothing else comes in this turn of the loop
        try:
            while not self._full and (piece := self._next()):
                self._channel.write(piece)
        except OSError:
            return  # it has ended, which `connection_lost` tells
        finally:
            if transport is not None:
                transport.held = False
                transport.flush()

    def _next(self) -> bytes | memoryview:
        """As much as a packet or two hold."""
        if (rest := self._rest) is not None:
            self._rest = rest[PIECE:] if len(rest) > PIECE else None
            return rest[:PIECE]
        out, size = self._out, 0
        pieces: list[bytes] = []
        while out and size + len(out[0]) <= PIECE:
            pieces.append(out.popleft())
            size += len(pieces[-1])
        if pieces:
            return b"".join(pieces) if len(pieces) > 1 else pieces[0]
        if out:
            self._rest = memoryview(out.popleft())
            return self._next()
        return b""

    def end_input(self) -> None:
        """It is to leave when it has read what it was sent; where that is stuck, it gets no more."""
        if self._open:
            with contextlib.suppress(OSError):
                self._channel.write_eof()

    # ---- its end -----------------------------------------------------------------------------------------------------

    def exit_status_received(self, status: int) -> None:
        super().exit_status_received(status)
        self._linger()

    def exit_signal_received(self, signal: str, *told: object) -> None:
        super().exit_signal_received(signal, *told)
        if self.pid is not None:  # what it has started holds its standard error, whose end would never come
            self._watcher.kill(self.pid)
        self._linger()

    def _linger(self) -> None:
        self._loop.call_later(LINGERS, self._leave_others, self._came_in)

    def _leave_others(self, before: int) -> None:
        """It has ended, and others still have what it wrote to: they are no affair of ours."""
        if self._done.done():
            return
        if self._paused or self._came_in != before:  # what it wrote last is still on its way
            self._linger()
        else:
            self._channel.close()
            self._ends(None)

    def kill(self) -> None:
        """End it now; its channel is closed in `ENDING` seconds at the latest."""
        if self.pid is None:
            self._given_up = True
            if self._channel is not None:
                self._channel.close()
        else:
            self._watcher.kill(self.pid)
        if self._channel is not None:
            self._channel.resume_reading()
        self._loop.call_later(ENDING, self._abandon)

    def _abandon(self) -> None:
        """The far side does not answer."""
        if not self._done.done():
            if self._channel is not None:
                self._channel.close()
            self._ends(TimeoutError(f"it has not ended {ENDING:g} s after it was killed"))

    def pause_reading(self) -> None:
        """Nobody takes what it writes just now: sshd is given no more room for it, and it has to wait."""
        if self._channel is not None:
            self._paused = True
            self._channel.pause_reading()

    def resume_reading(self) -> None:
        """All has been taken."""
        self._paused = False
        if self._channel is not None and not self._done.done():
            self._channel.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        # What had come while nobody took it are answers: where the connection breaks, asyncssh drops them.
        for data, kind in getattr(self._channel, "_recv_buf", None) or ():
            self.data_received(data, kind)
        super().connection_lost(error)
