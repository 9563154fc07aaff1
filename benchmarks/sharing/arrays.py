"""A large shared array to a worker and back, beside multiprocessing's SharedMemory and beside an ordinary array."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from functools import partial
from multiprocessing import shared_memory
from typing import Any

import elsewhere
from benchmarks.sharing.rows import Ask, Figure, Group, Row, in_turns, seconds

__all__ = ["GROUP"]

BACK = Row("array back", "shared array of 1 GiB to a worker and back (there by its name)", "µs")
READ = Row("array read", "the same, one element read there", "µs")
MEMORY = Row("array memory", "memory of caller and worker, when both have read all of it", "x its size")
ORDINARY = Row("array ordinary", "16 MiB to a worker and back, shared (there an ordinary array)", "µs")
LENGTH, LITTLE = 1 << 27, 1 << 21  # of 8 bytes: 1 GiB; 16 MiB


def same(value: Any) -> Any:
    return value


def first(array: Any) -> float:
    return float(array[0])


def total(array: Any) -> tuple[float, int]:
    return float(array.sum()), os.getpid()


def attached(name: str, length: int, what: str) -> Any:
    """What one writes with the standard library: attach by name, look, let go."""
    import numpy as np

    block = shared_memory.SharedMemory(name)
    array: Any = np.ndarray((length,), "f8", block.buf)
    found = first(array) if what == "first" else name
    del array
    block.close()
    return found


def measure(ask: Ask) -> Iterator[Figure]:
    import numpy as np

    from elsewhere import shared

    length = LENGTH // (16 if ask.quick else 1)
    times = 50 if ask.quick else 300
    with elsewhere.Pool(1) as pool, multiprocessing.get_context("forkserver").Pool(1) as peer:
        before = used_by_both(pool, np.ones(1))  # both have NumPy now
        array = shared.full(length, 1.0)
        yield Figure(MEMORY.name, (used_by_both(pool, array) - before) / array.nbytes, None)
        block = shared_memory.SharedMemory(create=True, size=length * 8)
        try:
            np.ndarray((1,), "f8", block.buf)[0] = 1.0
            for row, asked, what in ((BACK, same, "name"), (READ, first, "first")):
                ours = partial(micros, pool, times, asked, array)
                yield from in_turns(row, ask, ours, partial(micros, peer, times, attached, block.name, length, what))
        finally:
            block.close()
            block.unlink()
        ordinary = np.ones(min(length, LITTLE))
        shared_part = array[: len(ordinary)]
        yield from in_turns(
            ORDINARY, ask, partial(micros, pool, 50, same, shared_part), partial(micros, peer, 5, same, ordinary)
        )


def micros(pool: Any, times: int, function: Any, *args: Any) -> float:
    return seconds(lambda: pool.apply(function, args), times) * 1e6


def used_by_both(pool: Any, array: Any) -> int:
    """Bytes of memory of caller and worker, when both have read all of the array; what is shared counts once."""
    (there, worker), here = pool.apply(total, (array,)), float(array.sum())
    assert there == here == len(array)
    return pss(os.getpid()) + pss(worker)


def pss(pid: int) -> int:
    """A process's proportional set size in bytes."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:")) * 1024


GROUP = Group(16, "shared-arrays", (BACK, READ, ORDINARY, MEMORY), measure)
