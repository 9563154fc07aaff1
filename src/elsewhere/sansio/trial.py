"""Which of two ways to wait for an answer is the quicker one here: to sleep at once, or to look a while before.

Rule: a machine without a clock: it is told how long waits took.

Looking saves the waking of a core that sleeps, 20 to 40 µs. Where both sides share a core, a sleeper is woken for next
to nothing, and looking costs some µs for its system calls. Nobody tells a program which it is, and it changes: so both
ways are tried now and then, and the one with the better median is kept for a while.
"""

from __future__ import annotations

__all__ = ["KEPT", "TRIES", "Trial"]

TRIES = 24  # waits of each way
KEPT = 1000  # waits of the better one
LONG = 0.001  # seconds: what is waited for longer than that is no matter of how


class Trial:
    """The waits of one thread for one thing.

    Attributes:
        looks: the next wait is to look before it sleeps.
        kept: so many waits need not be told of, but for their number.
    """

    __slots__ = ("_left", "_times", "kept", "looks")

    def __init__(self) -> None:
        self.looks = False
        self.kept = 0
        self._left = TRIES
        self._times: tuple[list[float], list[float]] = ([], [])  # of sleeping, of looking

    def took(self, seconds: float) -> None:
        """A wait, made as `looks` said, took so long; with `kept` at 0."""
        if seconds < LONG:
            self._times[self.looks].append(seconds)
        self._left -= 1
        if self._left:
            return
        self._left = TRIES
        if not self.looks:
            self.looks = True
        else:
            self.looks = _median(self._times[True]) < _median(self._times[False])
            self._times, self.kept = ([], []), KEPT

    def passed(self) -> None:
        """One of the `kept` waits is over."""
        self.kept -= 1
        if not self.kept:
            self.looks = False


def _median(times: list[float]) -> float:
    """Of none, it is none that is better."""
    return sorted(times)[len(times) // 2] if times else LONG
