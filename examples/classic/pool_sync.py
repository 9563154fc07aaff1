"""Ten calls, one after the other, however many workers there are: 10 seconds. See docs/classic.md."""

import time
from multiprocessing import Pool  # or: from elsewhere import Pool


def square(number):
    time.sleep(1)
    return number * number


if __name__ == "__main__":
    begin = time.monotonic()
    pool = Pool(5)
    for number in range(10):
        print(pool.apply(square, (number,)))
    pool.close()
    pool.join()
    print(f"ten calls took {time.monotonic() - begin:.0f} seconds")
