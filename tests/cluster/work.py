"""What the tests of clusters call there: by name from this module, which no Dask worker has."""

from __future__ import annotations

import contextlib
import os
import random
import sys
import time
from pathlib import Path

CALLS: list[int] = []


def triple(x):
    return 3 * x


def whereabouts(_=None):
    """The far worker's pid, its parent's, and whether anything of ours was imported there."""
    return os.getpid(), os.getppid(), "elsewhere" in sys.modules


def parent_of(_):
    return os.getppid()


def note(folder, x):
    """Leave a mark for each time that it is called."""
    with Path(folder, f"{x}").open("a") as file:
        file.write("x")
    return x


def note_and_wait(folder, x, seconds=600.0):
    note(folder, x)
    time.sleep(seconds)
    return x


def die(_=None):
    os.kill(os.getpid(), 9)


def boom(text):
    raise LookupError(text)


def size_of(array):
    return len(array)


def many_bytes(count):
    return bytes(count)


def version():
    return sys.version_info[:2]


def die_at_seven(x):
    if x == 7:
        die()
    return x


def deaf(seconds):
    """Swallow every interruption."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(BaseException):
            time.sleep(1)


def size_of_both(array, x):
    return len(array) + x


def nap(x):
    time.sleep(0.001)
    return x


def note_slowly(given):
    folder, x = given
    note(folder, x)
    return nap(x)


def note_pid_and_wait(file):
    with Path(file).open("a") as pid:
        pid.write(f"{os.getpid()} {os.getppid()}\n")
    time.sleep(600)


def draw():
    return random.random()


def meet(given):
    """Come back when so many calls are under way at once."""
    folder, x, count = given
    note(folder, f"met{x}")
    until = time.monotonic() + 60
    while len(list(Path(folder).glob("met*"))) < count:
        assert time.monotonic() < until, "the others do not come"
        time.sleep(0.005)
    return x
