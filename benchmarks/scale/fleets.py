"""Whole runs of simulated pools: what kinds of work, and what goes wrong."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from benchmarks.scale.peers import Work
from benchmarks.scale.world import SECOND, Faults, Outcome, World

__all__ = ["FLEETS", "Fleet"]

SHAPE = 1.5  # of the heavy tail: a finite mean, no variance
LONGEST = 100  # times the mean; a call of the tail that were longer would be all that the run shows
LEAST = 20_000  # calls of a run on few workers
MAP_HEAP = 32  # what a pool's `map` gives its jobs


@dataclass(frozen=True)
class Fleet:
    """One kind of run.

    Args:
        mean: seconds a call takes.
        kind: "constant", "exponential" or "heavy-tailed".
        calls: for each worker.
        ahead: calls for each worker that are added before the first is over; 0 for all at once, as a map.
        timeout: of each call, in means; 0 for none.
        life: seconds that a worker lives, in means; 0 for ever.
        cancels: share of calls that are cancelled.
    """

    mean: float
    kind: str
    calls: int
    ahead: int = 0
    timeout: float = 0.0
    life: float = 0.0
    cancels: float = 0.0
    seed: int = field(default=9)

    def durations(self, count: int) -> Iterator[int]:
        """Nanoseconds of each call."""
        chance = random.Random(self.seed)
        mean = self.mean * SECOND
        for _ in range(count):
            if self.kind == "constant":
                yield int(mean)
            elif self.kind == "exponential":
                yield int(chance.expovariate(1 / mean)) + 1
            else:
                yield int(min(chance.paretovariate(SHAPE) / SHAPE * (SHAPE - 1), LONGEST) * mean) + 1

    def run(self, peers: int, most: int) -> Outcome:
        """On so many workers, with no more than so many calls."""
        count = min(max(self.calls * peers, LEAST), most)
        work = Work(self.durations(count), self.timeout * self.mean or None)
        work.whole = not self.ahead
        work.heap = 1 if self.ahead else MAP_HEAP
        faults = Faults(self.life * self.mean, self.cancels, self.seed)
        return World(peers, work, faults, window=self.ahead * peers).run()


FLEETS = {
    "a map, 1 ms each": Fleet(0.001, "constant", 1000),
    "a map, 1 ms exponential": Fleet(0.001, "exponential", 200),
    "a map, 10 ms heavy-tailed": Fleet(0.010, "heavy-tailed", 100),
    "a stream of 50 ms exponential": Fleet(0.050, "exponential", 20, ahead=4),
    "the same, with all that goes wrong": Fleet(
        0.050, "exponential", 20, ahead=4, timeout=5.0, life=1000.0, cancels=0.01
    ),
}
