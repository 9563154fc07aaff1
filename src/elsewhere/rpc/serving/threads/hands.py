"""Threads for methods whose connection is read by somebody who must not wait: a loop, or a client's call.

Rule: nobody waits for them. A `ThreadPoolExecutor` would do, but for the end of the interpreter, which waits for its
threads: a method that never comes back would hold up a program that has nothing more to do.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

__all__ = ["Hands"]

STAY = 10.0  # seconds that a thread without work stays
OVERFLOW = 8  # threads that wait for their callers may be this many times the others
Job = tuple["Future[Any]", Callable[..., Any], "tuple[Any, ...]", "dict[str, Any]"]


class Hands:
    """Runs jobs, each in a thread; so many at once, the others wait.

    Args:
        most: threads, without those that are lent.
        name: theirs.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._changed = threading.Condition()
        self._jobs: deque[Job] = deque()
        self._threads: set[threading.Thread] = set()
        self._idle = 0
        self._lent = 0
        self._closed = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have it run; cancelling the future takes it back, if it has not begun.

        Raises:
            RuntimeError: they were closed, or the system gives no thread.
        """
        future: Future[Any] = Future()
        with self._changed:
            if self._closed:
                raise RuntimeError("no thread is left for it: the service has ended")
            self._jobs.append((future, fn, args, kwargs))
            if len(self._jobs) > self._idle:
                self._start()
            self._changed.notify()
        return future

    def lend(self, count: int) -> None:
        """So many threads more, or fewer, wait for what other jobs may have to do."""
        with self._changed:
            self._lent += count
            if len(self._jobs) > self._idle:
                with contextlib.suppress(RuntimeError):  # there is a thread: the one that lends itself
                    self._start()

    def _start(self) -> None:
        if len(self._threads) - min(self._lent, OVERFLOW * self._most) >= self._most:
            return
        thread = threading.Thread(target=self._work, name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            if not self._threads:  # else one of them will do it
                self._jobs.pop()
                raise
        else:
            self._threads.add(thread)

    def _work(self) -> None:
        while (job := self._next()) is not None:
            future, fn, args, kwargs = job
            if future.set_running_or_notify_cancel():
                try:
                    value = fn(*args, **kwargs)
                except BaseException as error:  # noqa: BLE001 - it is its caller's, whatever it is
                    future.set_exception(error)
                else:
                    future.set_result(value)
                    del value
            del job, future, fn, args, kwargs

    def _next(self) -> Job | None:
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: self._jobs or self._closed, STAY)
            self._idle -= 1
            if self._jobs:
                return self._jobs.popleft()
            self._threads.discard(threading.current_thread())
            return None

    def mine(self) -> bool:
        """Is the calling thread one of them?"""
        return threading.current_thread() in self._threads

    def close(self) -> None:
        """Take no more jobs, forget those that have not begun, and let the threads end when theirs are over."""
        with self._changed:
            self._closed = True
            jobs, self._jobs = self._jobs, deque()
            self._changed.notify_all()
        for future, *_ in jobs:
            future.cancel()
