"""The functions that the benchmarks call: importable by every peer's workers."""

import fcntl
import os
import signal
import time
from typing import Any

PAGE = 512  # float64 in a page of 4 KiB


def inc(number: int) -> int:
    return number + 1


def five_microseconds(number: int) -> int:
    end = time.perf_counter_ns() + 5_000
    while time.perf_counter_ns() < end:
        pass
    return number


def spin(seconds: float) -> None:
    """Keep a core busy for this long by the clock, so that the ideal makespan is known exactly."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def read_pages(array: Any) -> float:
    """A tiny result that needs every page of 4 KiB of a float64 array, at hardly any cost of its own."""
    return float(array.reshape(-1)[::PAGE].sum())


def read_and_return(array: Any) -> Any:
    """The array that came is the array that goes back."""
    read_pages(array)
    return array


def another(array: Any) -> Any:
    """An array that is new goes back, its pages fresh from the kernel."""
    return array + 1


def wait_for_lock(path: str) -> None:
    """Block until the parent unlocks this file or is gone."""
    with open(path) as file:
        fcntl.flock(file, fcntl.LOCK_SH)


def die_once(item: tuple[int, str]) -> int:
    """Number 7 kills its worker the first time it is called."""
    number, marker = item
    if number == 7 and not os.path.exists(marker):
        with open(marker, "w"):
            os.kill(os.getpid(), signal.SIGKILL)
    return number
