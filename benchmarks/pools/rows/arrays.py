"""24 arrays of 8 MB: in with a tiny result, there and back, and in with a new one back; GB/s of what crosses.

Rule: each page of each array is read where it arrives, in the worker and in the parent, so that nobody is paid for a
mapping that was never touched. The inputs exist before the clock starts, and are new each time: joblib keeps the files
that it has written for an array and would pass the names alone. Each peer is asked for a list and for results as they
come, and shown by the better of the two.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import work
from peers import Peer

from rows import Ask, Figure, Group, Row

COUNT, SIZE = 24, 1_000_000  # arrays, float64 in each: 8 MB


def seen(row: str, answer: Any) -> float:
    """What a result says about its input; reads every page of an array."""
    return float(answer if row == "arrays_in" else work.read_pages(answer))


def cross(row: str, run: Callable[[list[Any]], Iterable[Any]], count: int) -> float:
    """GB/s; inputs and outputs both count."""
    import numpy as np

    arrays = [np.full(SIZE, number, dtype="float64") for number in range(count)]
    begin = time.perf_counter()
    got = []
    for answer in run(arrays):
        got.append(seen(row, answer))
        del answer  # a consumer that keeps nothing: blocks go back as they are read
    took = time.perf_counter() - begin
    pages = -(-SIZE // work.PAGE)
    if sorted(got) != [float(pages * (number + (row == "arrays_new"))) for number in range(count)]:
        raise SystemExit("a wrong result")
    return count * SIZE * 8 * (1 if row == "arrays_in" else 2) / took / 1e9


def measure(kind: type[Peer], ask: Ask) -> Iterator[Figure]:
    count = 8 if ask.quick else COUNT
    tasks = {"arrays_in": work.read_pages, "arrays_back": work.read_and_return, "arrays_new": work.another}
    with kind() as peer:
        for row, task in tasks.items():
            ordered = {"list": lambda arrays, task=task: peer.map(task, arrays)}
            if hasattr(getattr(peer, "pool", None), "imap"):
                ordered["imap"] = lambda arrays, task=task: peer.pool.imap(task, arrays)
            else:
                ordered["one by one"] = lambda arrays, task=task: peer.each(task, arrays)
            for way, run in ordered.items():
                if not ask.quick:
                    cross(row, run, count)  # warm: blocks and buffers are there from then on, for everybody
                for _ in range(ask.rounds):
                    yield row, way, cross(row, run, count)


GROUPS = [
    Group(
        5,
        "arrays",
        (
            Row("arrays_in", "24 arrays of 8 MB in, a number back", "GB/s", more=True),
            Row("arrays_back", "the same there and back", "GB/s", more=True),
            Row("arrays_new", "the same in, a new array back", "GB/s", more=True),
        ),
        measure,
        rounds=3,
        limit=90,
        peers=("elsewhere", "mp", "fork", "ppe", "loky", "joblib", "mpire", "pebble", "ray"),
    )
]
