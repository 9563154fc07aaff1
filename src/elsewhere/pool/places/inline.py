"""Calls in the caller's own thread, at once: for debuggers, profilers and tests.

Rule: the same scheduler decides about retries; the worker is whoever submits. A call cannot be
interrupted here: one that ran longer than its timeout fails when it ends.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

from elsewhere.errors import CallTimeout, WorkerLost
from elsewhere.pool.places.threads import LocalDriver, add_note, call_item
from elsewhere.runtime.driving.pump import LONGEST_WAIT, Subscribe
from elsewhere.runtime.jobs import CallJob, ours
from elsewhere.sansio.scheduling.jobs import Order, Retire, Send, Start, Stop
from elsewhere.sansio.scheduling.scheduler import Scheduler

__all__ = ["Inline"]


class Inline(LocalDriver):
    """A pool without a thread or a process."""

    stops_running_calls = False

    def __init__(self, scheduler: Scheduler, name: str, **kwargs: Any) -> None:
        super().__init__(scheduler, name, **kwargs)
        self._lock = threading.RLock()
        self._running: tuple[CallJob, int, int, float] | None = None
        self._calling: set[int] = set()

    @property
    def width(self) -> int:
        """One: the caller's thread makes them."""
        return 1

    def wait(self, done: Callable[[], bool], timeout: float | None, subscribe: Subscribe) -> bool:
        """Another thread's calls are the other thread's to make: sleep until they are done."""
        if done():
            return True
        over = threading.Event()
        subscribe(over.set)
        return over.wait(timeout) or done()

    def add(self, job: CallJob, lo: int, hi: int, *, waits: bool = False) -> None:
        """Make the calls."""
        self.post(self._add, job, lo, hi)

    def start(self) -> None:
        """Run the initializer: here it raises where the pool is made."""
        if self._initializer is not None:
            self._initializer(*self._initargs)
        self.post(self.scheduler.open)

    def post(self, event: Callable[..., None], *args: Any) -> None:
        """Carry it out now, in this thread."""
        self._inbox.append((event, args))
        with self._lock:  # a call may submit calls and wait for them: they run inside it, on another of our workers
            self._drain()

    def _drain(self) -> None:
        scheduler = self.scheduler
        while True:
            while self._inbox:
                event, args = self._inbox.popleft()
                event(*args)
            self._act()
            at = scheduler.next_timer()
            if self._inbox or scheduler.actions:
                continue
            if at is None:
                break
            if (pause := at - time.monotonic()) > 0:
                threading.Event().wait(min(pause, LONGEST_WAIT))  # a retry's backoff: there is nobody else to wait
            scheduler.tick(time.monotonic())
        if self._over():
            self._end()

    def running(self) -> list[tuple[CallJob, int, int, float]]:
        """Job, index, number and start of the call being executed."""
        running = self._running
        return [] if running is None else [running]

    def later(self, work: Callable[[], None]) -> None:
        """Callbacks too run at once."""
        work()

    def _perform(self, action: Order) -> None:
        if isinstance(action, Start):
            self._inbox.append((self._ready, (action.worker,)))
        elif isinstance(action, Send):
            self.scheduler.peers[action.worker].check_at = None  # nobody could look while it runs, nor need after it
            for index in range(action.lo, action.hi):
                self._call(action.worker, ours(action.job), index)
        elif isinstance(action, Retire | Stop):
            peer = self.scheduler.peers[action.worker]
            self._gone(action.worker, peer.done + (action.worker in self._calling), WorkerLost("the pool ended"))

    def _call(self, key: int, job: CallJob, index: int) -> None:
        begin = time.monotonic()
        value, error, outer = None, None, self._running
        if index not in job.settled:
            item = job.take(index, index + 1)[0]
            self._running = (job, index, 0, begin)
            self._calling.add(key)
            try:
                value = job.context.copy().run(call_item, job.fn, item, job.shape)
                if asyncio.iscoroutine(value):
                    value = _run(value)
            except BaseException as failure:
                error = failure
                add_note(error, job, index, item, "the caller's thread")
                if not isinstance(failure, Exception) and threading.current_thread() is threading.main_thread():
                    # Ctrl-C or sys.exit: it ends what the caller is doing, and so the rest of this job.
                    self.scheduler.drop(job, begin)
                    self._answer(key, None, failure, 0.0)
                    job.abort(failure)
                    raise
            finally:
                self._running = outer
                self._calling.discard(key)
        seconds = time.monotonic() - begin
        if job.timeout is not None and seconds > job.timeout and index not in job.settled:
            error = CallTimeout(f"the call ran longer than its timeout of {job.timeout:g} s")
        self._answer(key, value, error, seconds)

    def _next_timer(self) -> float | None:
        return self.scheduler.next_timer()


def _run(coroutine: Any) -> Any:
    """Await a coroutine here; on a thread of its own if this thread's loop is busy."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    outcome: list[Any] = []

    def work() -> None:
        try:
            outcome.append((asyncio.run(coroutine), None))
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            outcome.append((None, error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    value, error = outcome[0]
    if error is not None:
        raise error
    return value
