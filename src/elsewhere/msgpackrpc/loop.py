"""The loop that serves: one thread, that which calls `start`, waits for all sockets and runs all methods.

One method at a time, in that thread, because the original's programs count on it: their dispatchers have no locks, hold
a connection to SQLite, or draw.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

if TYPE_CHECKING:
    from elsewhere.msgpackrpc.future import Future
    from elsewhere.msgpackrpc.session import Session

__all__ = ["Loop"]

_log = logging.getLogger("elsewhere.msgpackrpc")
_current = threading.local()
_shared: list[Loop] = []  # that of threads which made none
_lock = threading.Lock()
Handler = Callable[[int], None]  # gets the selectors' events


class Loop:
    """See the module.

    Args:
        loop: the original took a loop of Tornado's here.

    Raises:
        TypeError: one is given.
    """

    def __init__(self, loop: None = None) -> None:
        if loop is not None:
            raise TypeError(
                f"elsewhere.msgpackrpc runs without Tornado, so nothing would serve {loop!r}: call Loop() without "
                "one, and server.start()"
            )
        self._lock = threading.RLock()  # a signal's handler may close a server
        self._running = self._stopped = False
        self._came = False  # a client's callback was called while it did not run
        self._unheard: WeakSet[Future] = WeakSet()  # have had their outcome meanwhile, and nobody has waited for it
        self._selector: selectors.BaseSelector | None = None
        self._waker: tuple[socket.socket, socket.socket] | None = None
        self._watched: dict[socket.socket, tuple[int, Handler]] = {}
        self._timers: list[tuple[float, Callable[[], None]]] = []
        self._periodic: tuple[Callable[[], Any], float] | None = None
        self._next = 0.0
        self._sessions: WeakSet[Session] = WeakSet()
        _current.loop = self

    @staticmethod
    def instance() -> Loop:
        """The loop that this thread has made last, or else one for all such threads."""
        loop: Loop | None = getattr(_current, "loop", None)
        if loop is None:
            with _lock:
                if not _shared:
                    _shared.append(Loop())
                loop = _shared[0]
        return loop

    # ---- running -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Serve until `stop` is called; returns at once if it was called before.

        Of a client, it waits until one of its calls has an outcome.

        Raises:
            RuntimeError: it runs already.
        """
        with self._lock:
            if self._running:
                raise RuntimeError("this Loop is running already")
            came, self._came = self._came or len(self._unheard) > 0, False
            self._unheard.clear()
            if came and not self._watched:
                return
            self._open()
            self._running = True
            if self._periodic is not None:  # its time counts from here
                self._next = time.monotonic() + self._periodic[1]
        try:
            for session in list(self._sessions):
                session._pump()
            while not self._stopped:
                self._turn()
        finally:
            with self._lock:
                self._running = self._stopped = False
                self._close()

    def stop(self) -> None:
        """Let `start` return when the method that runs has ended; from any thread, or a signal handler."""
        self._stopped = True
        self._wake()

    def attach_periodic_callback(self, callback: Callable[[], Any], callback_time: float) -> None:
        """Call it every so many milliseconds while the loop runs; takes the place of the one before.

        Raises:
            ValueError: the time is not above 0.
        """
        if callback_time <= 0:
            raise ValueError("Periodic callback must have a positive callback_time")
        self._next = time.monotonic() + callback_time / 1000
        self._periodic = (callback, callback_time / 1000)
        self._wake()

    def dettach_periodic_callback(self) -> None:
        self._periodic = None

    def _turn(self) -> None:
        assert self._selector is not None
        for key, events in self._selector.select(self._patience()):
            key.data(events)
        if not self._timers and self._periodic is None:
            return
        now = time.monotonic()
        due = [timer for timer in self._timers if timer[0] <= now]
        for timer in due:
            self._timers.remove(timer)
            timer[1]()
        periodic = self._periodic
        if periodic is not None and self._next <= now:
            self._next = now + periodic[1]
            try:
                periodic[0]()
            except Exception:  # noqa: BLE001 - the program's; the loop goes on
                _log.exception("a periodic callback raised")

    def _patience(self) -> float | None:
        if not self._timers and self._periodic is None:
            return None
        times = [when for when, _ in self._timers]
        if self._periodic is not None:
            times.append(self._next)
        return max(0.0, min(times) - time.monotonic())

    # ---- for transports and sessions -------------------------------------------------------------------------------

    def watch(self, sock: socket.socket, events: int, handler: Handler) -> None:
        """Call the handler, in the loop's thread, when the socket is ready for one of these; from any thread.

        Without events it is kept, as the work of a server which goes on, but not looked at.
        """
        with self._lock:
            before = self._watched.get(sock, (0, None))[0]
            self._watched[sock] = (events, handler)
            if self._selector is None or before == events:
                return
            if not events:
                self._selector.unregister(sock)
            elif before:
                self._selector.modify(sock, events, handler)
            else:
                self._selector.register(sock, events, handler)

    def forget(self, sock: socket.socket) -> None:
        """Watch it no more; from any thread."""
        with self._lock:
            if self._watched.pop(sock, (0, None))[0] and self._selector is not None:
                self._selector.unregister(sock)

    def later(self, seconds: float, function: Callable[[], None]) -> None:
        """Call it in the loop's thread after so many seconds; only from that thread."""
        self._timers.append((time.monotonic() + seconds, function))

    @property
    def running(self) -> bool:
        return self._running

    def _attach(self, session: Session) -> None:
        self._sessions.add(session)

    def _answered(self, future: Future) -> None:
        """A call of a client has its outcome: what its program runs the loop for, or will, unless it serves."""
        if self._watched:
            return
        with self._lock:
            if self._running:
                self.stop()
            elif future._callback is not None:
                self._came = True
            elif not future._joined:
                self._unheard.add(future)

    def _heard(self, future: Future) -> None:
        """Somebody waits for it by itself."""
        if self._unheard:
            with self._lock:
                self._unheard.discard(future)

    # ---- descriptors: only while it runs, as each client has a loop ------------------------------------------------

    def _open(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._waker = socket.socketpair()
        for end in self._waker:
            end.setblocking(False)
        self._selector.register(self._waker[0], selectors.EVENT_READ, self._woken)
        for sock, (events, handler) in self._watched.items():
            if events:
                self._selector.register(sock, events, handler)

    def _close(self) -> None:
        assert self._selector is not None
        assert self._waker is not None
        waker, self._waker = self._waker, None
        selector, self._selector = self._selector, None
        selector.close()
        for end in waker:
            end.close()

    def _wake(self) -> None:
        waker = self._waker
        if waker is not None:
            with contextlib.suppress(OSError):  # full, or closed just now
                waker[1].send(b"\0")

    def _woken(self, events: int) -> None:
        if self._waker is not None:
            with contextlib.suppress(BlockingIOError):
                self._waker[0].recv(4096)
