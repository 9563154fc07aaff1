"""What one decision costs: loops that tell a scheduler the same few things again and again.

Rule: nothing but the scheduler, and the least that can drive it; each loop gives the CPU seconds of a call.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from elsewhere.errors import CallCancelled, WorkerLost
from elsewhere.sansio.scheduling.credits import measure
from elsewhere.sansio.scheduling.jobs import Interrupt, Job, Observe, Send, Start
from elsewhere.sansio.scheduling.scheduler import Scheduler

__all__ = ["LOOPS"]

SECOND = 1.0
QUICK_CALL = 1e-4  # seconds; a worker holds twenty of them
PER_WORKER = 2_000  # calls of a map, so that each worker has as much to do however many there are


def pool(size: int, **options: float) -> Scheduler:
    """A scheduler whose workers are all ready."""
    scheduler = Scheduler(size, **options)  # type: ignore[arg-type]  # each of its own type
    scheduler.open()
    for key in list(scheduler.peers):
        scheduler.worker_ready(key, 0.0)
    scheduler.actions.clear()
    return scheduler


def known(seconds: float, timeout: float | None = None) -> Job:
    """A job whose calls have taken so long."""
    job = Job(timeout)
    measure(job, 100, seconds)
    return job


def lone(size: int, count: int, timeout: float | None = None) -> float:
    """One call after the other, while all other workers are idle."""
    scheduler, job, now = pool(size), known(QUICK_CALL, timeout), 0.0
    actions = scheduler.actions
    begin = time.process_time()
    for index in range(count):
        scheduler.add(job, index, index + 1, now)
        order = actions.popleft()
        scheduler.next_timer()
        now += QUICK_CALL
        scheduler.finished(order.worker, 1, QUICK_CALL, now)  # type: ignore[union-attr]  # a Send
        scheduler.next_timer()
    return (time.process_time() - begin) / count


def lone_timed(size: int, count: int) -> float:
    """The same with a timeout."""
    return lone(size, count, 60.0)


def busy(size: int, count: int, timeout: float | None = None, ahead: int = 0) -> float:
    """All workers are in long calls: when one ends, one is added."""
    scheduler, job, now = pool(size), known(SECOND, timeout), 0.0
    actions, running = scheduler.actions, deque[int]()
    scheduler.add(job, 0, size + ahead, now)
    begin = time.process_time()
    for index in range(size + ahead, size + ahead + count):
        while actions:
            running.append(actions.popleft().worker)  # type: ignore[union-attr]  # Sends
        scheduler.next_timer()
        now += SECOND / size
        scheduler.finished(running.popleft(), 1, SECOND, now)
        scheduler.add(job, index, index + 1, now)
    return (time.process_time() - begin) / count


def busy_timed(size: int, count: int) -> float:
    """The same with a timeout."""
    return busy(size, count, 60.0)


def stream(size: int, count: int) -> float:
    """An imap: as many calls wait as there are workers, one is read when one ends."""
    return busy(size, count, None, size)


def map_(size: int, count: int) -> float:
    """Maps of short calls, handed over in runs; each worker has as much to do, however many there are."""
    whole = size * PER_WORKER
    times = max(1, count // whole)
    return sum(_map(size, whole) for _ in range(times)) / times


def _map(size: int, whole: int) -> float:
    scheduler, job, now = pool(size), known(QUICK_CALL), 0.0
    job.whole = True
    actions, running = scheduler.actions, deque[Send]()
    begin = time.process_time()
    scheduler.add(job, 0, whole, now)
    while scheduler.unfinished:
        while actions:
            if type(order := actions.popleft()) is Send:
                running.append(order)
        scheduler.next_timer()
        send = running.popleft()
        now += QUICK_CALL * (send.hi - send.lo) / size
        scheduler.finished(send.worker, send.hi - send.lo, QUICK_CALL * (send.hi - send.lo), now)
    return (time.process_time() - begin) / whole


def cancelled(size: int, count: int) -> float:
    """Running calls are cancelled: each is looked at, interrupted and followed by another."""
    scheduler, job, now = pool(size), known(SECOND), 0.0
    actions, error = scheduler.actions, CallCancelled()
    scheduler.add(job, 0, size, now)
    actions.clear()
    begin = time.process_time()
    for index in range(count):
        now += 0.001
        scheduler.cancel(job, index, now)
        scheduler.tick(now)
        while actions:
            order = actions.popleft()
            if type(order) is Observe:
                done = scheduler.peers[order.worker].done
                scheduler.observed(order.worker, done + 1, now, now)
            elif type(order) is Interrupt:
                scheduler.failed(order.worker, error, 0.0, now)
        scheduler.add(job, size + index, size + index + 1, now)
        actions.clear()
        scheduler.next_timer()
    return (time.process_time() - begin) / count


def lost(size: int, count: int) -> float:
    """Workers die in their calls, and others are started."""
    scheduler, job, now = pool(size), known(SECOND), 0.0
    actions, error = scheduler.actions, WorkerLost("it died")
    scheduler.add(job, 0, size + count, now)
    dealt = deque(order.worker for order in actions if type(order) is Send)
    actions.clear()
    begin = time.process_time()
    for _ in range(count):
        scheduler.lost(dealt.popleft(), 1, error, now)
        while actions:
            order = actions.popleft()
            if type(order) is Start:
                scheduler.worker_ready(order.worker, now)
            elif type(order) is Send:
                dealt.append(order.worker)
        scheduler.next_timer()
    return (time.process_time() - begin) / count


LOOPS: dict[str, Callable[[int, int], float]] = {
    "one call after the other": lone,
    "one after the other, with a timeout": lone_timed,
    "long calls, one by one": busy,
    "long calls, one by one, with a timeout": busy_timed,
    "an imap of long calls": stream,
    "a map of short calls": map_,
    "running calls that are cancelled": cancelled,
    "workers that die": lost,
}
