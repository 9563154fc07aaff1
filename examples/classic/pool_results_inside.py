"""The common mistake: each result is fetched before the next call is made: 20 seconds. See docs/classic.md."""

import time
from multiprocessing import Pool  # or: from elsewhere import Pool


def square(number):
    time.sleep(2)
    return number * number


if __name__ == "__main__":
    begin = time.monotonic()
    pool = Pool(5)
    for number in range(10):
        result = pool.apply_async(square, (number,))
        print(result.get())  # the loop waits here, and four workers have nothing to do
    pool.close()
    pool.join()
    print(f"ten calls took {time.monotonic() - begin:.0f} seconds")
