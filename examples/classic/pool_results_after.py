"""All calls are made, then all results are fetched: 4 seconds. See docs/classic.md."""

import time
from multiprocessing import Pool  # or: from elsewhere import Pool


def square(number):
    time.sleep(2)
    return number * number


if __name__ == "__main__":
    begin = time.monotonic()
    pool = Pool(5)
    results = [pool.apply_async(square, (number,)) for number in range(10)]
    for result in results:
        print(result.get())
    pool.close()
    pool.join()
    print(f"ten calls took {time.monotonic() - begin:.0f} seconds")
