"""What is to happen at some time: a heap with entries that can be cancelled.

Rule: no clock and no thread in here; who has them asks `next` how long to sleep and `due` what to do.
"""

from __future__ import annotations

import heapq
import itertools
import math
import threading
from collections.abc import Callable

__all__ = ["Deadline", "Deadlines"]

FEW = 64  # entries that may be dead before they are swept


class Deadline:
    """One entry.

    Attributes:
        when: by the monotonic clock.
        work: what is to be called; None once it was, or was cancelled.
    """

    __slots__ = ("_all", "_number", "when", "work")

    def __init__(self, entries: Deadlines, number: int, when: float, work: Callable[[], object]) -> None:
        self._all = entries
        self._number = number
        self.when = when
        self.work: Callable[[], object] | None = work

    def __lt__(self, other: Deadline) -> bool:
        return (self.when, self._number) < (other.when, other._number)

    def cancel(self) -> None:
        """It will not happen, unless it is happening right now."""
        if self.work is not None:
            self.work = None
            self._all.died()


class Deadlines:
    """All of them; any thread may add."""

    def __init__(self) -> None:
        self._heap: list[Deadline] = []
        self._dead = 0
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def add(self, when: float, work: Callable[[], object]) -> Deadline:
        """A new entry."""
        with self._lock:
            made = Deadline(self, next(self._numbers), when, work)
            heapq.heappush(self._heap, made)
            return made

    def died(self) -> None:
        """One was cancelled."""
        with self._lock:
            self._dead += 1
            if self._dead > FEW and 2 * self._dead > len(self._heap):
                self._heap = [each for each in self._heap if each.work is not None]
                heapq.heapify(self._heap)
                self._dead = 0

    def next(self) -> float:
        """When the first is due; infinity if there is none."""
        with self._lock:
            while self._heap and self._heap[0].work is None:
                heapq.heappop(self._heap)
                self._dead = max(0, self._dead - 1)
            return self._heap[0].when if self._heap else math.inf

    def due(self, now: float) -> list[Callable[[], object]]:
        """What is to be called now."""
        found = []
        with self._lock:
            while self._heap and self._heap[0].when <= now:
                entry = heapq.heappop(self._heap)
                work, entry.work = entry.work, None
                if work is not None:
                    found.append(work)
        return found
