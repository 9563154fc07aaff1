"""Ten calls on five workers, asynchronous, with a callback: 4 seconds. See docs/classic.md."""

import time
from multiprocessing import Pool  # or: from elsewhere import Pool


def square(number):
    time.sleep(2)
    return number * number


if __name__ == "__main__":
    begin = time.monotonic()
    pool = Pool(5)
    for number in range(10):
        pool.apply_async(square, (number,), callback=print)
    pool.close()
    pool.join()
    print(f"ten calls took {time.monotonic() - begin:.0f} seconds")
