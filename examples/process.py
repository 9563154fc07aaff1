"""A function in a process of its own, and its result. No main guard is needed. See docs/examples.md."""

import os

from elsewhere import Process


def greet(name):
    print(f"Hello {name}, from process {os.getpid()}")
    return len(name)


process = Process(target=greet, args=("Ada",))
process.start()
process.join()  # waits until it has ended
print("its result:", process.result())

many = [Process(target=lambda number=number: number**2) for number in range(10)]
for process in many:
    process.start()
print([process.result() for process in many])  # result() waits, too
