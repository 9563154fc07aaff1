"""Managers beside multiprocessing's, in turns: reads and writes of a dict, counting from four processes.

::

    python -m benchmarks.managers [seconds]
"""

from __future__ import annotations

import multiprocessing
import statistics
import sys
import time
from typing import Any

import elsewhere

TURNS = 7
PROCESSES = 4


def rate(work: Any, seconds: float) -> float:
    """Calls a second."""
    done, begin = 0, time.perf_counter()
    while (now := time.perf_counter()) < begin + seconds:
        for _ in range(100):
            work()
        done += 100
    return done / (now - begin)


def by_increment(values: Any, lock: Any, ready: Any, times: int) -> None:
    ready.release()
    with lock:
        pass
    for _ in range(times):
        values.increment("n")


def under_a_lock(values: Any, lock: Any, ready: Any, times: int) -> None:
    ready.release()
    with lock:
        pass
    for _ in range(times):
        with lock:
            values["n"] = values["n"] + 1


def counted(manager: Any, work: Any, times: int) -> float:
    """Counts a second, of all processes together; the clock runs from the moment in which all are ready."""
    values, lock, ready = manager.dict(n=0), manager.Lock(), manager.Semaphore(0)
    context = multiprocessing.get_context("forkserver")
    lock.acquire()
    processes = [context.Process(target=work, args=(values, lock, ready, times)) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    for _ in processes:
        ready.acquire()
    begin = time.perf_counter()
    lock.release()
    for process in processes:
        process.join()
    took = time.perf_counter() - begin
    assert values["n"] == PROCESSES * times
    return PROCESSES * times / took


def row(name: str, ours: list[float], theirs: list[float]) -> None:
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    print(f"{name:34}{statistics.median(ours):10,.0f}/s{statistics.median(theirs):10,.0f}/s{ratio:7.2f} x")


def main(seconds: float) -> None:
    with elsewhere.Manager() as ours, multiprocessing.Manager() as theirs:
        dicts = [manager.dict(a=1) for manager in (ours, theirs)]
        print(f"{'':34}{'elsewhere':>12}{'multiproc.':>12}   ratio (median of {TURNS} turns)")
        works: dict[str, Any] = {
            "dict: read": lambda d: lambda: d["a"],
            "dict: write": lambda d: lambda: d.__setitem__("a", 2),
        }
        for name, make in works.items():
            pairs = [[rate(make(d), seconds) for d in dicts] for _ in range(TURNS)]
            row(name, *map(list, zip(*pairs, strict=True)))
        times = int(2000 * seconds)
        turns = [
            (
                counted(ours, by_increment, 10 * times),
                counted(ours, under_a_lock, times),
                counted(theirs, under_a_lock, times),
            )
            for _ in range(3)
        ]
        increments, locked, locked_theirs = map(list, zip(*turns, strict=True))
        row("4 processes: increment/lock, ours", increments, locked)
        row("4 processes: increment/lock, theirs", increments, locked_theirs)
        row("4 processes: lock, ours/theirs", locked, locked_theirs)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 0.3)
