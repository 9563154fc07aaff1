"""Items a second through a queue, beside multiprocessing's, in the same run and in turns.

    python benchmarks/queues.py [--items 100000] [--rounds 7] [--method forkserver]

One process puts, another gets. Both are there before the clock starts, which is when the first puts its first item,
and it stops when the other has the last. A round is one run of each queue; what counts is the median of the ratios of
the rounds, since both of a round had the same machine.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
from typing import Any

import elsewhere

KINDS = ("Queue", "SimpleQueue", "JoinableQueue")
ITEMS: dict[str, Any] = {
    "int": 7,
    "tuple": (7, "name", 1.5),
    "bytes of 100": b"x" * 100,
    "bytes of 1,000": b"x" * 1000,
    "bytes of 10,000": b"x" * 10_000,
    "bytes of 100,000": b"x" * 100_000,
    "bytes of 1,000,000": b"x" * 1_000_000,
}
FEWER = {"bytes of 10,000": 10, "bytes of 100,000": 100, "bytes of 1,000,000": 400}  # of the large ones


def produce(items: Any, item: Any, count: int, ready: Any, go: Any, began: Any) -> None:
    ready.release()
    go.acquire()
    began.send(time.monotonic())
    put = items.put
    for _ in range(count):
        put(item)
    if hasattr(items, "task_done"):
        items.join()


def consume(items: Any, count: int, ready: Any, ended: Any) -> None:
    ready.release()
    get = items.get
    if hasattr(items, "task_done"):
        done = items.task_done
        for _ in range(count):
            get()
            done()
    else:
        for _ in range(count):
            get()
    ended.send(time.monotonic())


def rate(context: Any, items: Any, item: Any, count: int) -> float:
    """Items a second."""
    ready, go = context.Semaphore(0), context.Semaphore(0)
    began, begin = context.Pipe(duplex=False)
    ended, end = context.Pipe(duplex=False)
    producer = context.Process(target=produce, args=(items, item, count, ready, go, begin))
    consumer = context.Process(target=consume, args=(items, count, ready, end))
    for process in (producer, consumer):
        process.start()
    for _ in range(2):
        ready.acquire()
    go.release()
    seconds = -began.recv() + ended.recv()
    for process in (producer, consumer):
        process.join()
    return count / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]  # it is there
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--method", default="forkserver")
    parser.add_argument("--kinds", default=",".join(KINDS))
    options = parser.parse_args()
    context: Any = multiprocessing.get_context(options.method)
    print(f"{'queue':<15}{'items':<20}{'elsewhere/s':>12}{'mp/s':>12}{'ratio':>8}   of {options.rounds} rounds")
    for kind in options.kinds.split(","):
        for name, item in ITEMS.items():
            count = max(1, options.items // FEWER.get(name, 1))
            ours, theirs = [], []
            for turn in range(options.rounds):
                both = [(ours, getattr(elsewhere, kind)), (theirs, getattr(context, kind))]
                for rates, make in both if turn % 2 else reversed(both):
                    rates.append(rate(context, make(), item, count))
            ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
            print(
                f"{kind:<15}{name:<20}{statistics.median(ours):>12,.0f}{statistics.median(theirs):>12,.0f}"
                f"{statistics.median(ratios):>8.2f}   {min(ratios):.2f} to {max(ratios):.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
