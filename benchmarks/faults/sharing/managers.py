"""Managers: the server is killed under its proxies, and clients in the middle of what they do there."""

from __future__ import annotations

import functools
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from benchmarks.faults.sharing import children
from benchmarks.faults.sharing.kit import EXPIRED, Fault, Kit
from benchmarks.faults.sharing.locks import FREED, taken

__all__ = ["FAULTS"]

LOST = "ManagerLost"
GOES_ON = "the others go on"
LARGE = 100_000
BESIDE = 2  # threads that are in the operation when the server dies
WITHIN = 3.0  # seconds for them to hear of it


def held(lock: Any) -> Any:
    lock.acquire()
    return lock


def undone(items: Any) -> Any:
    items.put(0)
    return items


class Operation(NamedTuple):
    """What threads are in the middle of when the server is killed: it is repeated until it raises."""

    make: Callable[[Any], Any]  # of the manager
    use: Callable[[Any], object]


OPERATIONS = {
    "dict: read": Operation(lambda manager: manager.dict(n=1), lambda values: values["n"]),
    "dict: write": Operation(lambda manager: manager.dict(), lambda values: values.update(n="x" * LARGE)),
    "list: read": Operation(lambda manager: manager.list(range(100)), lambda values: values[:]),
    "list: append": Operation(lambda manager: manager.list(), lambda values: (values.append(1), values.pop())),
    "Namespace": Operation(lambda manager: manager.Namespace(), lambda names: setattr(names, "n", 1)),
    "Value": Operation(lambda manager: manager.Value("q", 0), lambda value: value.set(1)),
    "Array": Operation(lambda manager: manager.Array("q", [1, 2]), lambda array: array[1]),
    "Lock: waiting": Operation(lambda manager: held(manager.Lock()), lambda lock: lock.acquire()),
    "Semaphore: waiting": Operation(lambda manager: manager.Semaphore(0), lambda semaphore: semaphore.acquire()),
    "Event: waiting": Operation(lambda manager: manager.Event(), lambda event: event.wait()),
    "Barrier: waiting": Operation(lambda manager: manager.Barrier(BESIDE + 1), lambda barrier: barrier.wait()),
    "Queue: waiting in `get`": Operation(lambda manager: manager.Queue(), lambda items: items.get()),
    "Queue: `put` and `get`": Operation(
        lambda manager: manager.Queue(), lambda items: (items.put("x" * LARGE), items.get())
    ),
    "JoinableQueue: `join`": Operation(lambda manager: undone(manager.JoinableQueue()), lambda items: items.join()),
    "making proxies": Operation(lambda manager: manager, lambda manager: manager.list()),
}


def server_killed(operation: Operation) -> Callable[[Kit], Iterator[str]]:
    def run(kit: Kit) -> Iterator[str]:
        for _ in kit.rounds():
            manager = kit.make("Manager")
            work = functools.partial(operation.use, operation.make(manager))
            found: list[tuple[float, BaseException]] = []
            threads = []
            for _ in range(BESIDE):
                begun = threading.Event()
                args = (work, found, begun)
                threads.append(threading.Thread(target=children.use_until_error, args=args, daemon=True))
                threads[-1].start()
                begun.wait()
            kit.moment()
            kill(kit, manager)
            deadline = time.monotonic() + WITHIN
            for thread in threads:
                thread.join(deadline - time.monotonic())
            names = sorted({type(error).__name__ for _, error in found})
            yield " or ".join(names) if len(found) == BESIDE else "threads wait for ever"

    return run


def kill(kit: Kit, manager: Any) -> None:
    """Kill the server, whose process the manager has."""
    os.kill(manager._process.pid, signal.SIGKILL)
    kit.mark()
    manager._process.join()


def every_proxy_afterwards(kit: Kit) -> Iterator[str]:
    for _ in kit.rounds():
        manager = kit.make("Manager")
        values, listed, lock, items = manager.dict(n=1), manager.list([1]), manager.Lock(), manager.Queue()
        kill(kit, manager)
        names = set()
        for use in (lambda: values["n"], lambda: listed[0], lock.acquire, items.get, manager.dict):  # noqa: B023 - called in this very round
            try:
                use()
                names.add("no error")
            except (EOFError, OSError) as error:
                names.add(type(error).__name__)
        yield " or ".join(sorted(names))


def creator_killed(kit: Kit) -> Iterator[str]:
    for _ in kit.rounds():
        with kit.program("manager") as program:
            program.line()
            program.kill()
            yield program.what_stays()


# ---- clients ---------------------------------------------------------------------------------------------------------


def client_killed_with(kind: str) -> Callable[[Kit], Iterator[str]]:
    def run(kit: Kit) -> Iterator[str]:
        with kit.make("Manager") as manager:
            for _ in kit.rounds():
                lock = getattr(manager, kind)()
                kit.strike(kit.begin(children.hold, lock))
                yield acquired(lock)

    return run


def acquired(lock: Any) -> str:
    """As `taken`, for proxies: not every one has names for a timeout's argument."""
    return taken(Timed(lock))


