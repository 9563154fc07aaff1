"""From `start` to the result: our `Process` with a lambda beside multiprocessing's forkserver with a module's function.

    python -m benchmarks.process [ROUNDS]

Rounds of both in turns, in one run. Nothing is imported on top but what the children need, who import this again.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection

from benchmarks.sharing.rows import Ask, Figure, Group, Row, in_turns, show

ROUNDS = 60
ROW = Row("process", "Process: from start to result", "ms")


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


def measure(ask: Ask) -> Iterator[Figure]:
    ours(0), theirs(0)  # the fork servers start
    rounds = ask._replace(turns=10 if ask.quick else max(ask.turns, ROUNDS))
    yield from in_turns(ROW, rounds, lambda: ours(7) * 1e3, lambda: theirs(7) * 1e3)


GROUP = Group(11, "process", (ROW,), measure)

if __name__ == "__main__":
    show(GROUP, Ask(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
