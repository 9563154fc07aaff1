"""A function in a process of its own, and its result. No main guard is needed. See docs/examples.md."""

import os

from elsewhere import Process


def hello(name):
    print(f"Hello {name}, from another process")
    return os.getpid()


process = Process(target=hello, args=("Ada",))
process.start()
process.join()
print("its result is its number:", process.result() == process.pid)

many = [Process(target=lambda number=number: number**2) for number in range(10)]
for process in many:
    process.start()
print([process.result() for process in many])
