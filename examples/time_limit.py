"""A call that takes too long is stopped; the others have their results. See docs/examples.md."""

import time

from elsewhere import CallTimeout, Pool


def nap(seconds):
    time.sleep(seconds)
    return seconds


with Pool(4, timeout=1) as pool:  # seconds for each call, from when it begins
    try:
        pool.map(nap, [0.1, 60, 0.2])
    except CallTimeout as error:  # raised when all calls are over
        print(error)
        for result in error.results:  # what each of them had
            print(repr(result))
