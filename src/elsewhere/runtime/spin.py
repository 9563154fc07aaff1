"""Waiting for what comes soon, without sleeping: `sansio.spinning` decides, this has the clock and the system call."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

from elsewhere.sansio.spinning import DISTURBED, LIMIT, Spinning

__all__ = ["wait_soon"]

T = TypeVar("T")
_give_way: Callable[[], object] = getattr(os, "sched_yield", lambda: time.sleep(0))


def wait_soon(spinning: Spinning, look: Callable[[], T], sleep: Callable[[], T], *, gives_way: bool = False) -> T:
    """What `look` gives as soon as that is true, or else what `sleep` gives.

    Args:
        gives_way: whether the core is given away before the first look, too: for who has just said something, and knows
            that the answer is not there yet. Where both share a core, the other side needs it.
    """
    clock = time.monotonic
    begin = last = clock()
    if not spinning.wanted():
        found = sleep()
        spinning.slept(clock() - begin)
        return found
    lost = 0.0
    result = None if gives_way else look()
    while not result and last < begin + LIMIT:
        _give_way()
        now = clock()
        if now - last > DISTURBED:
            lost += now - last
        last = now
        result = look()
    spinning.spun(lost, found=bool(result))
    return result or sleep()
