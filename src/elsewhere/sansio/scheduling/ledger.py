"""The calls of a pool that no worker holds, and how calls come to their end.

Rule: knows jobs and indexes, not workers. Every call that was added leaves here once: as a value, as `Failed`, or
because nobody wants it any more.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Iterator

from elsewhere.errors import ElsewhereError, PoolClosed
from elsewhere.sansio.scheduling.jobs import Action, Failed, Job, Run

__all__ = ["Ledger", "Span"]

Span = tuple[Job | None, int, int]  # a job and a range of its indexes, lo up to but not including hi


class Ledger:
    """What waits, what is delayed, and the last word on each call.

    Attributes:
        actions: what the driver is to do, in order; it takes them out.
        unfinished: calls added whose outcome has not been told.
        retried: runs of calls that are repeats.
        broken: the error that every call gets since no worker can do it; None while they can.
        terminated: nothing new is begun.
    """

    def __init__(self) -> None:
        self.actions: deque[Action] = deque()
        self.unfinished = 0
        self.retried = 0
        self.broken: ElsewhereError | None = None
        self.terminated = False
        self._ready: deque[Run] = deque()
        self._delayed: list[tuple[float, int, Job, int]] = []
        self._order = itertools.count()

    def _leave_if_done(self) -> None:
        """A call is over: it may have been the last."""
        raise NotImplementedError

    def _over(self, job: Job, index: int) -> None:
        job.failures.pop(index, None)
        self.unfinished -= 1
        self._leave_if_done()

    def _wanted(self, job: Job, indexes: range) -> Iterator[Span]:
        """A range cut where the outcome is told already; the rest of it is over now."""
        lo = indexes.start
        for index in indexes:
            if index in job.settled:
                job.settled.discard(index)
                if lo < index:
                    yield job, lo, index
                yield None, index, index + 1
                lo = index + 1
            else:
                self.unfinished -= 1  # its failures stay: whoever takes the value counts the attempts by them
        if lo < indexes.stop:
            yield job, lo, indexes.stop

    def _fault(self, job: Job, index: int, error: BaseException, now: float) -> bool:
        """A run of one call failed and its worker is free of it: repeat it or give it up.

        Returns:
            whether it is ready to be handed over again.
        """
        if index in job.settled:
            job.settled.discard(index)
            return False
        failures = job.failures.get(index, 0) + 1
        delay = None if self.terminated or self.broken is not None else self._delay(job, error, failures)
        if delay is not None:
            job.failures[index] = failures
            self.retried += 1
            if not delay:
                self._ready.append(Run(job, index, index + 1))
                return True
            heapq.heappush(self._delayed, (now + delay, next(self._order), job, index))
            return False
        self.actions.append(Failed(job, index, error, failures))
        self._over(job, index)
        return False

    @staticmethod
    def _delay(job: Job, error: BaseException, failures: int) -> float | None:
        """Seconds until a failed call is repeated, None for never."""
        if job.retry is None or not job.retry.wants(error, failures):
            return None
        try:
            return job.retry.delay(failures)
        except Exception as failure:  # noqa: BLE001 - backoff is the user's function: it fails this call, not the pool
            error.add_note(f"not repeated: Retry(backoff=...) raised {failure!r}")
            return None

    def _give_up(self, job: Job, indexes: range, error: BaseException) -> None:
        """Calls that will never start fail."""
        for index in indexes:
            if index in job.settled:
                job.settled.discard(index)
            else:
                self.actions.append(Failed(job, index, error, job.failures.get(index, 0)))
                self._over(job, index)

    def _give_back(self, run: Run) -> None:
        """Calls a lost worker had not begun go to the front of the queue."""
        if self.terminated or self.broken is not None:
            error = self.broken or PoolClosed("the pool was terminated before this call started")
            self._give_up(run.job, range(run.lo, run.hi), error)
            return
        hi = run.hi
        for index in range(run.hi - 1, run.lo - 1, -1):
            if index in run.job.settled:
                run.job.settled.discard(index)
                if index + 1 < hi:
                    self._ready.appendleft(Run(run.job, index + 1, hi))
                hi = index
        if run.lo < hi:
            self._ready.appendleft(Run(run.job, run.lo, hi))

    def _abandon(self, error: ElsewhereError) -> None:
        """Everything that waits here fails."""
        runs, self._ready = self._ready, deque()
        delayed, self._delayed = self._delayed, []
        for run in runs:
            self._give_up(run.job, range(run.lo, run.hi), error)
        for _, _, job, index in delayed:
            self._give_up(job, range(index, index + 1), error)
