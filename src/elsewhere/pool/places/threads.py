"""Calls in threads: for work that waits for files, sockets and databases.

Rule: a thread cannot be stopped. One that is past its call's deadline, or whose call was cancelled in time, is left to
itself and replaced; it ends when its call does. `abandoned` counts them.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from elsewhere.call import describe_call
from elsewhere.errors import ElsewhereError, WorkerLost, WorkerStartError
from elsewhere.runtime.driving.driver import Driver
from elsewhere.runtime.jobs import CallJob, ours
from elsewhere.sansio.frames import Shape
from elsewhere.sansio.scheduling.jobs import Interrupt, Kill, Observe, Order, Retire, Send, Start, Stop
from elsewhere.sansio.scheduling.scheduler import Scheduler

__all__ = ["LocalDriver", "Threads", "add_note", "call_item"]

LAST_MOMENT = 1.0  # seconds for a thread to end after it has said so


def call_item(fn: Callable[..., Any], item: Any, shape: int) -> Any:
    """Call `fn` the way a worker process does."""
    if shape == Shape.ONE:
        return fn(item)
    if shape == Shape.STAR:
        return fn(*item)
    return fn(*item[0], **item[1])


def add_note(error: BaseException, job: CallJob, index: int, item: Any, where: str) -> None:
    """Say which call raised it."""
    if job.shape == Shape.ONE:
        call = describe_call(job.name, (item,))
    elif job.shape == Shape.STAR:
        call = describe_call(job.name, tuple(item)) if isinstance(item, tuple | list) else f"{job.name}(*{item!r:.60})"
    else:
        call = describe_call(job.name, *item)
    try:
        error.add_note(f"raised by {call}, input {index}, in {where}")
    except Exception:  # noqa: BLE001 - an exception class may forbid it; the note is a courtesy
        return


class LocalDriver(Driver):
    """Base of the places inside this process: workers that answer by posting."""

    def __init__(
        self,
        scheduler: Scheduler,
        name: str,
        *,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
    ) -> None:
        super().__init__(scheduler, name)
        self._initializer = initializer
        self._initargs = initargs

    def _ready(self, key: int) -> None:
        if key in self.scheduler.peers:
            self.scheduler.worker_ready(key, time.monotonic())

    def _answer(self, key: int, value: Any, error: BaseException | None, seconds: float) -> None:
        if key not in self.scheduler.peers:
            return  # abandoned: its call is over for everybody else
        if error is not None:
            self.scheduler.failed(key, error, seconds, time.monotonic())
        else:
            self._deliver(self.scheduler.finished(key, 1, seconds, time.monotonic()), [value])

    def _gone(self, key: int, started: int, error: ElsewhereError) -> None:
        if key in self.scheduler.peers:
            self.scheduler.lost(key, started, error, time.monotonic())


class _Thread:
    """One worker thread."""

    def __init__(self, driver: Threads, key: int) -> None:
        self.key = key
        self.runs: deque[tuple[CallJob, int, int] | None] = deque()
        self.more = threading.Semaphore(0)
        self.started = 0
        self.since = 0.0
        self.leave = False  # do no more than the call it is in
        self.thread = threading.Thread(target=self._work, args=(driver,), name=f"elsewhere-{key}", daemon=True)

    def hand(self, run: tuple[CallJob, int, int] | None) -> None:
        self.runs.append(run)
        self.more.release()

    def _work(self, driver: Threads) -> None:
        if not driver._initialize(self.key):
            return
        loop = _OwnLoop()
        try:
            while True:
                self.more.acquire()
                run = self.runs.popleft()
                if run is None or self.leave:
                    break
                self._run(driver, loop, *run)
                del run  # a thread that waits keeps no job, and so no values, alive
        finally:
            loop.close()
            driver.post(driver._gone, self.key, self.started, WorkerLost("the thread ended"))

    def _run(self, driver: Threads, loop: _OwnLoop, job: CallJob, lo: int, hi: int) -> None:
        for index in range(lo, hi):
            if self.leave:  # the rest of its chunk is for others
                return
            try:
                item = job.take(index, index + 1)[0]
            except (KeyError, IndexError):
                item = None  # told already, as cancelled: the answer is thrown away
            self.since = begin = time.monotonic()
            self.started += 1
            value, error = None, None
            if index not in job.settled:
                try:
                    value = job.context.copy().run(call_item, job.fn, item, job.shape)
                    if asyncio.iscoroutine(value):
                        value = loop.run(value)
                except BaseException as failure:  # noqa: BLE001 - it belongs to the caller, whatever it is
                    error = failure
                    add_note(error, job, index, item, f"thread {self.thread.name}")
            driver.post(driver._answer, self.key, value, error, time.monotonic() - begin)
            del value, error, item


class _OwnLoop:
    """A thread's own asyncio loop, made when a coroutine function is called."""

    def __init__(self) -> None:
        self._runner: asyncio.Runner | None = None

    def run(self, coroutine: Any) -> Any:
        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.run(coroutine)

    def close(self) -> None:
        if self._runner is not None:
            self._runner.close()


