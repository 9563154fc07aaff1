"""What a pool is doing, as an immutable record."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["RunningCall", "Statistics"]


class RunningCall(NamedTuple):
    """A call that is being executed.

    Attributes:
        name: the function's name, or the one from ``options(name=)``.
        index: which input of its map or imap it is, or how manieth submitted with this function.
        age: seconds since it began.
        worker: the worker's process id; a thread's or a slot's number in the other places.
    """

    name: str
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody calls on a record
    age: float
    worker: int


class Statistics(NamedTuple):
    """A pool at one moment.

    Attributes:
        size: how many workers there are meant to be.
        workers: how many there are.
        running: the calls being executed, oldest first.
        unfinished: calls whose outcome is not known, running ones included.
        succeeded, failed: calls whose outcome is known.
        retried: runs of calls that were repeats.
        lost_workers: workers that died without being asked to.
        abandoned: threads left to themselves because a call in them did not end in time.
    """

    size: int
    workers: int
    running: tuple[RunningCall, ...]
    unfinished: int
    succeeded: int
    failed: int
    retried: int
    lost_workers: int
    abandoned: int
