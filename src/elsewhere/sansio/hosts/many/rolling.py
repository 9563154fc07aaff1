"""Which host is worked on next, and when to stop: rolling work.

Rule: once `most` hosts have failed, nobody else is begun, and nobody is tried again. Those that run are left to end, so
with many at once there may be more failures than `most`.
"""

from __future__ import annotations

__all__ = ["Rolling"]


class Rolling:
    """See the module; hosts are numbers from 0.

    Args:
        count: how many hosts there are.
        jobs: how many are worked on at once.
        most: failures at which it stops; None for no limit.

    Attributes:
        failed: how many have failed so far.
    """

    def __init__(self, count: int, jobs: int, most: int | None = None) -> None:
        self._count = count
        self._jobs = jobs
        self._most = most
        self._next = 0
        self._running: set[int] = set()
        self.failed = 0

    @property
    def stopped(self) -> bool:
        """Have as many failed as may?"""
        return self._most is not None and self.failed >= self._most

    @property
    def over(self) -> bool:
        """Does nothing run, and will nothing more?"""
        return not self._running and (self.stopped or self._next >= self._count)

    @property
    def untouched(self) -> range:
        """Those that were not begun; once it is `over`, never will be."""
        return range(self._next, self._count)

    def begin(self) -> list[int]:
        """Who is to be begun now."""
        if self.stopped:
            return []
        first = self._next
        self._next = min(self._count, first + self._jobs - len(self._running))
        begun = list(range(first, self._next))
        self._running.update(begun)
        return begun

    def ended(self, host: int, *, failed: bool) -> list[int]:
        """One has ended; who is to be begun in its place.

        Raises:
            ValueError: it was not running.
        """
        if host not in self._running:
            raise ValueError(f"host {host} has ended, which was not running")
        self._running.remove(host)
        self.failed += failed
        return self.begin()
