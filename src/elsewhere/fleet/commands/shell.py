"""A shell on a host, at this terminal: what `ssh HOST` is.

::

    the caller's thread     makes the terminal raw; writes what comes; makes it what it was, whatever happens
    a thread of its own     reads the terminal: a loop would make it one that does not block, for all who have it
    the engine's loop       sends what was typed; hears of the far side, hands it over

Nobody watches it: it has a terminal of its own there, and what hangs on that gets SIGHUP when the connection ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from elsewhere.errors import ConnectionLost
from elsewhere.fleet.engine import engine
from elsewhere.fleet.link.channels import opened
from elsewhere.fleet.results import Result

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host

__all__ = ["shell"]

READ = 16 << 10  # bytes
AHEAD = 256 << 10  # bytes that may wait for the terminal, before the far side has to


def shell(host: Host, command: str | None = None) -> Result:
    """See `Host.shell`."""
    stdin, stdout = _terminal()
    engine().call(lambda: _connected(host))  # while Ctrl-C is still this program's
    talk = _Talk(host, command, os.get_terminal_size(stdout))
    future = engine().submit(talk.whole)
    future.add_done_callback(lambda _: talk.wrote.put(b""))
    try:
        with _raw(stdin), _typed(talk, stdin), _resized(talk, stdout):
            while data := talk.next():
                while data:
                    data = data[os.write(stdout, data) :]
        return future.result()
    except BaseException:
        future.cancel()
        raise


async def _connected(host: Host) -> None:
    await host.link.connection()


def _terminal() -> tuple[int, int]:
    """The descriptors of this terminal, for both directions."""
    try:
        found = sys.stdin.fileno(), sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):  # a notebook, a test
        found = -1, -1
    if not (found[0] >= 0 and os.isatty(found[0]) and os.isatty(found[1])):
        raise OSError(errno.ENOTTY, "shell() is for who sits at a terminal, and this is none: run() needs none")
    sys.stdout.flush()
    return found


@contextlib.contextmanager
def _raw(stdin: int) -> Iterator[None]:
    """Each key is the far side's, Ctrl-C too."""
    import termios
    import tty

    before = termios.tcgetattr(stdin)
    try:
        tty.setraw(stdin, termios.TCSADRAIN)  # what was typed ahead is the far side's, too
        yield
    finally:
        termios.tcsetattr(stdin, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _typed(talk: _Talk, stdin: int) -> Iterator[None]:
    """What is typed is sent."""
    woken, wake = os.pipe()

    def read() -> None:
        while talk.may_type.wait() and woken not in select.select([stdin, woken], [], [])[0]:
            try:
                data = os.read(stdin, READ)
            except OSError:  # the terminal is gone
                data = b""
            talk.type(data)
            if not data:
                return

    thread = threading.Thread(target=read, name="elsewhere-terminal", daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.write(wake, b"x")
        talk.may_type.set()
        thread.join()
        os.close(woken)
        os.close(wake)


@contextlib.contextmanager
def _resized(talk: _Talk, stdout: int) -> Iterator[None]:
    """The far terminal has the size of this one; only the main thread can hear that it changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def told(_number: int, _frame: Any) -> None:
        with contextlib.suppress(OSError):
            talk.resize(os.get_terminal_size(stdout))

    before = signal.signal(signal.SIGWINCH, told)
    try:
        told(0, None)  # it may have changed just before
        yield
    finally:
        signal.signal(signal.SIGWINCH, before if before is not None else signal.SIG_DFL)


class _Talk:
    """The channel's session, as asyncssh calls one.

    Args:
        host: where.
        command: instead of a shell.
        size: of the terminal.

    Attributes:
        wrote: what comes, for the caller's thread; an empty one at the end.
        may_type: there is room for more.
    """

    def __init__(self, host: Host, command: str | None, size: os.terminal_size) -> None:
        self.wrote: SimpleQueue[bytes] = SimpleQueue()
        self.may_type = threading.Event()
        self._host = host
        self._command = command
        self._size = size
        self._loop = engine().loop
        self._channel: Any = None
        self._waiting = 0  # bytes that came and were not written yet
        self._status: int | None = None
        self._signal: str | None = None
        self._lost: Exception | None = None
        self._done: asyncio.Future[None]

    # ---- the caller's thread -----------------------------------------------------------------------------------------

    def next(self) -> bytes:
        """What is to be written; empty at the end."""
        data = self.wrote.get()
        if data:
            self._loop.call_soon_threadsafe(self._written, len(data))
        return data

    def type(self, data: bytes) -> None:
        """It was typed; an empty one where the terminal is gone."""
        self._loop.call_soon_threadsafe(self._type, data)

    def resize(self, size: os.terminal_size) -> None:
        """The terminal has another size; also for a signal's handler."""
        self._loop.call_soon_threadsafe(self._resize, size)

    # ---- the loop ----------------------------------------------------------------------------------------------------

    async def whole(self) -> Result:
        """From the beginning to the end."""
        self._done = self._loop.create_future()
        began = self._loop.time()
        connection = await self._host.link.connection()
        make: Any = lambda: self  # it has all methods of a session
        term = os.environ.get("TERM") or "xterm"
        size = (self._size.columns, self._size.lines)
        async with self._host.link.session():
            try:
                await opened(
                    connection,
                    lambda: connection.create_session(
                        make,
                        self._command,
                        encoding=None,
                        term_type=term,
                        term_size=size,
                    ),
                )
                self.may_type.set()
                await self._done
            finally:
                if self._channel is not None:
                    self._channel.close()
        if self._lost is not None or (self._status is None and self._signal is None):
            reason = getattr(self._lost, "reason", None) or str(self._lost or "it ended without saying how")
            raise ConnectionLost(f"{self._host}: {reason}", address=self._host.settings.address, phase="shell")
        number = -getattr(signal, f"SIG{self._signal}", 99) if self._signal is not None else self._status or 0
        return Result(
            self._command or "", number, host=self._host, seconds=self._loop.time() - began, signal=self._signal
        )

    def _resize(self, size: os.terminal_size) -> None:
        if size != self._size and self._channel is not None:
            self._channel.change_terminal_size(*size)
        self._size = size

    def _type(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # the far side is gone
            if data:
                self._channel.write(data)
            else:
                self._channel.close()

    def _written(self, size: int) -> None:
        self._waiting -= size
        if self._waiting <= AHEAD and self._channel is not None:
            self._channel.resume_reading()

    # ---- what asyncssh tells its session -----------------------------------------------------------------------------

    def connection_made(self, channel: Any) -> None:
        self._channel = channel

    def session_started(self) -> None:
        """It runs."""

    def data_received(self, data: bytes, _kind: object) -> None:
        self._waiting += len(data)
        self.wrote.put(data)
        if self._waiting > AHEAD:
            self._channel.pause_reading()

    def eof_received(self) -> bool:
        return True  # its status follows

    def exit_status_received(self, status: int) -> None:
        self._status = status

    def exit_signal_received(self, name: str, *_told: object) -> None:
        self._signal = name

    def pause_writing(self) -> None:
        self.may_type.clear()

    def resume_writing(self) -> None:
        self.may_type.set()

    def connection_lost(self, error: Exception | None) -> None:
        self._lost = error
        if not self._done.done():
            self._done.set_result(None)
