"""Items a second through a queue, from one process to another, as `benchmarks/queues.py` measures them."""

from __future__ import annotations

import importlib
import multiprocessing
from collections.abc import Iterator
from functools import partial
from typing import Any

import elsewhere
from benchmarks.sharing.rows import Ask, Figure, Group, Row, in_turns

__all__ = ["GROUP"]

by_hand: Any = importlib.import_module("benchmarks.queues")  # a program that says little of types
ITEMS: dict[str, Any] = by_hand.ITEMS

COUNT = 60_000
OTHERS = ("SimpleQueue", "JoinableQueue")

KINDS: dict[Row, tuple[str, str]] = {
    **{Row(f"queue {item}", f"Queue: {item}", "items/s", more=True): ("Queue", item) for item in ITEMS},
    **{Row(kind, f"{kind}: int", "items/s", more=True): (kind, "int") for kind in OTHERS},
}


def measure(ask: Ask) -> Iterator[Figure]:
    context: Any = multiprocessing.get_context("forkserver")
    for row, (kind, item) in KINDS.items():
        count = COUNT // by_hand.FEWER.get(item, 1) // (10 if ask.quick else 1)
        ours, theirs = (partial(crossing, context, getattr(home, kind), item, count) for home in (elsewhere, context))
        yield from in_turns(row, ask, ours, theirs)


def crossing(context: Any, make: Any, item: str, count: int) -> float:
    """With a queue of its own."""
    found: float = by_hand.rate(context, make(), ITEMS[item], count)
    return found


GROUP = Group(12, "queues", tuple(KINDS), measure)
