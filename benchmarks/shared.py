"""Shared data beside multiprocessing's: handing a large array to a worker and back, and Value and Array.

    python benchmarks/shared.py [--megabytes 1024] [--rounds 300]

Both sides run in turns in this one process, so that the ratios hold on a busy machine; figures are medians of rounds.
"Pss" is the proportional set size of caller and worker together, from /proc/<pid>/smaps_rollup, after both have read
all of the array: memory that is shared counts once.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import pickle
import statistics
import time
from multiprocessing import shared_memory

import numpy as np

import elsewhere
from elsewhere import shared

CONTEXT = multiprocessing.get_context("forkserver")


def identity(value):
    return value


def total(array):
    return float(array.sum()), os.getpid()


def first(name, length):
    """What one writes with the standard library: attach by name, look, let go."""
    block = shared_memory.SharedMemory(name)
    array = np.ndarray((length,), "f8", block.buf)
    found = float(array[0])
    del array
    block.close()
    return found


def count(value, times):
    for _ in range(times):
        with value.get_lock():
            value.value += 1


def read(value, times):
    for _ in range(times):
        value.value  # noqa: B018 - that is what is measured


def write(value, times):
    for _ in range(times):
        value.value = 7


def read_item(array, times):
    for _ in range(times):
        array[3]


def write_item(array, times):
    for _ in range(times):
        array[3] = 7


def read_slice(array, times):
    for _ in range(times):
        array[:]


# name -> (what makes the object, and is then done with it)
ACCESSES = {
    "read .value": (lambda place: place.Value("i"), read),
    "write .value": (lambda place: place.Value("i"), write),
    "count up under the lock, alone": (lambda place: place.Value("i"), count),
    "read an element of an Array": (lambda place: place.Array("d", 10), read_item),
    "write an element of an Array": (lambda place: place.Array("d", 10), write_item),
    "read a slice of 10 of an Array": (lambda place: place.Array("d", 10), read_slice),
}


def beside(access, ours, theirs, rounds, times=1000):
    """Seconds for one access, ours and theirs: medians of rounds of 1,000, in turns, each in a loop of its own."""
    make, use = access
    both = make(ours), make(theirs)
    taken = [[], []]
    for turn in range(rounds):
        for which in (0, 1) if turn % 2 else (1, 0):
            began = time.perf_counter()
            use(both[which], times)
            taken[which].append((time.perf_counter() - began) / times)
    return [statistics.median(each) for each in taken]


def median(function, rounds):
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def pss(pid):
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:")) * 1024


def row(what, ours, theirs, unit=1e3, name="ms"):
    ratio = f"{theirs / ours:10.2f} ×" if theirs else ""
    beside = f"{theirs * unit:12.4f} {name}" if theirs else " " * 15
    print(f"{what:58} {ours * unit:12.4f} {name} {beside} {ratio}")


def arrays(megabytes, rounds):
    length = megabytes << 17
    print(f"\n{megabytes} MiB array; one worker{'':33}       elsewhere  multiprocessing")
    with elsewhere.Pool(1) as pool, CONTEXT.Pool(1) as peer:
        before = pss(os.getpid()) + pss(pool.apply(os.getpid))
        began = time.perf_counter()
        array = shared.full(length, 1.0)
        row("made and filled", time.perf_counter() - began, 0)
        pool.apply(identity, (array[:1],))
        row("to the worker and back, the same array", median(lambda: pool.apply(identity, (array,)), rounds), 0)
        row("  a call of nothing beside it", median(lambda: pool.apply(identity, (None,)), rounds), 0)
        fresh = [shared.zeros(length // 64) for _ in range(20)]
        each = iter(fresh).__next__
        row("to the worker and back, one it has not seen", median(lambda: pool.apply(identity, (each(),)), 20), 0)
        (found, worker), here = pool.apply(total, (array,)), total(array)[0]
        assert found == here == length
        used = pss(os.getpid()) + pss(worker) - before
        print(f"Pss of both, less that before: {used / array.nbytes:.3f} of the array's size")
        block = shared_memory.SharedMemory(create=True, size=length * 8)
        try:
            theirs = median(lambda: peer.apply(first, (block.name, length)), rounds)
            ours = median(lambda: pool.apply(np.ndarray.item, (array[:1],)), rounds)
            row("reading one element there", ours, theirs)
        finally:
            block.close()
            block.unlink()
        private = np.ones(min(length, 16 << 17))
        row("16 MiB, beside an ordinary array", median(lambda: pool.apply(identity, (array[: len(private)],)), 50),
            median(lambda: peer.apply(identity, (private,)), 5))  # fmt: skip


def values(rounds):
    print(f"\nValue and Array{'':46}       elsewhere  multiprocessing")
    ours, theirs = elsewhere.Value("i"), CONTEXT.Value("i")
    row(
        "make a Value",
        median(lambda: elsewhere.Value("i", 3), 2000),
        median(lambda: CONTEXT.Value("i", 3), 500),
        1e6,
        "µs",
    )
    row("make an Array of 1,000 doubles", median(lambda: elsewhere.Array("d", 1000), 500),
        median(lambda: CONTEXT.Array("d", 1000), 500), 1e6, "µs")  # fmt: skip
    for what, access in ACCESSES.items():
        row(what, *beside(access, elsewhere, CONTEXT, rounds), 1e6, "µs")
    row("pickle and load", median(lambda: pickle.loads(pickle.dumps(ours)), 2000), 0, 1e6, "µs")
    for value in (ours, theirs):
        processes = [CONTEXT.Process(target=count, args=(value, 50_000)) for _ in range(2)]
        began = time.perf_counter()
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        print(
            f"two processes count to 100,000: {time.perf_counter() - began:.2f} s, {type(value.get_lock()).__module__}"
        )
        assert value.value >= 100_000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=300)
    options = parser.parse_args()
    arrays(options.megabytes, options.rounds)
    values(options.rounds)


if __name__ == "__main__":
    main()
