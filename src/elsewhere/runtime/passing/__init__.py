"""Handles: how memory and ends of pipes of this process get into others, at any time and without a name.

::

    descriptors.py    an open file of this process, closed with its last reference
    receipts.py       keeps what was pickled until the other side has opened it
    mailbox.py        where the receipts arrive
    opening.py        opens what a handle means, once it is certain that it is just that

The law of the room: whoever opens what another process has verifies it before it is opened, and again afterwards; and
whoever sends something may forget it at once.
"""

from __future__ import annotations

import os

__all__ = ["begin", "last", "thrown_away"]

last = 0  # the number of the latest ticket of this process; see `receipts`


def begin() -> None:
    """Number from anywhere: a receipt for another process, which had our pid before us, is none of ours then."""
    global last
    last = int.from_bytes(os.urandom(6), "little")


def thrown_away(since: int) -> None:
    """What this thread has pickled since `last` was that number will not be sent."""
    if last != since:
        from elsewhere.runtime.passing import receipts

        receipts.withdraw(since)


begin()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=begin)
