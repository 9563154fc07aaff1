"""File descriptors of an initializer's arguments: multiprocessing's queues, pipes and locks on their way.

Rule: the standard library pickles those only while it starts a process; `sending` and `receiving` are our two ends of
that moment, with the descriptors sent along with the worker's own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["receiving", "sending"]

_received: list[int] = []


class _Handle:
    """Stands for a file descriptor on the way; `detach` is what multiprocessing asks of it."""

    def __init__(self, place: int) -> None:
        self._place = place

    def detach(self) -> int:
        """The descriptor here; a copy, since several objects may share one."""
        return os.dup(_received[self._place])


class _Start:
    """What multiprocessing.context expects of the process that is being started."""

    DupFd = _Handle

    def __init__(self) -> None:
        self.fds: list[int] = []

    def duplicate_for_child(self, fd: int) -> int:
        """Its place among the descriptors that go along."""
        self.fds.append(fd)
        return len(self.fds) - 1


@contextmanager
def sending() -> Iterator[list[int]]:
    """While this lasts, multiprocessing's objects can be pickled; yields the descriptors that must go along."""
    start = _Start()
    if "multiprocessing.context" not in sys.modules:
        yield start.fds
        return
    import multiprocessing.context  # the statement waits, if another thread is just importing it

    context: Any = multiprocessing.context  # its stubs let only multiprocessing's own kinds spawn
    before = context.get_spawning_popen()
    context.set_spawning_popen(start)
    try:
        yield start.fds
    finally:
        context.set_spawning_popen(before)


@contextmanager
def receiving(fds: list[int]) -> Iterator[None]:
    """While this lasts, what `sending` pickled can be loaded; the descriptors are closed afterwards."""
    global _received
    _received = fds
    try:
        yield
    finally:
        for fd in fds:
            os.close(fd)
        _received = []
