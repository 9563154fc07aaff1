"""Makespans: one long call among many short ones, and mixes of durations; as multiples of the ideal, work ÷ workers.

Every call keeps a core busy for its time by the clock, so the ideal is exact; what the parent takes of the two cores
shows in the makespan only as far as it delays calls. The long call comes so early that the ideal can be reached without
knowing of it; in the middle, nobody who deals in order could be better than 1.2. Seeds are fixed: all peers get the
same calls in the same order.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import work
from peers import WORKERS, Peer

from rows import Ask, Figure, Group, Row

SHORTEST, LONGEST = 50e-6, 0.3  # seconds
WORK, QUICK_WORK = 2.0, 0.5  # seconds of work in a mix


def makespan(run: Callable[[], Iterable[Any]], items: list[float]) -> float:
    """Times the ideal."""
    begin = time.perf_counter()
    deque(run(), 0)
    return (time.perf_counter() - begin) / (sum(items) / WORKERS)


def straggler(kind: type[Peer], ask: Ask) -> Iterator[Figure]:
    short, long = (460, 0.2) if ask.quick else (2_300, 1.0)
    items = [0.0005] * short
    items.insert(short // 23, long)  # so early that work ÷ workers can be reached by who deals in order
    with kind() as peer:
        warm(peer)
        for name, run in peer.ways(work.spin, items).items():
            if not usual(name) or not ask.wants("straggler", name):
                continue
            for _ in range(ask.rounds):
                yield "straggler", name, makespan(run, items)


def mixes(quick: bool) -> dict[str, list[float]]:
    """Durations in seconds, by row."""
    total = QUICK_WORK if quick else WORK
    chance = random.Random(3)

    def until(draw: Callable[[], float]) -> list[float]:
        items, left = [], total
        while left > 0:
            items.append(draw())
            left -= items[-1]
        return items

    heavy = until(lambda: min(LONGEST, SHORTEST * chance.paretovariate(0.7)))
    return {
        "constant_50us": [SHORTEST] * int(total / 2 / SHORTEST),
        "constant_5ms": [0.005] * int(total / 0.005),
        "bimodal": until(lambda: 0.03 if chance.random() < 0.02 else SHORTEST * 2),
        "heavy_tailed": heavy,
        "ascending": sorted(heavy),
        "descending": sorted(heavy, reverse=True),
    }


def mixed(kind: type[Peer], ask: Ask) -> Iterator[Figure]:
    with kind() as peer:
        warm(peer)
        for row, items in mixes(ask.quick).items():
            for name, run in peer.ways(work.spin, items).items():
                if ask.wants(row, name) and (usual(name) or not ask.quick):
                    for _ in range(ask.rounds):
                        yield row, name, makespan(run, items)


def usual(way: str) -> bool:
    """One by one, or automatic chunks."""
    return not way.endswith((" 4", " 16", " 64"))


def warm(peer: Peer) -> None:
    """All workers are up, and the function is known, before the clock starts."""
    for run in peer.ways(work.spin, [0.001] * 100).values():
        deque(run(), 0)
        return


TITLES = {
    "constant_50us": "all calls of 50 µs",
    "constant_5ms": "all calls of 5 ms",
    "bimodal": "bimodal: 100 µs, and 2 % of 30 ms",
    "heavy_tailed": "heavy-tailed: 50 µs to 0.3 s",
    "ascending": "the same, ascending",
    "descending": "the same, descending",
}
GROUPS = [
    Group(
        6,
        "straggler",
        (Row("straggler", "one call of 1 s among 2,300 of 0.5 ms", "x ideal", more=False, median=True),),
        straggler,
        rounds=3,
        limit=60,
    ),
    Group(
        7,
        "durations",
        tuple(Row(name, title, "x ideal", more=False, median=True) for name, title in TITLES.items()),
        mixed,
        rounds=3,
        limit=150,
        finalists=3,
    ),
]
