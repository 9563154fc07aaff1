"""A message to another process and back, through a `Pipe`."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from functools import partial
from typing import Any

import elsewhere
from benchmarks.sharing.rows import Ask, Figure, Group, Row, in_turns, seconds

__all__ = ["GROUP"]

SMALL = Row("pipe 100", "Pipe: 100 bytes there and back", "µs")
LARGE = Row("pipe 1M", "Pipe: 1 MB there and back", "µs")
OBJECT = Row("pipe object", "Pipe: a tuple there and back", "µs")
SIZES = {SMALL: 100, LARGE: 1_000_000}
ITEM = (7, "name", 1.5)


def echo(end: Any) -> None:
    """Send back what comes, until nothing more can."""
    try:
        while True:
            end.send_bytes(end.recv_bytes())
    except EOFError:
        pass


def measure(ask: Ask) -> Iterator[Figure]:
    context: Any = multiprocessing.get_context("forkserver")
    ends, processes = [], []
    for make in (elsewhere.Pipe, context.Pipe):
        here, there = make()
        processes.append(context.Process(target=echo, args=(there,)))
        processes[-1].start()
        there.close()
        trip(here, b"", 1)  # the other side is there
        ends.append(here)
    for row, size in SIZES.items():
        times = (2000 if size < 1000 else 100) // (10 if ask.quick else 1)
        yield from in_turns(row, ask, *(partial(trip, end, bytes(size), times) for end in ends))
    times = 200 if ask.quick else 2000
    yield from in_turns(OBJECT, ask, *(partial(trip_of_object, end, times) for end in ends))
    for end, process in zip(ends, processes, strict=True):
        end.close()
        process.join()


def trip(end: Any, body: bytes, times: int) -> float:
    def once() -> None:
        end.send_bytes(body)
        end.recv_bytes()

    return seconds(once, times) * 1e6


def trip_of_object(end: Any, times: int) -> float:
    def once() -> None:
        end.send(ITEM)
        end.recv()

    return seconds(once, times) * 1e6


GROUP = Group(13, "pipes", (SMALL, OBJECT, LARGE), measure)
