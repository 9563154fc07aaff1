"""Locks and what is made of them: holders and waiters that are killed.

Rule: where an operation takes a timeout, it is given one, and what is not there by then "stays locked".
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.faults.sharing import children
from benchmarks.faults.sharing.kit import EXPIRED, Fault, Kit

__all__ = ["FAULTS", "FREED", "LOCKED", "taken"]

FREED, LOCKED = "freed", "stays locked"
WOKEN, NOTIFIED = "the others are woken", "returns"
PLAIN = ("Lock", "RLock", "Semaphore", "BoundedSemaphore", "Condition")
NONE_THERE = "has no such lock"


def robust(kit: Kit) -> Any:
    return kit.make("Lock", robust=True)


def plain(kind: str) -> Callable[[Kit], Any]:
    return lambda kit: kit.make(kind)


def taken(lock: Any) -> str:
    """Is it free?"""
    if not lock.acquire(timeout=EXPIRED):
        return LOCKED
    lock.release()
    return FREED


def holder_killed(make: Callable[[Kit], Any]) -> Callable[[Kit], Iterator[str]]:
    def run(kit: Kit) -> Iterator[str]:
        for _ in kit.rounds():
            lock = make(kit)
            kit.strike(kit.begin(children.hold, lock))
            yield taken(lock)

    return run


def killed_at_random(make: Callable[[Kit], Any]) -> Callable[[Kit], Iterator[str]]:
    def run(kit: Kit) -> Iterator[str]:
        for _ in kit.rounds():
            lock = make(kit)
            victim = kit.begin(children.take_and_release, lock)
            kit.moment()
            kit.strike(victim)
            yield taken(lock)

    return run


def waiter_killed(make: Callable[[Kit], Any]) -> Callable[[Kit], Iterator[str]]:
    def run(kit: Kit) -> Iterator[str]:
        lock = make(kit)
        for _ in kit.rounds():
            with lock:
                waiter = kit.begin(children.wait_for_lock, lock)
                assert waiter.pid is not None
                kit.asleep(waiter.pid)
                kit.strike(waiter)
            yield taken(lock)

    return run


def sleeper_killed(kit: Kit) -> Iterator[str]:
    """Of two who wait for a notice one is killed; then all are notified."""
    for _ in kit.rounds():
        condition = kit.make("Condition")
        victim = kit.begin(children.wait_for_notice, condition)
        other = kit.begin(children.wait_for_notice, condition)
        with condition:  # both wait
            kit.strike(victim)
            condition.notify_all()
        other.join()
        yield WOKEN


def event_waiter_killed(kit: Kit) -> Iterator[str]:
    for _ in kit.rounds():
        event = kit.make("Event")
        victim = kit.begin(children.wait_for, event)
        assert victim.pid is not None
        kit.asleep(victim.pid)
        kit.strike(victim)
        event.set()
        yield NOTIFIED


def setter_killed(kit: Kit) -> Iterator[str]:
    for _ in kit.rounds():
        event = kit.make("Event")
        victim = kit.begin(children.set_and_clear, event)
        kit.moment()
        kit.strike(victim)
        event.set()
        yield NOTIFIED


def party_killed(kit: Kit) -> Iterator[str]:
    """One of three waits and is killed; the others have a timeout, as who shares a barrier with the mortal needs."""
    for _ in kit.rounds():
        barrier = kit.make("Barrier", 3)
        victim = kit.begin(children.wait_for, barrier)
        assert victim.pid is not None
        kit.asleep(victim.pid)
        kit.strike(victim)
        try:
            barrier.wait(timeout=EXPIRED)
            yield "passes"
        except threading.BrokenBarrierError:
            yield "BrokenBarrierError"


def faults() -> Iterator[Fault]:
    robust_name = "`Lock(robust=True)`"
    yield Fault("Locks", f"{robust_name}: holder killed", holder_killed(robust), (FREED,), 5, NONE_THERE)
    for kind in PLAIN:
        yield Fault("Locks", f"{kind}: holder killed", holder_killed(plain(kind)), (LOCKED,), 2)
    at_random = "killed while it takes and releases"
    yield Fault("Locks", f"{robust_name}: {at_random}", killed_at_random(robust), (FREED,), 40, NONE_THERE)
    yield Fault("Locks", f"Lock: {at_random}", killed_at_random(plain("Lock")), (FREED, LOCKED))
    yield Fault("Locks", f"{robust_name}: waiter killed", waiter_killed(robust), (FREED,), 5, NONE_THERE)
    for kind in PLAIN[:4]:
        yield Fault("Locks", f"{kind}: waiter killed", waiter_killed(plain(kind)), (FREED,), 5)
    yield Fault("Locks", "Condition: one who waits is killed: `notify_all`", sleeper_killed, (WOKEN,))
    yield Fault("Locks", "Event: one who waits is killed: `set`", event_waiter_killed, (NOTIFIED,), 5)
    yield Fault("Locks", "Event: killed while it sets and clears: `set`", setter_killed, (NOTIFIED,))
    yield Fault("Locks", "Barrier: one who waits is killed: `wait`", party_killed, ("BrokenBarrierError",), 5)


FAULTS = tuple(faults())
