"""Which thread drives a pool: the one that waits for it does, and the background thread only when nobody waits.

Rule: a machine without threads. Threads say that they come to wait and that they go; it says who holds the helm, who is
to be woken, and when the background thread is to look again. Its caller makes each method's call indivisible.

::

    a thread waits ── arrive ──> free: it drives           ── leave ──> the next that is parked, else free
                                 held: it is parked until the helm is handed to it, or what it waits for is there
    nobody waits   ── look ────> free for a while: the background thread drives, until a thread arrives

A thread that waits again and again, as one that makes call after call does, finds the helm free each time: the
background thread takes it only after `TICK` seconds in which nobody has driven (`IDLE` where nothing is unfinished),
or at once where somebody waits who cannot drive (`attend`).
"""

from __future__ import annotations

from collections.abc import Hashable
from math import inf

__all__ = ["IDLE", "TICK", "Helm"]

TICK = 0.002  # seconds that unfinished calls may be without a driver
IDLE = 0.05  # seconds until the background thread looks after a pool without calls
ATTENDED = 0.05  # seconds for which the background thread stays because of somebody who cannot drive


class Helm:
    """The helm of one pool.

    Args:
        background: stands for the background thread, which never parks.

    Attributes:
        holder: who drives; None while nobody does.
        wake_at: when the background thread looks next; endless while anybody drives.
    """

    def __init__(self, background: Hashable) -> None:
        self.background = background
        self.holder: Hashable | None = None
        self.wake_at = 0.0
        self._parked: dict[Hashable, None] = {}
        self._driven_at = self._held_since = -inf
        self._attended_until = -inf

    def arrive(self, who: Hashable, now: float) -> bool:
        """A thread comes to wait; True if it is to drive. Otherwise it is parked, and the holder should hear of it."""
        if self.holder is None:
            self.holder = who
            self._driven_at = self._held_since = now
            return True
        self._parked[who] = None
        return False

    def leave(self, who: Hashable, now: float) -> Hashable | None:
        """A thread goes, whether it drove or was parked; who is to be woken, to drive."""
        if self.holder != who:
            self._parked.pop(who, None)
            return None
        self._driven_at = now
        self.holder = next(iter(self._parked), None)
        if self.holder is not None:
            del self._parked[self.holder]
        return self.holder

    def attend(self, now: float) -> bool:
        """Somebody waits who cannot drive, as a coroutine does; True if the background thread is to be woken."""
        self._attended_until = now + ATTENDED
        return self.holder is None

    def should_wake(self, busy: bool, now: float) -> bool:
        """Nobody drives: is the background thread to be woken because it would look too late? True once, not twice."""
        if self.holder is not None or self.wake_at <= now + (TICK if busy else IDLE):
            return False
        self.wake_at = now
        return True

    def look(self, busy: bool, now: float) -> bool:
        """The background thread is awake: True if it is to drive; otherwise it looks again at `wake_at`."""
        if self.holder == self.background:
            return True
        patience = TICK if busy else IDLE
        if self.holder is not None:
            # Whoever drives wakes it on leaving, unless it looks soon: one that waits for call after call never does.
            self.wake_at = now + IDLE if now < self._held_since + IDLE else inf
            return False
        if now < self._driven_at + patience and now >= self._attended_until:
            self.wake_at = self._driven_at + patience
            return False
        self.holder = self.background
        self.wake_at = inf
        return True

    def stay(self, posted: bool, now: float) -> bool:
        """The background thread has made a step, because others `posted` work or not: is it to go on driving?

        Not if a thread is parked, nor if those who post may soon wait, and drive, themselves.
        """
        return not self._parked and (not posted or now < self._attended_until)
