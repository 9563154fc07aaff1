"""The functions that the benchmarks call: importable by every peer's workers."""

import os
import signal
import time


def inc(number: int) -> int:
    return number + 1


def five_microseconds(number: int) -> int:
    end = time.perf_counter_ns() + 5_000
    while time.perf_counter_ns() < end:
        pass
    return number


def die_once(item: tuple[int, str]) -> int:
    """Number 7 kills its worker the first time it is called."""
    number, marker = item
    if number == 7 and not os.path.exists(marker):
        with open(marker, "w"):
            os.kill(os.getpid(), signal.SIGKILL)
    return number
