"""Waiting for the other side of a conversation, without sleeping if it answers soon.

Rule: as `runtime.spin`, and decided by the same machine; but the core is given away *before* the first look. Who has
just said something knows that the answer is not there yet, and where both share a core, the other side needs it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

from elsewhere.sansio.spinning import DISTURBED, LIMIT, Spinning

__all__ = ["wait_for_turn"]

T = TypeVar("T")
_give_way: Callable[[], object] = getattr(os, "sched_yield", lambda: time.sleep(0))


def wait_for_turn(spinning: Spinning, look: Callable[[], T], sleep: Callable[[], T]) -> T:
    """What `look` gives as soon as that is true, or else what `sleep` gives."""
    clock = time.monotonic
    begin = last = clock()
    if not spinning.wanted():
        found = sleep()
        spinning.slept(clock() - begin)
        return found
    lost = 0.0
    while True:
        _give_way()
        now = clock()
        if now - last > DISTURBED:
            lost += now - last
        last = now
        found = look()
        if found or last >= begin + LIMIT:
            break
    spinning.spun(lost, found=bool(found))
    return found or sleep()
