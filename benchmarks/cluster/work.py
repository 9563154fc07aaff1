"""What the calls do. It is importable where Dask's workers are, as Dask wants it; ours sends it as source."""

from __future__ import annotations

import time
from typing import Any

SECONDS = 1e-3


def nap(number: int) -> int:
    """Wait a millisecond."""
    time.sleep(SECONDS)
    return number


def burn(number: int) -> int:
    """Use a core for a millisecond; of this thread's own time, so that it is as much work on a busy machine."""
    end = time.thread_time() + SECONDS
    while time.thread_time() < end:
        pass
    return number


def used(array: Any, number: int) -> float:
    """A look into a large array."""
    return float(array[number])
