"""A line to an interpreter on a host: bytes, between the thread that drives a pool and the engine's loop.

::

    send        the driver's thread appends, and wakes the loop once for a burst     Interpreter.flush
    data comes  the loop appends, and posts to the driver once for a burst           `_drain`, in the driver's thread

Too much on its way to a driver that takes nothing (it runs a handler of the user's): sshd is given no more room until
it has. Nobody waits for anybody: what is sent is what the scheduler has given out, which is little.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from elsewhere.errors import ConnectError, ConnectionLost, ElsewhereError, InternalError, WorkerStartError
from elsewhere.fleet.calling import words
from elsewhere.fleet.calling.interpreter import Interpreter
from elsewhere.runtime.far.bundle import first_words, payload
from elsewhere.runtime.far.worker import HEADER, HELLO
from elsewhere.sansio.hosts.many.lines import Lines
from elsewhere.sansio.hosts.many.plain import decoded

if TYPE_CHECKING:
    from elsewhere.fleet.link.link import Link

__all__ = ["Hears", "HostLine"]

FULL = 4 << 20  # bytes on their way to the driver; more, and the far side has to wait
NOISE = 256 << 10  # bytes before the mark: what profiles write
LONGEST_HELLO = 64 << 10  # bytes
PATIENCE = 60.0  # seconds from the channel's opening to the first word: a slow profile, a busy host
KEPT = 10  # last lines of its standard error that an error tells
LONGEST_LINE = 200  # characters of each
UNKNOWN_SIGNAL = 99  # see `commands.run`


class Hears(Protocol):
    """What a line tells its driver; see `elsewhere.pool.far.line.Line`."""

    def post(self, event: Callable[..., None], *args: Any) -> None: ...
    def arrived(self, key: int, data: bytes) -> None: ...
    def ended(self, key: int, status: int | None, error: ElsewhereError | None, words: str) -> None: ...
    def said(self, name: str, text: str) -> None: ...


class HostLine:
    """One; see the module.

    Args:
        name: of the host, for messages.
        link: its connection.
        programs: the interpreters that do, best first.
        loop: the engine's.

    Attributes:
        hello: what the worker has said first; a future of the loop's.
            Raises what has kept it from starting.
        over: it has ended.
    """

    def __init__(self, name: str, link: Link, programs: Sequence[str], loop: asyncio.AbstractEventLoop) -> None:
        self.name = name
        self.hello: asyncio.Future[dict[str, Any]] = loop.create_future()
        self.over = False
        self._link = link
        self._programs = programs
        self._loop = loop
        self._mark = f"elsewhere-{os.urandom(8).hex()}"
        self._out: deque[bytes] = deque()
        self._shipped = False  # is the worker itself among what is to be sent?
        self._told = False  # the loop is to look at `_out`
        self._in: deque[bytes] = deque()
        self._size = 0  # bytes for the driver, counted by the loop
        self._taken = 0  # those of them that it has had, counted by its thread
        self._posted = False  # the driver is to look at `_in`
        self._paused = False
        self._head: bytes | None = b""  # what has come before the first frame was whole
        self._marked = False
        self._driver: Hears | None = None
        self._key = 0
        self._end: tuple[int | None, ElsewhereError | None] | None = None
        self._errors = Lines()
        self._last: deque[str] = deque(maxlen=KEPT)
        self._unsaid: list[str] | None = []  # held until it has started: else they are its error's
        self._running: Interpreter | None = None
        self._task: asyncio.Task[None] | None = None
        self._killed = False
        self.hello.add_done_callback(lambda hello: hello.cancelled() or hello.exception())  # who looks is told

    # ---- from the thread that drives ---------------------------------------------------------------------------------

    def attach(self, driver: Hears, key: int) -> None:
        """From now on this driver is told what comes; also what has come before."""
        self._driver, self._key = driver, key
        self._loop.call_soon_threadsafe(self._attached)

    def send(self, pieces: Sequence[bytes]) -> None:
        """Send these, in order; see `Line`."""
        self._out.extend(pieces)
        if not self._told:
            self._told = True
            self._soon(self._flush)

    def kill(self) -> None:
        """End it now."""
        self._soon(self._kill)

    def close(self) -> None:
        """Nobody wants to hear of it any more."""
        self._soon(self._kill)

    def _soon(self, what: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, and all that ran over it
            self._loop.call_soon_threadsafe(what)

    def _drain(self) -> None:
        self._posted = False
        pieces: list[bytes] = []
        size, driver = 0, self._driver
        while self._in:
            pieces.append(self._in.popleft())
            size += len(pieces[-1])
        self._take(size)
        if pieces and driver is not None:
            driver.arrived(self._key, pieces[0] if len(pieces) == 1 else b"".join(pieces))

    def _take(self, size: int) -> None:
        """So much of what was on its way is here."""
        self._taken += size
        if self._paused and self._size - self._taken < FULL // 2:
            self._soon(self._resume)

    def _pass_on(self, text: str) -> None:
        self._take(len(text))
        if self._driver is not None:
            self._driver.said(self.name, text)

    def _tell_end(self) -> None:
        self._drain()
        if self._driver is not None and self._end is not None:
            self._driver.ended(self._key, *self._end, "\n".join(self._last))

    # ---- on the loop: there and back ---------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start it."""
        if self._task is None and not self._killed:
            self._task = self._loop.create_task(self._whole())
            self._task.add_done_callback(self._ended)

    def _attached(self) -> None:
        self._say()
        self._post()
        if self.over:
            self._post_end()

    def _flush(self) -> None:
        self._told = False
        if self._running is not None:
            self._running.flush()

    def _post(self) -> None:
        if self._in and not self._posted and self._driver is not None:
            self._posted = True
            self._driver.post(self._drain)

    def _came(self, data: bytes) -> None:
        if self._head is not None:
            data = self._first(data)
            if not data:
                return
        self._last.clear()  # it goes on: those words were not its last
        self._in.append(data)
        self._post()
        self._count(len(data))

    def _count(self, size: int) -> None:
        """So much more is on its way to the driver."""
        self._size += size
        if not self._paused and self._size - self._taken > FULL and self._running is not None:
            self._paused = True
            self._running.pause_reading()
            if self._size - self._taken < FULL // 2:  # all was taken just before that could be seen there
                self._resume()

    def _resume(self) -> None:
        self._paused = False
        if self._running is not None:
            self._running.resume_reading()

    def _first(self, data: bytes) -> bytes:
        """Find the mark, and the worker's first frame behind it; gives what is the driver's."""
        assert self._head is not None
        head = self._head + data
        if not self._marked:
            mark = f"{self._mark}\n".encode()
            _, found, behind = head.partition(mark)
            if not found:
                self._head = head
                if len(head) > NOISE:
                    self._head = head[-len(mark) :]
                return b""
            self._marked, head = True, behind
        self._head = head
        if len(head) < HEADER.size:
            return b""
        kind, _, _, _, size = HEADER.unpack_from(head)
        if kind != HELLO or size > LONGEST_HELLO:
            self._fail(f"it is no worker of ours: it begins with {head[:40]!r}")
            return b""
        if len(head) < HEADER.size + size:
            return b""
        try:
            told = json.loads(head[HEADER.size : HEADER.size + size])
            if not isinstance(told, dict):
                raise TypeError(f"{told!r:.80} is no object")
        except (ValueError, TypeError, RecursionError) as error:
            self._fail(f"it greets with what cannot be read: {error}")
            return b""
        self._head = None
        if not self.hello.done():
            self.hello.set_result(told)
        self._say()
        return head

    def _fail(self, why: str) -> None:
        """It does not start."""
        if not self.hello.done():
            self.hello.set_exception(WorkerStartError(f"{self.name}: {why}"))
        self._head = b""
        self._marked = False  # nothing that comes is looked at any more
        self._kill()

    # ---- what it writes on its standard error ------------------------------------------------------------------------

    def _heard(self, data: bytes) -> None:
        self._lines(self._errors.feed(data))

    def _lines(self, lines: list[bytes]) -> None:
        if not lines:
            return
        texts = [decoded(line) for line in lines]
        self._last.extend(text[:LONGEST_LINE] for text in texts)
        if self._unsaid is not None:
            self._unsaid.extend(texts)
            del self._unsaid[:-KEPT]
        self._say(texts)

    def _say(self, texts: Sequence[str] = ()) -> None:
        driver = self._driver
        if driver is None or not self.hello.done() or self.hello.cancelled() or self.hello.exception() is not None:
            return
        if self._unsaid is not None:
            texts, self._unsaid = self._unsaid, None
        if texts:
            text = "".join([f"{text}\n" for text in texts])
            driver.post(self._pass_on, text)
            self._count(len(text))

    # ---- its life ----------------------------------------------------------------------------------------------------

    async def _whole(self) -> None:
        if not await self._once():  # the connection was dead, which nobody had seen
            await self._once()

    def _is_late(self) -> None:
        if not self.hello.done():
            self._fail(f"no Python has said a word there for {PATIENCE:g} s")

    async def _once(self) -> bool:
        """Run it; False if the connection turned out to be dead before it could be started."""
        connection, watcher = await self._link.watching()
        if not self._shipped:
            self._shipped = True
            self._out.appendleft(payload())
        async with self._link.session():
            late = self._loop.call_later(PATIENCE, self._is_late)
            started = words.starting(self._programs, first_words(len(payload())), self._mark)
            running = Interpreter(started, watcher, connection, self._out, self._came, self._heard)
            self._running = running
            try:
                await running.whole(connection)
            except ConnectionLost:
                if not connection.is_closed():
                    raise
            except BaseException:
                await asyncio.shield(running.stop())
                raise
            finally:
                late.cancel()
        return running.begun or not connection.is_closed()

    def _kill(self) -> None:
        if self._killed:
            return
        self._killed = True
        running = self._running
        if running is not None and running.begun:
            running.kill()
        elif self._task is not None:
            self._task.cancel()
        else:
            self._finish(None, ConnectError(f"{self.name}: it was ended before it began", phase="command"))

    def _ended(self, task: asyncio.Task[None]) -> None:
        """It is over, for whatever reason."""
        if task.cancelled():
            self._finish(None, ConnectError(f"{self.name}: it was ended before it began", phase="command"))
            return
        error = task.exception()
        self._lines(self._errors.rest())
        if error is not None:
            self._finish(None, error if isinstance(error, ElsewhereError) else _bug(self.name, error))
            return
        assert self._running is not None
        self._finish(*self._outcome(self._running))

    def _outcome(self, running: Interpreter) -> tuple[int | None, ElsewhereError | None]:
        status = running.status
        if running.signal is not None:
            status = -getattr(signal, f"SIG{running.signal}", UNKNOWN_SIGNAL)
        address = self._link.settings.address
        said = "\n".join(self._last)
        if status is None:
            reason = str(getattr(running.lost, "reason", None) or running.lost or "the connection ended")
            if running.begun:
                text = f"{self.name}: the connection to its Python was lost: {reason}"
                return None, ConnectionLost(text, address=address, phase="call")
            return None, ConnectError(f"{self.name}: no Python was started: {reason}", address=address, phase="command")
        if self.hello.done():
            error = self.hello.exception() if not self.hello.cancelled() else None
            return status, error if isinstance(error, ElsewhereError) else None
        why = words.none_found(said, self._programs)
        if why is None:
            how = f"was ended by SIG{running.signal}" if running.signal else f"ended with exit status {status}"
            last = f": {self._last[-1]}" if self._last else ""
            why = f"no Python was started: what starts it {how}{last}"
        return status, WorkerStartError(f"{self.name}: {why}")

    def _finish(self, status: int | None, error: ElsewhereError | None) -> None:
        if self.over:
            return
        self.over = True
        self._end = (status, error)
        if not self.hello.done():
            self.hello.set_exception(error or WorkerStartError(f"{self.name}: it ended before it said a word"))
        self._post_end()

    def _post_end(self) -> None:
        if self._driver is not None and self._end is not None:
            self._driver.post(self._tell_end)


def _bug(name: str, error: BaseException) -> ElsewhereError:
    if isinstance(error, OSError | ValueError):  # a file of keys, or of ssh's configuration
        found: ElsewhereError = WorkerStartError(f"{name}: {error}")
    else:
        found = InternalError(f"{name}: {error!r}")
    found.__cause__ = error
    return found
