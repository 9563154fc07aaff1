"""A look at what is kept for others, which must never wait.

Rule: objects die in any thread at any moment, also within a collection of garbage that began under the lock. So who
wants a look and finds the lock taken leaves a word; who has it looks again after letting go of it. What runs in such a
moment, or a signal's handler, may also pickle: hence a recursive lock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

__all__ = ["Looking", "limit"]


class Looking:
    """The lock, and who looks.

    Args:
        look: is called with the lock.

    Attributes:
        lock: for all that is looked at; another one in a forked copy.
    """

    def __init__(self, look: Callable[[], None]) -> None:
        self.lock: Any = threading.RLock()
        self._look = look
        self._again = False  # somebody wanted to look while the lock was taken

    def settle(self) -> None:
        """Look, or have it done by who has the lock; safe in the middle of anything."""
        self._again = True
        lock = self.lock  # a fork in here gets another one
        while self._again and not lock._is_owned():
            try:
                if not lock.acquire(blocking=False):
                    return
                self._again = False
                self._look()
            finally:
                # Tried, not asked or remembered: a signal's handler may raise after each call, also after acquire().
                try:  # noqa: SIM105 - suppress() is such a call
                    lock.release()
                except RuntimeError:
                    pass

    def forked(self) -> None:
        """In a forked copy: some thread of the parent may have had the lock."""
        self.lock = threading.RLock()
        self._again = False


def limit() -> int:
    """How many descriptors may be kept for others: a quarter of what the process may have."""
    import resource

    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 4000 if soft == resource.RLIM_INFINITY else max(16, min(4000, soft // 4))
