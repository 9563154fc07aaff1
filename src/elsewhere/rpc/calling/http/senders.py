"""Threads that make the calls of futures, each on a connection of its own while it does.

Rule: there are none without work: a thread that finds none for a moment ends. Of a burst of calls some wait until a
thread is free, as HTTP has one call at a time on a connection.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from elsewhere.rpc.calling.terms import Call
from elsewhere.runtime.driving.signals import Condition
from elsewhere.runtime.future import Future

__all__ = ["Posted", "Senders", "Sending"]

MOST = 16  # threads, and so connections
LINGER = 0.5  # seconds that one waits for more: starting it takes some 0.1 ms
MOST_UNSENT = 64 << 20  # bytes, and ...
MOST_CALLS = 8192  # ... calls that wait to be sent, until who submits waits, too


class Posted(Call):
    """A call of a future.

    Attributes:
        notifies: there is no future.
        dropped: nobody wants it any more.
    """

    __slots__ = ("dropped", "notifies")

    def __init__(self, *args: Any, notifies: bool = False) -> None:
        super().__init__(*args)
        self.notifies = notifies
        self.dropped = False


class Sending:
    """What is posted at once: a call, or a batch of them.

    Attributes:
        calls: each with its future; None for a notification.
        data, key: as `Body.one` or `Body.many` has made them.
        batch: it is one.
    """

    __slots__ = ("batch", "calls", "data", "key")

    def __init__(self, calls: list[tuple[Future[Any] | None, Posted]], data: bytes, key: Any, *, batch: bool) -> None:
        self.calls = calls
        self.data = data
        self.key = key
        self.batch = batch

    def deadline(self) -> float:
        """When the first of them is too late."""
        return min(call.deadline for _, call in self.calls)

    def wanted(self) -> bool:
        """Does anybody wait for it?"""
        return any(future is None or not future.done() for future, _ in self.calls)


class Senders:
    """See the module.

    Args:
        work: makes the calls of one `Sending`; it raises nothing.
    """

    def __init__(self, work: Callable[[Sending], None]) -> None:
        self._work = work
        self._changed = Condition()
        self._room = Condition()
        self._queue: deque[Sending] = deque()
        self._threads: set[threading.Thread] = set()
        self._idle = 0
        self._bytes = 0
        self._pressed = 0  # so many wait for room
        self._closed = False

    def put(self, sending: Sending) -> bool:
        """Have it made soon; False if it has to wait for a thread that is free, or there will be none any more."""
        with self._changed:
            if self._closed:
                return False
            self._queue.append(sending)
            self._bytes += len(sending.data)
            if self._idle >= len(self._queue):
                self._changed.notify()
                return True
            if len(self._threads) < MOST:
                self._start()
                return True
            return False

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="elsewhere-rpc-http", daemon=True)
        self._threads.add(thread)
        try:
            thread.start()
        except BaseException:
            self._threads.discard(thread)
            raise

    def wait_for_room(self, deadline: float) -> None:
        """Wait while too much is unsent."""
        if len(self._queue) <= MOST_CALLS and self._bytes <= MOST_UNSENT:
            return
        seconds = None if deadline == math.inf else max(0.0, deadline - time.monotonic())
        with self._room:
            self._pressed += 1
            try:
                self._room.wait_for(
                    lambda: self._closed or (len(self._queue) <= MOST_CALLS and self._bytes <= MOST_UNSENT), seconds
                )
            finally:
                self._pressed -= 1

    def waiting(self) -> list[Sending]:
        """What no thread has begun."""
        with self._changed:
            return list(self._queue)

    # ---- the threads -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            sending = self._next()
            if sending is None:
                return
            self._work(sending)
            del sending

    def _next(self) -> Sending | None:
        with self._changed:
            end = time.monotonic() + LINGER
            while not self._queue:
                left = end - time.monotonic()
                if self._closed or left <= 0:
                    self._threads.discard(threading.current_thread())
                    return None
                self._idle += 1
                try:
                    self._changed.wait(left)
                finally:
                    self._idle -= 1
            sending = self._queue.popleft()
            self._bytes -= len(sending.data)
        if self._pressed:
            with self._room:
                self._room.notify_all()
        return sending

    # ---- the end -----------------------------------------------------------------------------------------------------

    def close(self) -> list[Sending]:
        """Begin nothing more; what was not begun."""
        with self._changed:
            self._closed = True
            left = list(self._queue)
            self._queue.clear()
            self._changed.notify_all()
        with self._room:
            self._room.notify_all()
        return left

    def join(self, seconds: float) -> None:
        """Wait until the threads have ended, but for this one."""
        end = time.monotonic() + seconds
        for thread in list(self._threads):
            if thread is not threading.current_thread():
                thread.join(max(0.0, end - time.monotonic()))
