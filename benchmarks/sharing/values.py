"""Value and Array: made, read, written, counted up, alone and by two processes at once."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from functools import partial
from time import perf_counter
from typing import Any

import elsewhere
from benchmarks.sharing.rows import Ask, Figure, Group, Row, in_turns, seconds

__all__ = ["GROUP"]

MADE = Row("value made", "Value: made", "µs")
ARRAY_MADE = Row("array made", "Array of 1,000 doubles: made", "µs")
READ = Row("value read", "Value: `.value` read", "µs")
WRITTEN = Row("value written", "Value: `.value` written", "µs")
COUNTED = Row("value counted", "Value: counted up under its lock", "µs")
ITEM = Row("array item", "Array: an item read", "µs")
SLICE = Row("array slice", "Array: a slice of 100 read", "µs")
SLICE_WRITTEN = Row("array slice written", "Array: a slice of 100 written", "µs")
TWO = Row("two count", "Value: counted up by two processes", "counts/s", more=True)
HUNDRED = [1.0] * 100


def read(value: Any, times: int) -> float:
    begin = perf_counter()
    for _ in range(times):
        value.value  # noqa: B018 - reading is what is measured
    return (perf_counter() - begin) / times * 1e6


def write(value: Any, times: int) -> float:
    begin = perf_counter()
    for _ in range(times):
        value.value = 7
    return (perf_counter() - begin) / times * 1e6


def count(value: Any, times: int) -> float:
    begin = perf_counter()
    for _ in range(times):
        with value.get_lock():
            value.value += 1
    return (perf_counter() - begin) / times * 1e6


def item(array: Any, times: int) -> float:
    return seconds(lambda: array[5], times) * 1e6


def hundred(array: Any, times: int) -> float:
    return seconds(lambda: array[100:200], times) * 1e6


def write_hundred(array: Any, times: int) -> float:
    def once() -> None:
        array[100:200] = HUNDRED

    return seconds(once, times) * 1e6


def measure(ask: Ask) -> Iterator[Figure]:
    context: Any = multiprocessing.get_context("forkserver")
    times = 2_000 if ask.quick else 20_000
    homes = (elsewhere, context)
    yield from in_turns(MADE, ask, *(partial(made, partial(home.Value, "i", 3), times // 20) for home in homes))
    yield from in_turns(
        ARRAY_MADE, ask, *(partial(made, partial(home.Array, "d", 1000), times // 20) for home in homes)
    )
    of_values: dict[Row, Callable[[Any, int], float]] = {READ: read, WRITTEN: write, COUNTED: count}
    for row, work in of_values.items():
        yield from in_turns(row, ask, *(partial(work, home.Value("i"), times) for home in homes))
    of_arrays: dict[Row, Callable[[Any, int], float]] = {ITEM: item, SLICE: hundred, SLICE_WRITTEN: write_hundred}
    for row, work in of_arrays.items():
        yield from in_turns(row, ask, *(partial(work, home.Array("d", 1000), times) for home in homes))
    yield from in_turns(TWO, ask, *(partial(by_two, home, context, times) for home in homes))


def made(make: Callable[[], object], times: int) -> float:
    return seconds(make, times) * 1e6


def by_two(home: Any, context: Any, times: int) -> float:
    """The clock runs from when both are there until both are done."""
    value, ready, go, done = home.Value("i"), context.Semaphore(0), context.Semaphore(0), context.Semaphore(0)
    processes = [context.Process(target=count_when_told, args=(value, ready, go, done, times)) for _ in range(2)]
    for process in processes:
        process.start()
    for _ in processes:
        ready.acquire()
    begin = perf_counter()
    for _ in processes:
        go.release()
    for _ in processes:
        done.acquire()
    took = perf_counter() - begin
    for process in processes:
        process.join()
    assert value.value == 2 * times
    return 2 * times / took


def count_when_told(value: Any, ready: Any, go: Any, done: Any, times: int) -> None:
    ready.release()
    go.acquire()
    count(value, times)
    done.release()


GROUP = Group(15, "values", (MADE, ARRAY_MADE, READ, WRITTEN, COUNTED, TWO, ITEM, SLICE, SLICE_WRITTEN), measure)
