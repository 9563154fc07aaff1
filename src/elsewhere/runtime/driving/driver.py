"""What surrounds a scheduler: it tells the machine what happened and carries out what the machine answers.

Rule: the driver decides nothing about calls. Only the thread that drives (see `pump`) touches the scheduler; everybody
else posts.

::

    any thread ── post(event) ──> inbox ─┐
                                         ├─> scheduler ──> actions ──> _perform ──> workers, futures
    workers, clock ────── _sleep ────────┘
"""

from __future__ import annotations

import contextvars
import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

from elsewhere.errors import InternalError, PoolClosed
from elsewhere.runtime.driving.pump import Pump
from elsewhere.runtime.driving.signals import Deferred
from elsewhere.runtime.jobs import CallJob, ours
from elsewhere.sansio.scheduling.jobs import Failed, Job, Order
from elsewhere.sansio.scheduling.scheduler import Scheduler, Span

__all__ = ["Driver"]

_log = logging.getLogger("elsewhere")


class Driver(Pump):
    """Base of the places that run calls; subclasses say how workers are started, fed and stopped.

    Args:
        scheduler: the machine; not to be touched from outside afterwards.
        name: for the background thread.
    """

    stops_running_calls = True  # can a running call be interrupted?

    def __init__(self, scheduler: Scheduler, name: str) -> None:
        super().__init__(name)
        self.scheduler = scheduler
        self.failed = self.succeeded = 0
        self._later: deque[Callable[[], None]] = deque()
        self._later_lock = threading.RLock()  # a finalizer may call anything while its thread holds it
        self._later_thread: threading.Thread | None = None
        self._jobs: weakref.WeakSet[CallJob] = weakref.WeakSet()
        self._settling = threading.RLock()

    # ---- for everybody -------------------------------------------------------------------------------------------

    @property
    def width(self) -> int:
        """How many calls may run beside each other."""
        return self.scheduler.size

    def start(self) -> None:
        """Start the workers, and the thread that looks after them when nobody else does."""
        with Deferred():
            self._inbox.append((self.scheduler.open, ()))
            self._go_on()
            self._thread.start()

    def prepare(self, job: CallJob) -> None:
        """Make a job's function ready to travel, in the caller's thread; raises what pickling it raises."""

    @staticmethod
    def by_reference(fn: Callable[..., Any]) -> Any:  # noqa: ARG004 - others need it
        """What tells the function apart from others, if it is one that every worker can import; else None."""
        return None

    @staticmethod
    def is_plain(value: Any) -> bool:  # noqa: ARG004 - others need it
        """Does it travel as it is, without `pack`?"""
        return False

    @staticmethod
    def all_plain(values: list[Any] | range) -> bool:  # noqa: ARG004 - others need it
        """Do all of these travel as they are?"""
        return True

    def pack(self, job: CallJob, values: list[Any] | range, first: int, input_name: str) -> list[Any] | range:
        """Make items ready to travel, in the caller's thread; raises what pickling one raises."""
        return values

    def share(self, obj: Any) -> Any:
        """What stands for an object that all calls may use; where nothing travels, the object itself."""
        return obj

    def add(self, job: CallJob, lo: int, hi: int, *, waits: bool = False) -> None:
        """Calls of a job are ready to go; their items are in `job.items`.

        Args:
            waits: the same thread will wait for them at once, and drive.
        """
        self._inbox.append((self._add, (job, lo, hi)))
        if self._asleep:
            self._ring()
        if self._ended:
            self._turn_away()
        elif not waits:
            self._go_on()

    def forget(self, job: CallJob, index: int) -> None:
        """Nobody wants this call any more."""
        self.post(self._forget, job, index)

    def drop(self, job: CallJob) -> None:
        """Nobody wants any more of this job."""
        self.post(self._drop, job)

    def close(self) -> None:
        """Finish what there is, then end."""
        self.post(self.scheduler.close)

    def terminate(self) -> None:
        """Stop everything and end."""
        self.post(self._terminate)

    def is_running(self, job: Job, index: int) -> bool:
        """Is this call being executed right now?"""
        return any(found[0] is job and found[1] == index for found in self.running())

    def running(self) -> list[tuple[CallJob, int, int, float]]:
        """Job, index, worker's pid (or number) and start (`time.monotonic`) of each call being executed."""
        return []

    def workers(self) -> list[int]:
        """The workers' process ids, or numbers."""
        return list(self.scheduler.peers)

    def later(self, work: Callable[[], None]) -> None:
        """Run `work` soon on a thread of its own, after what was handed in before."""
        with Deferred(), self._later_lock:
            self._later.append(work)
            if self._later_thread is None:
                self._later_thread = threading.Thread(target=self._run_later, name="elsewhere-callbacks", daemon=True)
                self._later_thread.start()

    # ---- steps -----------------------------------------------------------------------------------------------------

    def _carry_out(self) -> None:
        inbox = self._inbox
        while inbox:
            event, args = inbox.popleft()
            event(*args)
            del event, args  # not to keep the last result alive while the driver sleeps
        if self._due is not None and self._due <= (now := time.monotonic()):
            self._tick(now)
        self._act()
        self._due = self._next_timer()

    def _next_timer(self) -> float | None:
        return self.scheduler.next_timer()

    def _tick(self, now: float) -> None:
        self.scheduler.tick(now)

    def _act(self) -> None:
        actions = self.scheduler.actions
        while actions:
            action = actions.popleft()
            if type(action) is Failed:
                self._tell_failed(action)
            else:
                self._perform(action)  # type: ignore[arg-type]  # an Order: a Failed is nothing else

    def _perform(self, action: Order) -> None:
        raise NotImplementedError

    def _busy(self) -> bool:
        return bool(self._inbox or self.scheduler.unfinished or self.scheduler.closing)

    def _over(self) -> bool:
        scheduler = self.scheduler
        if not scheduler.closing or scheduler.unfinished or scheduler.peers:
            return False
        return not self._inbox and not scheduler.actions

    # ---- events --------------------------------------------------------------------------------------------------

    def _add(self, job: CallJob, lo: int, hi: int) -> None:
        while self._inbox:  # a burst of submits is one run
            event, args = self._inbox[0]
            if event != self._add or args[0] is not job or args[1] != hi:
                break
            self._inbox.popleft()
            hi = args[2]
        if not job.known:
            job.known = True
            self._jobs.add(job)
        self.scheduler.add(job, lo, hi, time.monotonic())

    def _forget(self, job: CallJob, index: int) -> None:
        self._act()  # a run with this call in it may be on its way
        self.scheduler.cancel(job, index, time.monotonic())
        job.free(index)

    def _drop(self, job: CallJob) -> None:
        self.scheduler.drop(job, time.monotonic())

    def _terminate(self) -> None:
        self.scheduler.terminate(time.monotonic())

    def _deliver(self, spans: list[Span], values: list[Any]) -> None:
        """Hand values to the jobs that want them; the spans cover the values in order."""
        at = 0
        for job, lo, hi in spans:
            if job is not None:
                whole = at == 0 and hi - lo == len(values)
                ours(job).deliver(lo, hi, values if whole else values[at : at + hi - lo])
                self.succeeded += hi - lo
            at += hi - lo

    def _context(self, key: int) -> contextvars.Context | None:
        """Of whoever submitted the call that a worker is in."""
        peer = self.scheduler.peers.get(key)
        if peer is None or not peer.held:
            return None
        job, index = peer.first
        return ours(job).context_of(index)

    def _tell_failed(self, action: Failed) -> None:
        self.failed += 1
        ours(action.job).fail(action.index, action.error, action.attempts)

    def _turn_away(self) -> None:
        """Calls that were posted while the driver ended fail: nobody will look at the inbox again."""
        error = PoolClosed("the pool ended before this call started")
        with self._settling:
            while self._inbox:
                event, args = self._inbox.popleft()
                if event == self._add:
                    job, lo, hi = args
                    for index in range(lo, hi):
                        job.fail(index, error, 0)

    def _crash(self, error: BaseException) -> None:
        """A bug of ours: nobody is left waiting, and the log says why."""
        _log.critical("elsewhere: the driver of a pool failed; its calls fail", exc_info=error)
        failure = InternalError(f"the pool's driver failed: {error!r}")
        failure.__cause__ = error
        self.scheduler.terminated = self.scheduler.closing = True
        while self._inbox:
            event, args = self._inbox.popleft()
            if event == self._add:
                self._jobs.add(args[0])
        for job in list(self._jobs):
            job.abort(failure)

    def _run_later(self) -> None:
        while True:
            with self._later_lock:
                if not self._later:
                    self._later_thread = None
                    return
                work = self._later.popleft()
            try:
                work()
            except Exception:  # noqa: BLE001 - a callback may raise anything
                _log.exception("elsewhere: a callback failed")
            self.nudge()  # a future is done only after its callback
