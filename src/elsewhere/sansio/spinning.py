"""Whether to look again and again for what is waited for, rather than to sleep.

Rule: a machine without a clock: it is told how long waits took.

Waking a process whose core sleeps takes 20 to 40 µs. A call that is waited for takes two such wakings, more than all
else about it. So who waits for something that lately came within `LIMIT` looks for it meanwhile, giving the core away
between two looks (`sched_yield`): the other side can run even if both share one core, which a plain spin would keep
from it. A yield that takes long tells that somebody else has had the core:

- the other side, for as long as it had to do. The kernel likes to put both on one core, and takes some ms to part them
  when both are busy; so this is put up with for a while.
- anybody else, for a slice of his own. Then sleeping is better: wakings are cheap where cores are busy, and who spins
  has to queue. Once that has cost `TOLERANCE`, the next `PENANCE` waits sleep.
"""

from __future__ import annotations

__all__ = ["DISTURBED", "LIMIT", "PENANCE", "QUICK", "TOLERANCE", "Spinning"]

LIMIT = 0.0001  # seconds of looking: a lone call takes about half of that, and so does who calls, between two calls
DISTURBED = 0.00002  # seconds between two looks: somebody else has had the core
TOLERANCE = 0.005  # seconds lost that way without one undisturbed wait between: more than parting two processes takes
QUICK = 2  # waits in a row that were short, before the next one spins
PENANCE = 1000  # waits that sleep afterwards: what was lost is little, spread over so many


class Spinning:
    """The waits of one thread for one thing."""

    __slots__ = ("_lost", "_penance", "_quick")

    def __init__(self) -> None:
        self._quick = self._penance = 0
        self._lost = 0.0

    def wanted(self) -> bool:
        """Is the next wait to spin?"""
        return self._quick >= QUICK and not self._penance

    def slept(self, seconds: float) -> None:
        """A wait that slept took so long."""
        self._quick = self._quick + 1 if seconds <= LIMIT else 0
        if self._penance:
            self._penance -= 1

    def spun(self, disturbed: float, *, found: bool) -> None:
        """A wait that spun, and lost so many seconds to others, found what it was for; or had to sleep after all."""
        if disturbed:
            self._lost += disturbed
            if self._lost > TOLERANCE:
                self._lost, self._penance = 0.0, PENANCE
        elif found:
            self._lost = 0.0
        if not found:
            self._quick = 0
