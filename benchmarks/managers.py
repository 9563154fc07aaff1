"""Managers beside multiprocessing's, in turns: dicts, lists, queues and locks of one client, counting from four.

python -m benchmarks.managers [SECONDS]
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import elsewhere
from benchmarks.sharing.rows import Ask, Figure, Group, Row, in_turns, show

PROCESSES = 4
SECONDS = 0.3  # for each figure of one client
TURNS = 7
COUNTS = 2000  # for each of the processes and second

Work = Callable[[], object]


def reading(manager: Any) -> Work:
    values = manager.dict(a=1)
    return lambda: values["a"]


def writing(manager: Any) -> Work:
    values = manager.dict(a=1)
    return lambda: values.update(a=2)


def appending(manager: Any) -> Work:
    values = manager.list()
    return lambda: values.append(1)


def queueing(manager: Any) -> Work:
    items = manager.Queue()
    return lambda: (items.put(1), items.get())


def locking(manager: Any) -> Work:
    lock = manager.Lock()
    return lambda: (lock.acquire(), lock.release())


ALONE = {
    Row("dict read", "Manager dict: read", "/s", more=True): reading,
    Row("dict write", "Manager dict: written", "/s", more=True): writing,
    Row("list append", "Manager list: append", "/s", more=True): appending,
    Row("manager queue", "Manager Queue: put and get", "/s", more=True): queueing,
    Row("manager lock", "Manager Lock: acquire and release", "/s", more=True): locking,
}
INCREMENT = Row("increment", "4 processes count: `increment`, there under a Manager's lock", "/s", more=True)
LOCKED = Row("counted locked", "4 processes count: under a Manager's lock", "/s", more=True)


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


def measure(ask: Ask, seconds: float = SECONDS) -> Iterator[Figure]:
    seconds = min(seconds, 0.05) if ask.quick else seconds
    times = max(20, int(COUNTS * seconds))
    with elsewhere.Manager() as ours, multiprocessing.Manager() as theirs:
        for row, make in ALONE.items():
            yield from in_turns(row, ask, *(partial(rate, make(manager), seconds) for manager in (ours, theirs)))
        locked = partial(counted, theirs, under_a_lock, times)
        few = ask._replace(turns=min(ask.turns, 3))
        yield from in_turns(INCREMENT, few, partial(counted, ours, by_increment, 10 * times), locked)
        yield from in_turns(LOCKED, few, partial(counted, ours, under_a_lock, times), locked)


GROUP = Group(17, "managers", (*ALONE, INCREMENT, LOCKED), measure)

if __name__ == "__main__":
    chosen = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    show(GROUP._replace(measure=partial(measure, seconds=chosen)), Ask(TURNS))
