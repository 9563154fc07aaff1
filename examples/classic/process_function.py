"""Ten processes at once, each runs a function. See docs/classic.md."""

import os
from multiprocessing import Process  # or: from elsewhere import Process


def greet(number):
    print(f"child {number} is process {os.getpid()}")


if __name__ == "__main__":
    print(f"the parent is process {os.getpid()}")
    children = [Process(target=greet, args=(number,)) for number in range(10)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    print("all ten have ended")
