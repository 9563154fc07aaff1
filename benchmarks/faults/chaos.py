"""Chaos: workers are killed at random while calls are made that are retried; each result must come exactly once.

Rule: seeded. The moments of the kills are a random sample of the calls' ends, so that every kill falls among calls;
each kills one to all of the workers there are, in calls, between them or starting.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple, Self

from benchmarks.faults.guilty import short_work
from benchmarks.faults.processes import children, strike
from elsewhere import Pool, Retry, WorkerLost
from tests import leaks
from tests.faults.helpers import by_imap_unordered, by_map, until

__all__ = ["WAYS", "Found", "run"]

WORKERS = 3
SECONDS = 120.0  # for all calls of one way


def by_submit(pool: Pool, fn: Callable[[int], int], inputs: range) -> list[Any]:
    """A call that is run again comes after all others, so each may take as long as all of them."""
    futures = [pool.submit(fn, value) for value in inputs]
    return [future.exception(SECONDS) or future.result() for future in futures]


WAYS: dict[str, Callable[[Any, Any, Any], list[Any]]] = {
    "imap_unordered": by_imap_unordered,
    "map": by_map,
    "submit": by_submit,
}


class Found(NamedTuple):
    """What came of it.

    Attributes:
        wrong: what should not have happened, in words.
    """

    way: str
    calls: int
    kills: int
    lost: int
    retried: int
    seconds: float
    wrong: list[str]

    def in_words(self) -> str:
        outcome = "every result came exactly once" if not self.wrong else "; ".join(self.wrong)
        return (
            f"Chaos, {self.way}: {self.calls:,} calls with retries in {WORKERS} workers, {self.kills} SIGKILLs, "
            f"{self.retried} calls run again: {outcome}."
        )


class Killer:
    """A thread that kills workers whenever one more of the chosen moments is reached."""

    def __init__(self, pool: Pool, server: int, calls: int, kills: int, pick: random.Random) -> None:
        self.killed = 0
        self.failure: BaseException | None = None
        self._pool = pool
        self._server = server
        self._moments = sorted(pick.sample(range(calls - calls // 10), kills))
        self._kills = kills
        self._pick = pick
        self._tag = f"{leaks.MARK}={os.getpid()}"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            for moment in self._moments:
                if self.killed >= self._kills:
                    return
                self._wait_for(moment)
                if self._stop.is_set():
                    return
                self._kill_some()
        except BaseException as failure:
            self.failure = failure

    def _wait_for(self, moment: int) -> None:
        until(lambda: self._stop.is_set() or self._pool.statistics().succeeded >= moment, SECONDS)

    def _kill_some(self) -> None:
        """Workers in calls, as the pool says, or any there are, as the system says."""
        in_calls = sorted(call.worker for call in self._pool.statistics().running)
        there = sorted(children(self._server))
        candidates = in_calls if in_calls and self._pick.random() < 0.5 else there
        count = self._pick.choice([1, 1, 1, len(candidates)])
        victims = self._pick.sample(candidates, min(count, len(candidates), self._kills - self.killed))
        self.killed += strike(victims, self._tag)


def run(way: str, calls: int, kills: int, seed: int) -> Found:
    """Make so many calls with about so many kills among them, and count what comes back."""
    pick = random.Random(seed)
    begin = time.monotonic()
    with Pool(WORKERS, retry=Retry(retries=10_000, on=(WorkerLost,)), on_exit="terminate") as pool:
        server = pool.submit(os.getppid).result(SECONDS)
        with Killer(pool, server, calls, kills, pick) as killer:
            outcomes = WAYS[way](pool, short_work, range(calls))
        statistics = pool.statistics()
    counted: Counter[object] = Counter(outcome if isinstance(outcome, int) else repr(outcome) for outcome in outcomes)
    wanted: Counter[object] = Counter(value * value for value in range(calls))
    wrong = [f"{outcome} came {count} times too often" for outcome, count in (counted - wanted).items()]
    wrong += [f"{outcome} came {count} times too rarely" for outcome, count in (wanted - counted).items()]
    if killer.failure is not None:
        wrong.append(f"the killer failed: {killer.failure!r}")
    if killer.killed < kills:
        wrong.append(f"only {killer.killed} workers were killed")
    seconds = time.monotonic() - begin
    return Found(way, calls, killer.killed, statistics.lost_workers, statistics.retried, seconds, wrong)
