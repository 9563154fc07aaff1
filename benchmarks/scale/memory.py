"""What the scheduler keeps for each worker and each call, in bytes."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable

from benchmarks.scale.loops import known, pool
from elsewhere.call import Retry
from elsewhere.sansio.scheduling.scheduler import Scheduler

__all__ = ["KEPT", "kept"]

HOUR = 3600.0


def idle(count: int) -> Scheduler:
    """A worker that has nothing to do."""
    return pool(count)


def busy(count: int) -> Scheduler:
    """A worker in a call, with a timer."""
    scheduler = pool(count)
    scheduler.add(known(1.0, HOUR), 0, count, 0.0)
    scheduler.actions.clear()
    return scheduler


def waiting(count: int) -> Scheduler:
    """A call that waits, of a map or an imap."""
    scheduler = pool(1)
    scheduler.add(known(1.0), 0, count, 0.0)
    return scheduler


def alternating(count: int) -> Scheduler:
    """A call that waits, submitted in turns with those of another function."""
    scheduler, jobs = pool(1), [known(1.0), known(1.0)]
    for index in range(count):
        scheduler.add(jobs[index % 2], index // 2, index // 2 + 1, 0.0)
    return scheduler


def repeated(count: int) -> Scheduler:
    """A call that failed and waits for its time to be repeated."""
    scheduler, job = pool(1), known(1e-6)
    job.retry = Retry(1, backoff=HOUR)
    scheduler.add(job, 0, count, 0.0)
    for _ in range(count):
        scheduler.failed(1, OSError(), 0.0, 0.0)
        scheduler.actions.clear()
    return scheduler


KEPT: dict[str, Callable[[int], Scheduler]] = {
    "an idle worker": idle,
    "a worker in a call with a timeout": busy,
    "a call that waits in a map or an imap": waiting,
    "a call that waits, submitted in turns with another function's": alternating,
    "a call that waits for its repeat": repeated,
}


def kept(make: Callable[[int], Scheduler], count: int) -> float:
    """Bytes for each of so many."""
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        scheduler = make(count)
        gc.collect()
        after = tracemalloc.get_traced_memory()[0]
        assert scheduler.peers
        return (after - before) / count
    finally:
        tracemalloc.stop()
