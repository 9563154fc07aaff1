"""The thread that reads and sends for a connection while nobody who waits does.

Rule: who waits is faster, so the turn is taken only when nobody has had it for a while although answers are due, or at
once for those who cannot read themselves (callbacks, `await`). It is given back as soon as a thread waits again.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from elsewhere.rpc.calling.line.connection import Connection

__all__ = ["Helper"]

SOON = 0.0005  # seconds that a burst of submits is gathered
TICK = 0.002  # seconds between two looks whether somebody reads
IDLE_TICKS = 10  # after which it sleeps until it is woken: that costs whoever wakes it some µs
LINGER = 1.0  # seconds without work, after which the thread ends
_DAY = 86400.0


class Helper:
    """See the module. Made, woken and ended with the connection's mutex.

    Attributes:
        dozing: it sleeps for long, so it has to be woken when there is work.
        reads: it has the turn.
    """

    def __init__(self, conn: Connection) -> None:
        self.dozing = self.reads = False
        self._conn = conn
        self._hears, self._calls = os.pipe()
        os.set_blocking(self._hears, False)
        self._woken = False
        self._stalled = False  # what is to be sent does not go: the far side does not read
        self._driven = -1
        self._idle = 0
        self._since = time.monotonic()
        self._poll = select.poll()
        self._poll.register(self._hears, select.POLLIN)
        self._watched = 0  # events of the connection's own socket that are waited for
        self._thread = threading.Thread(target=self._run, name="elsewhere-rpc", daemon=True)
        try:
            self._thread.start()
        except BaseException:
            self.release()
            raise

    def wake(self) -> None:
        """Have it look what there is to do."""
        if not self._woken:
            self._woken = True
            os.write(self._calls, b"!")

    def release(self) -> None:
        """Give its descriptors back: it has ended, or is another process's."""
        os.close(self._hears)
        os.close(self._calls)

    def join(self, seconds: float) -> None:
        """Wait until the thread has ended, unless this is it."""
        if self._thread is not threading.current_thread():
            self._thread.join(seconds)

    # ---- the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        conn = self._conn
        try:
            while self._step():
                pass
        finally:
            if self.reads:
                self.reads = False
                conn.hand_on()
            with conn.mutex:
                if conn.helper is self:
                    conn.helper = None
                self.release()

    def _step(self) -> bool:
        conn = self._conn
        now = time.monotonic()
        if now >= conn.next:
            conn.expire(now)
        with conn.mutex:
            if conn.ended:
                return False
            self._send(now)
            busy = conn.busy()
            if busy:
                self._since, self._idle = now, 0
            gives_back = self.reads and not busy and not (conn.attended and now - self._since < LINGER)
            if not self.reads and not conn.reading and busy and (conn.attended or conn.driven == self._driven):
                conn.reading = self.reads = True
            self._driven = conn.driven
            seconds = self._pause(now, busy)
            if seconds <= 0 and not gives_back:
                conn.helper = None
                return False
        if gives_back:
            self._give_back()
        else:
            self._sleep(seconds)
        return True

    def _send(self, now: float) -> None:
        """With the mutex: send what has been gathered for long enough."""
        conn = self._conn
        self._stalled = False
        if conn.out and not conn.gathering and (conn.attended or now - conn.flushed >= SOON):
            conn.flushed = now
            conn.flush()
            self._stalled = bool(conn.out)

    def _pause(self, now: float, busy: bool) -> float:
        """With the mutex: how many seconds to sleep; 0 to end."""
        conn = self._conn
        until = max(0.0001, min(conn.next - now, _DAY))
        self.dozing = False
        if conn.out and not self._stalled and not conn.gathering:
            return min(until, SOON)
        if self.reads:
            return min(until, LINGER)
        if busy and not conn.reading:
            return min(until, TICK)
        if busy or self._stalled:
            self.dozing = True
            return min(until, LINGER)  # who reads now may leave nothing to do, and does not say so
        self._idle += 1
        if self._idle <= IDLE_TICKS:
            return TICK
        self.dozing = True
        return self._since + LINGER - now

    def _sleep(self, seconds: float) -> None:
        conn = self._conn
        if self.reads:
            conn.stream.look()
            if conn.stream.inbox:
                self._take()
                return
        events = (select.POLLIN if self.reads else 0) | (select.POLLOUT if self._stalled else 0)
        self._watch(events)
        found = self._poll.poll(seconds * 1000)
        if any(fd == self._hears for fd, _ in found):
            with conn.mutex:
                self._woken = False
                with contextlib.suppress(BlockingIOError):
                    os.read(self._hears, 64)
            if self.dozing:
                self._driven = -1  # who has just submitted is given time to wait itself
        self.dozing = False

    def _watch(self, events: int) -> None:
        conn = self._conn
        if events == self._watched:
            return
        with conn.mutex:
            if conn.ended:
                return
            if events:
                self._poll.register(conn.stream.sock, events)
            else:
                self._poll.unregister(conn.stream.sock)
            self._watched = events

    def _take(self) -> None:
        """Handle what has come; the turn goes to who waits, or is free for who will wait again."""
        conn = self._conn
        before = conn.serves
        conn.take()
        if conn.incoming is None and (conn.parked or conn.serves != before):
            self._give_back()

    def _give_back(self) -> None:
        self.reads = False
        if self._conn.serves:
            self._conn.attended = False
        self._driven = -1
        self._conn.hand_on()
