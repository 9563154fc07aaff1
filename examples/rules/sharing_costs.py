"""What a step costs, and what 40 MB cost, by how they are shared. See docs/rules.md."""

import time

import numpy as np

import elsewhere


def seconds(function, times):
    function()
    began = time.perf_counter()
    for _ in range(times):
        function()
    return (time.perf_counter() - began) / times


def count():
    plain["hits"] += 1


def count_under_the_lock():
    with number.get_lock():
        number.value += 1


plain, number = {"hits": 0}, elsewhere.Value("q", 0)
here, shared = np.ones(5_000_000), elsewhere.shared.zeros(10_000_000)

with elsewhere.Manager() as manager, elsewhere.Pool(1) as pool:
    hits = manager.dict()
    print(f"a dict of one's own         {seconds(count, 20_000) * 1e6:.2f} µs a step")
    print(f"a Value, under its lock     {seconds(count_under_the_lock, 20_000) * 1e6:.2f} µs a step")
    print(f"a Manager's dict            {seconds(lambda: hits.increment('all'), 2_000) * 1e6:.2f} µs a step")
    print(f"a call, and its result      {seconds(lambda: pool.apply(abs, (-1,)), 2_000) * 1e6:.2f} µs a call")
    print(f"40 MB as an argument        {seconds(lambda: pool.apply(len, (here,)), 5) * 1e3:.2f} ms")
    print(f"40 MB as a result           {seconds(lambda: pool.apply(np.ones, (5_000_000,)), 5) * 1e3:.2f} ms")
    print(f"40 MB of a shared array     {seconds(lambda: pool.apply(len, (shared[:5_000_000],)), 200) * 1e3:.2f} ms")