class Timed:
    """A lock's proxy whose `acquire` takes its timeout by position."""

    def __init__(self, lock: Any) -> None:
        self._lock = lock
        self.release = lock.release

    def acquire(self, timeout: float) -> Any:
        return self._lock.acquire(True, timeout)


def client_killed_in_put(kit: Kit) -> Iterator[str]:
    with kit.make("Manager") as manager:
        for mark in kit.rounds():
            items = manager.Queue()
            victim = kit.begin(children.put_for_ever, items, mark, LARGE, 50)
            kit.moment()
            kit.strike(victim)
            items.put("end")
            whole = True
            while (item := items.get()) != "end":
                whole = whole and len(item[2]) == LARGE
            yield GOES_ON if whole else "an item is torn"


def client_killed_in_append(kit: Kit) -> Iterator[str]:
    with kit.make("Manager") as manager:
        for _ in kit.rounds():
            values = manager.list()
            victim = kit.begin(children.append_for_ever, values, LARGE)
            kit.moment()
            kit.strike(victim)
            yield GOES_ON if {len(item) for item in values[:]} <= {LARGE} else "an item is torn"


def client_killed_in_writes(kit: Kit) -> Iterator[str]:
    with kit.make("Manager") as manager:
        for _ in kit.rounds():
            values = manager.dict(a=0, b=0)
            victim = kit.begin(children.write_for_ever, values, LARGE)
            kit.moment()
            kit.strike(victim)
            found = values.copy()
            yield GOES_ON if found["a"] == found["b"] and len(found.get("n", "x" * LARGE)) == LARGE else "torn"


def waiting_client_killed(kit: Kit) -> Iterator[str]:
    """It waits for an item, which comes when it is dead: somebody else must get it."""
    with kit.make("Manager") as manager:
        for _ in kit.rounds():
            items = manager.Queue()
            victim = kit.begin(children.get_for_ever, items)
            assert victim.pid is not None
            kit.asleep(victim.pid)
            kit.strike(victim)
            items.put("it")
            try:
                items.get(True, EXPIRED)
                yield "another gets the item"
            except queue.Empty:
                yield "the item is lost"


def waiting_for_lock_killed(kit: Kit) -> Iterator[str]:
    """It waits for a lock, which is released when it is dead: somebody else must get it."""
    with kit.make("Manager") as manager:
        for _ in kit.rounds():
            lock = manager.Lock()
            lock.acquire()
            victim = kit.begin(children.wait_for_lock, lock)
            assert victim.pid is not None
            kit.asleep(victim.pid)
            kit.strike(victim)
            lock.release()
            yield acquired(lock)


def party_killed(kit: Kit) -> Iterator[str]:
    with kit.make("Manager") as manager:
        for _ in kit.rounds():
            barrier = manager.Barrier(3)
            victim = kit.begin(children.wait_for, barrier)
            assert victim.pid is not None
            kit.asleep(victim.pid)
            kit.strike(victim)
            try:
                barrier.wait(WITHIN)
                yield "passes"
            except threading.BrokenBarrierError:
                late = time.monotonic() - kit.struck > WITHIN
                yield "BrokenBarrierError" + ", when the time is up" * late


def sleeper_killed(kit: Kit) -> Iterator[str]:
    """Of two who wait for a notice one is killed; one notice wakes the other."""
    with kit.make("Manager") as manager:
        for _ in kit.rounds():
            condition = manager.Condition()
            victim = kit.begin(children.wait_for_notice, condition)
            with condition:  # it waits
                kit.strike(victim)
            other = kit.begin(children.wait_for_notice, condition)
            with condition:
                condition.notify()
            other.join(EXPIRED)
            yield "another is woken" if other.exitcode == 0 else "the notice is lost"


def faults() -> Iterator[Fault]:
    for name, operation in OPERATIONS.items():
        yield Fault("Manager, its server killed", name, server_killed(operation), (LOST,), 3)
    yield Fault("Manager, its server killed", "every proxy afterwards", every_proxy_afterwards, (LOST,), 3)
    yield Fault("Manager, its server killed", "its creator killed: its server", creator_killed, ("all gone",), 3)
    clients = "Manager, a client killed"
    for kind in ("Lock", "RLock", "Semaphore", "BoundedSemaphore", "Condition"):
        yield Fault(clients, f"{kind}: its holder", client_killed_with(kind), (FREED,), 5)
    yield Fault(clients, "Lock: who waits for it", waiting_for_lock_killed, (FREED,), 5)
    yield Fault(clients, "Condition: one who waits: `notify`", sleeper_killed, ("another is woken",), 5)
    yield Fault(clients, "Barrier: one who waits: the others", party_killed, ("BrokenBarrierError",), 3)
    yield Fault(clients, "Queue: who waits in `get`", waiting_client_killed, ("another gets the item",), 5)
    yield Fault(clients, "Queue: in `put` of 100 kB", client_killed_in_put, (GOES_ON,))
    yield Fault(clients, "list: in `append` of 100 kB", client_killed_in_append, (GOES_ON,))
    yield Fault(clients, "dict: in writes of 100 kB", client_killed_in_writes, (GOES_ON,))


FAULTS = tuple(faults())
