"""Waits for many descriptors, and says whose turn it is: `selectors`, with less between the call and the kernel.

Rule: knows descriptors and what to call for each; nothing of workers.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Any

__all__ = ["Watcher"]

Ready = list[Callable[[], object]]


class Watcher:
    """A set of descriptors, each with what is to be called when it can be read (or, if asked, written)."""

    def __init__(self) -> None:
        self._calls: dict[int, Callable[[], object]] = {}
        self._writing: set[int] = set()
        self._epoll = _Poll() if not hasattr(select, "epoll") else select.epoll()

    def register(self, fd: int, call: Callable[[], object]) -> None:
        """Watch a descriptor for something to read."""
        self._epoll.register(fd, select.POLLIN)
        self._calls[fd] = call

    def unregister(self, fd: int) -> None:
        """Watch it no more; before it is closed."""
        del self._calls[fd]
        self._writing.discard(fd)
        self._epoll.unregister(fd)

    def watch_writing(self, fd: int, wanted: bool) -> None:
        """Call also when it takes more bytes, or no longer."""
        if (fd in self._writing) is not wanted:
            (self._writing.add if wanted else self._writing.discard)(fd)
            self._epoll.modify(fd, select.POLLIN | (select.POLLOUT if wanted else 0))

    def wait(self, timeout: float | None) -> Ready:
        """What is to be called, after at most `timeout` seconds; None for no limit."""
        found = self._epoll.poll(-1 if timeout is None else timeout)  # rounded up to the kernel's milliseconds
        return [self._calls[fd] for fd, _ in found if fd in self._calls]

    def close(self) -> None:
        """Watch nothing."""
        self._epoll.close()


class _Poll:
    """`select.poll` with epoll's methods, where there is no epoll."""

    def __init__(self) -> None:
        self._poll: Any = select.poll()
        self.register = self._poll.register
        self.modify = self._poll.modify
        self.unregister = self._poll.unregister

    def poll(self, seconds: float) -> list[tuple[int, int]]:
        """As epoll's, in seconds."""
        found: list[tuple[int, int]] = self._poll.poll(None if seconds < 0 else seconds * 1000)
        return found

    def close(self) -> None:
        """Nothing to close."""
