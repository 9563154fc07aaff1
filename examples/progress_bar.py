"""A bar for a long job, with its pace and what has failed; results as they are done. See docs/examples.md."""

import zlib

from elsewhere import Pool


def shrink(seed):
    if seed == 13:
        raise ValueError("13 brings bad luck")
    return len(zlib.compress(bytes((seed * number) % 251 for number in range(300_000)), level=9))


with Pool() as pool:
    total = 0
    for size in pool.imap_unordered(shrink, range(100), progress=True, return_exceptions=True):
        if isinstance(size, Exception):
            print("left out:", size)
        else:
            total += size
print(f"{total:,} bytes")
