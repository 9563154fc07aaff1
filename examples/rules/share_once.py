"""A table that 100 calls look something up in: sent with each call, or shared once. See docs/rules.md."""

import time

from elsewhere import Pool

table = {number: str(number) for number in range(20_000)}


def look_up(table, number):
    return table[number]


with Pool() as pool:
    shared = pool.share(table)
    for name, given in (("sent with each call", table), ("shared once", shared)):
        began = time.perf_counter()
        found = pool.starmap(look_up, [(given, number) for number in range(100)])
        assert found == [str(number) for number in range(100)]
        print(f"{name:19} {time.perf_counter() - began:.3f} s")
