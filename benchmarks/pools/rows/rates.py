"""No-op calls: each tracked alone, in a map, with a future each, and one after the other."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import work
from peers import Peer

from rows import Ask, Figure, Group, Row

SIZES = (2_000, 20_000, 200_000)
BUDGET, QUICK_BUDGET = 3.0, 0.6  # seconds: the next size is tried if it should take no longer
ONE_BY_ONE = 2_000  # calls, or a second
Run = Callable[[list[int]], Iterable[Any]]


def rate(run: Run, expected: Callable[[int], int], ask: Ask) -> float:
    """Calls a second for as many of them as the budget allows; the smaller sizes before it are the warm-up.

    joblib's batches and our runs grow with what they have seen, so a warm-up has to be the real thing.
    """
    budget = QUICK_BUDGET if ask.quick else BUDGET
    for _ in range(2):
        deque(run(list(range(100))), 0)  # workers start now, so that the first size says how long the next one takes
    for size, after in zip(SIZES, (*SIZES[1:], None), strict=True):
        items = list(range(size))
        begin = time.perf_counter()
        total = sum(run(items))
        took = time.perf_counter() - begin
        if total != sum(map(expected, items)):
            raise SystemExit("a wrong result")
        if after is None or took * after / size > budget:
            return size / took
    raise AssertionError


def each(kind: type[Peer], ask: Ask) -> Iterator[Figure]:
    with kind() as peer:
        for _ in range(ask.rounds):
            yield "each", "", rate(lambda items: peer.each(work.inc, items), lambda item: item + 1, ask)


def maps(kind: type[Peer], ask: Ask) -> Iterator[Figure]:
    with kind() as peer:
        for _ in range(ask.rounds):
            yield "map", "", rate(lambda items: peer.map(work.inc, items), lambda item: item + 1, ask)
            yield "map_5us", "", rate(lambda items: peer.map(work.five_microseconds, items), lambda item: item, ask)


def futures(kind: type[Peer], ask: Ask) -> Iterator[Figure]:
    with kind() as peer:
        for _ in range(ask.rounds):
            yield "futures", "", rate(lambda items: peer.futures(work.inc, items), lambda item: item + 1, ask)


def one(kind: type[Peer], ask: Ask) -> Iterator[Figure]:
    with kind() as peer:
        for number in range(10):
            peer.one(work.inc, number)
        longest = 0.2 if ask.quick else 1.0
        for _ in range(ask.rounds):
            count, begin = 0, time.perf_counter()
            while count < ONE_BY_ONE and time.perf_counter() - begin < longest:
                if peer.one(work.inc, count) != count + 1:
                    raise SystemExit("a wrong result")
                count += 1
            yield "one", "", (time.perf_counter() - begin) / count * 1e6


MANY = ("elsewhere", "mp", "fork", "ppe", "loky", "joblib", "mpire", "pebble", "ray")
GROUPS = [
    Group(
        1,
        "each",
        (Row("each", "no-op calls, each tracked alone", "calls/s", more=True),),
        each,
        rounds=5,
        limit=60,
        peers=("elsewhere", "loop", "runs", *MANY[1:]),
    ),
    Group(
        2,
        "map",
        (
            Row("map", "`map` of 200,000 no-ops", "calls/s", more=True),
            Row("map_5us", "`map` of 200,000 calls of 5 µs", "calls/s", more=True),
        ),
        maps,
        rounds=3,
        limit=90,
    ),
    Group(
        3,
        "futures",
        (Row("futures", "a future each, all submitted, then all results", "calls/s", more=True),),
        futures,
        rounds=3,
        limit=60,
        peers=tuple(key for key in MANY if key not in ("fork", "joblib")),
    ),
    Group(4, "one", (Row("one", "one call, waited for", "µs", more=False),), one, rounds=3, limit=60, peers=MANY),
]
