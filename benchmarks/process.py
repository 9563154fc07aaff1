"""From `start` to the result: our `Process` with a lambda beside multiprocessing's forkserver with a module's function.

Rounds of both in turns, in one run; medians, and their ratio. Usage::

    python -m benchmarks.process [ROUNDS]
"""

from __future__ import annotations

import multiprocessing
import statistics
import sys
import time
from multiprocessing.connection import Connection

ROUNDS = 60
GOAL = 1.2


def send_square(number: int, pipe: Connection) -> None:
    pipe.send(number * number)


def ours(number: int) -> float:
    """Seconds from `start` to the result; `join`, which both have to do, comes after."""
    from elsewhere import Process  # here, since multiprocessing's children run this file again

    process = Process(target=lambda: number * number)
    begin = time.perf_counter()
    process.start()
    assert process.result() == number * number
    seconds = time.perf_counter() - begin
    process.join()
    process.close()
    return seconds


def theirs(number: int) -> float:
    """The same, with the pipe that their result needs."""
    context = multiprocessing.get_context("forkserver")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=send_square, args=(number, sender))
    begin = time.perf_counter()
    process.start()
    sender.close()
    assert receiver.recv() == number * number
    seconds = time.perf_counter() - begin
    receiver.close()
    process.join()
    process.close()
    return seconds


def main(rounds: int) -> None:
    ours(0), theirs(0)  # the fork servers start
    taken: dict[str, list[float]] = {"elsewhere": [], "multiprocessing": []}
    for number in range(rounds):
        taken["elsewhere"].append(ours(number))
        taken["multiprocessing"].append(theirs(number))
    medians = {name: statistics.median(seconds) for name, seconds in taken.items()}
    for name, seconds in medians.items():
        print(f"{name:<16} {seconds * 1e3:6.2f} ms")
    print(f"ratio            {medians['elsewhere'] / medians['multiprocessing']:6.2f}    (goal: at most {GOAL})")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
