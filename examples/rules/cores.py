"""The same work by 1 to 16 workers, on the cores that this process may use. See docs/rules.md."""

import os
import time

from elsewhere import Pool

CALLS = 60


def compute(seconds):
    """For so long, on the clock that runs only while this thread has a core."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


with Pool() as pool:
    print(f"the machine has {os.cpu_count()} cores, a Pool takes {pool.statistics().size} workers")
for workers in (1, 2, 4, 8, 16):
    with Pool(workers) as pool:
        pool.map(abs, range(10_000))  # so that all of them are there
        began = time.perf_counter()
        pool.map(compute, [0.01] * CALLS)
        print(f"{workers:2} workers: {time.perf_counter() - began:.2f} s")