class Threads(LocalDriver):
    """A pool's threads.

    Attributes:
        abandoned: threads left to themselves so far, each with a call that did not end in time.
    """

    stops_running_calls = False

    def __init__(self, scheduler: Scheduler, name: str, **kwargs: Any) -> None:
        super().__init__(scheduler, name, **kwargs)
        self._threads: dict[int, _Thread] = {}
        self.abandoned = 0
        self._left_alone: set[int] = set()  # keys of those
        self._leaving: list[threading.Thread] = []

    def running(self) -> list[tuple[CallJob, int, int, float]]:
        """Job, index, thread's number and start of each call being executed."""
        found: list[tuple[CallJob, int, int, float]] = []
        for key, thread in list(self._threads.items()):
            peer = self.scheduler.peers.get(key)
            if peer is not None and thread.started > peer.done and peer.held:
                job, index = peer.first
                found.append((ours(job), index, thread.thread.ident or key, thread.since))
        return found

    def _initialize(self, key: int) -> bool:
        """Run the initializer, in the new thread."""
        try:
            if self._initializer is not None:
                self._initializer(*self._initargs)
        except BaseException as error:  # noqa: BLE001 - reported as the reason why threads cannot start
            failure = WorkerStartError(f"its initializer raised {type(error).__name__}: {error}")
            failure.__cause__ = error
            self.post(self._gone, key, 0, failure)
            return False
        self.post(self._ready, key)
        return True

    def _perform(self, action: Order) -> None:
        if isinstance(action, Start):
            made = self._threads[action.worker] = _Thread(self, action.worker)
            made.thread.start()
            return
        thread = self._threads.get(action.worker)
        if thread is None:
            return
        if isinstance(action, Send):
            thread.hand((ours(action.job), action.lo, action.hi))
        elif isinstance(action, Observe):
            self.scheduler.observed(thread.key, thread.started, thread.since, time.monotonic())
        elif isinstance(action, Retire):
            thread.hand(None)
        elif isinstance(action, Stop):  # one that is idle ends now; one that is in a call has the grace to end it
            thread.leave = True
            thread.hand(None)
        elif isinstance(action, Interrupt | Kill):
            self._abandon(thread)

    def _abandon(self, thread: _Thread) -> None:
        """Leave a thread to itself: it ends after the call it is in."""
        thread.leave = True
        thread.hand(None)
        self.abandoned += 1
        self._left_alone.add(thread.key)
        self._gone(thread.key, thread.started, WorkerLost("the thread was left to itself"))

    def _gone(self, key: int, started: int, error: ElsewhereError) -> None:
        super()._gone(key, started, error)
        thread = self._threads.pop(key, None)
        if thread is not None and key not in self._left_alone:
            self._leaving = [each for each in self._leaving if each.is_alive()]
            self._leaving.append(thread.thread)

    def _give_back(self) -> None:
        """Those that said that they end do so within moments: who waited for the pool finds none of them."""
        for thread in self._leaving:
            if thread is not threading.current_thread():
                thread.join(LAST_MOMENT)
