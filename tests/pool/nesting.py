"""Functions that make pools inside workers."""

from __future__ import annotations

import os
import select
from typing import Any

import elsewhere
from elsewhere import Pool


def double(x: int) -> int:
    return 2 * x


def doubled_in_a_pool(job: tuple[str, int]) -> list[int]:
    method, count = job
    with Pool(2, context=method) as pool:
        return pool.map(double, range(count))


def doubled_by_map(count: int) -> list[int]:
    return elsewhere.map(double, range(count))


def deeper(levels: int) -> int:
    """elsewhere.map inside elsewhere.map inside..."""
    return 0 if not levels else 1 + max(elsewhere.map(deeper, [levels - 1] * 2))


def tell_and_wait(post: str) -> None:
    with open(post, "a") as file:
        file.write(f"{os.getpid()}\n")
    select.select([], [], [])


def hold_a_pool(job: tuple[str, str]) -> None:
    """A pool whose workers wait for ever, each having told its pid."""
    method, post = job
    with Pool(2, context=method) as pool:
        pool.map(tell_and_wait, [post] * 2, chunksize=1)


def leave_a_pool_open(method: str) -> list[int]:
    """The pids of its workers."""
    pool = Pool(2, context=method)
    keep.append(pool)
    found: set[int] = set()
    while len(found) < 2:
        found |= set(pool.map(pid, range(20), chunksize=1))
    return list(found)


keep: list[Any] = []


def pid(_: Any = None) -> int:
    return os.getpid()
