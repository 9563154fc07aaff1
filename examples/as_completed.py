"""Results in the order in which they are done, by the standard library's as_completed. See docs/examples.md."""

import time

from elsewhere import Pool, as_completed


def nap(seconds):
    time.sleep(seconds)
    return f"slept for {seconds} s"


with Pool(3) as pool:
    futures = [pool.submit(nap, seconds) for seconds in (0.9, 0.5, 0.1)]
    for future in as_completed(futures):
        print(future.result())
