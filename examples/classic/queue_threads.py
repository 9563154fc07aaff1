"""A queue between threads; with both imports changed, between processes. See docs/classic.md."""

from queue import Queue  # or: from elsewhere import Queue
from threading import Thread as Worker  # or: from elsewhere import Process as Worker


def square(numbers, squares):
    while (number := numbers.get()) is not None:
        squares.put(number * number)


if __name__ == "__main__":
    numbers, squares = Queue(), Queue()
    workers = [Worker(target=square, args=(numbers, squares)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for number in range(10):
        numbers.put(number)
    for _ in workers:
        numbers.put(None)  # for each worker one: there is no more
    print(sorted(squares.get() for _ in range(10)))
    for worker in workers:
        worker.join()
