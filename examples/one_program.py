"""One program, from one core to a cluster: only `where` changes. See docs/one-core-to-cluster.md."""

import argparse
import math

from elsewhere import Fleet, Pool


def primes(start: int) -> int:
    """How many there are among the 10,000 numbers from `start` on."""
    numbers = range(start, start + 10_000)
    return sum(all(number % divisor for divisor in range(2, math.isqrt(number) + 1)) for number in numbers)


options = argparse.ArgumentParser(description=__doc__)
options.add_argument("--where", default="processes", help="or inline, threads, dask, dask://host:8786")
options.add_argument("--hosts", nargs="+", help="as ssh knows them: web1 web2, or web[1-2]")
given = options.parse_args()

with Pool(where=Fleet(*given.hosts) if given.hosts else given.where) as pool:
    found = pool.map(primes, range(2, 200_002, 10_000), progress=True)
    print(f"{sum(found):,} primes below 200,000")
