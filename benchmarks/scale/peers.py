"""A simulated worker: calls are durations, and answering them is arithmetic.

Rule: time is a whole number of nanoseconds, so that sums are exact. A worker is only told what a real one would read.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable
from itertools import accumulate

from elsewhere.sansio.scheduling.jobs import Job

__all__ = ["BELL", "Answer", "SimulatedPeer", "Work"]

BELL = 500_000  # ns that an answer may be old before a worker rings for it, times the job's heap
Answer = tuple[int, int]  # calls that are over, 0 for one that was skipped or interrupted; nanoseconds they took


class Work(Job):
    """A job whose calls take known times.

    Args:
        durations: nanoseconds of each call, in the order of their indexes.
    """

    __slots__ = ("at",)

    def __init__(self, durations: Iterable[int], timeout: float | None = None, **options: object) -> None:
        super().__init__(timeout, **options)  # type: ignore[arg-type]  # a Job's own
        self.at = array("q", accumulate(durations, initial=0))  # when each would begin, one after the other


class SimulatedPeer:
    """One worker.

    Attributes:
        begin: when the first call of `runs` began, or will.
        over: calls that are over in its whole life, told or not.
        untold: answers since it last rang.
        oldest: when the oldest of these came.
        parked: it was recalled when it had begun so many calls, and begins no other; None if it was not.
    """

    __slots__ = ("begin", "key", "oldest", "over", "parked", "rings_at", "runs", "skips", "untold")

    def __init__(self, key: int) -> None:
        self.key = key
        self.runs: deque[list[int]] = deque()
        self.begin = self.over = self.oldest = 0
        self.untold: list[Answer] = []
        self.skips: set[int] = set()
        self.parked: int | None = None
        self.rings_at = -1  # the time of the one event that is planned for it; -1 for none

    def hand(self, lo: int, hi: int, now: int, way: int) -> None:
        """A run arrives; one that comes to an idle worker has to come there first."""
        if not self.runs:
            self.begin = now + way
        self.runs.append([lo, hi])

    def advance(self, work: Work, now: int) -> None:
        """What is over by now."""
        at = work.at
        while self.runs:
            run = self.runs[0]
            lo, hi = run
            if self.parked is not None:
                hi = min(hi, lo + self.parked - self.over)
            if self.over + 1 in self.skips:
                if self.begin > now or lo == hi:
                    return
                self.skips.discard(self.over + 1)
                self._end(run, 1, 0, skipped=True)
                continue
            if self.skips:
                hi = min(hi, lo + min(self.skips) - 1 - self.over)
            reached = bisect_right(at, at[lo] + now - self.begin, lo, hi + 1) - 1
            if reached <= lo:
                return
            if not self.untold:
                self.oldest = self.begin + at[lo + 1] - at[lo]
            self._end(run, reached - lo, at[reached] - at[lo])
            if reached < hi:
                return

    def _end(self, run: list[int], count: int, took: int, *, skipped: bool = False) -> None:
        if not self.untold and skipped:
            self.oldest = self.begin
        self.untold.append((0 if skipped else count, took))
        self.over += count
        self.begin += took
        run[0] += count
        if run[0] == run[1]:
            self.runs.popleft()

    def rings(self, work: Work) -> int:
        """When it rings next: it has nothing left then, or its oldest answer is old enough; -1 for never."""
        if not self.runs:
            return self.oldest if self.untold else -1
        if self.parked == self.over:
            return self.oldest if self.untold else -1
        at, time = work.at, self.begin
        lo = self.runs[0][0]
        due = (self.oldest if self.untold else time + at[lo + 1] - at[lo]) + BELL * work.heap
        for lo, hi in self.runs:
            reached = bisect_left(at, at[lo] + due - time, lo + 1, hi + 1)
            if reached <= hi:
                return time + at[reached] - at[lo]
            time += at[hi] - at[lo]
        return time

    @property
    def started(self) -> int:
        """The ordinal of the call it is in, or of the last one it was in."""
        return self.over + (bool(self.runs) and self.parked != self.over)

    def begun(self, now: int) -> int:
        """The same, if it has come there."""
        return self.started if self.begin <= now else self.over

    def skip(self, ordinal: int, now: int) -> None:
        """Do not begin a call; one that has begun goes on."""
        if ordinal > self.begun(now):
            self.skips.add(ordinal)

    def interrupt(self, ordinal: int, now: int) -> bool:
        """End the call it is in; False if it is another."""
        if not self.runs or self.over + 1 != ordinal or self.begin > now or self.parked == self.over:
            return False
        if not self.untold:
            self.oldest = now
        took, self.begin = now - self.begin, now
        self._end(self.runs[0], 1, 0, skipped=True)
        self.untold[-1] = (0, took)
        return True

    def recall(self, now: int) -> None:
        """Begin no other call than the present one."""
        self.parked = self.over + (bool(self.runs) and self.begin <= now)

    def withdraw(self, first: int, now: int) -> None:
        """Drop the calls from this ordinal on, and go on."""
        keep = first - 1 - self.over
        kept: deque[list[int]] = deque()
        for lo, hi in self.runs:
            if keep > 0:
                kept.append([lo, min(hi, lo + keep)])
                keep -= hi - lo
        self.runs = kept
        if self.parked == self.over:
            self.begin = max(self.begin, now)
        self.parked = None
        self.skips = {ordinal for ordinal in self.skips if ordinal < first}
