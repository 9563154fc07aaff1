"""Four processes draw a random number each. See docs/rules.md."""

import multiprocessing

import numpy as np

import elsewhere


def draw(queue):
    queue.put(np.random.random())


def different(library):
    queue = library.Queue()
    processes = [library.Process(target=draw, args=(queue,)) for _ in range(4)]
    for process in processes:
        process.start()
    numbers = {queue.get() for _ in processes}
    for process in processes:
        process.join()
    return len(numbers)


np.random.random()  # the program has used it before
print("multiprocessing: 4 processes draw", different(multiprocessing.get_context("fork")), "different numbers")
print("elsewhere:       4 processes draw", different(elsewhere), "different numbers")
