"""Which calls a worker was handed, has begun, and is to leave out or stop: no I/O, no lock, no clock.

The law of the file: calls are counted from 1 over the worker's life, and a number is a call's only until the call is
withdrawn: then the next one that comes has it. What the caller says of a number that no call has is about one that was
withdrawn meanwhile, and means no other.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from .wire import COUNT


class Run:
    """A run of calls, and which of them are still to be begun."""

    __slots__ = ("at", "flags", "last", "number", "payload")

    def __init__(self, number: int, flags: int, payload: bytes, first: int) -> None:
        self.number, self.flags, self.payload = number, flags, payload
        self.at = first  # ordinal of the next
        self.last = first + COUNT.unpack_from(payload)[0] - 1


class Ledger:
    """What there is to do, in order.

    Attributes:
        queue: runs, and other things that have their turn among them.
        begun: the number of the call that was begun last.
        over: the number of the call that is over, or was stopped, last: it is not stopped again.
        wanted: the number of the call that is to stop, and whether it was cancelled (otherwise it is late).
    """

    def __init__(self) -> None:
        self.queue: deque[Any] = deque()
        self.begun = self.over = 0
        self.wanted = 0, False
        self._received = 0  # number of the last call that was handed over
        self._skips: list[tuple[int, int]] = []
        self._current: Run | None = None

    def hand(self, number: int, flags: int, payload: bytes) -> None:
        """A run of calls."""
        run = Run(number, flags, payload, self._received + 1)
        self._received = run.last
        self.queue.append(run)

    def skip(self, first: int, last: int) -> None:
        """Leave these out, as far as they are not begun."""
        if first <= self._received:
            self._skips.append((first, min(last, self._received)))

    def stop(self, number: int, *, cancelled: bool) -> bool:
        """This call is to stop, now or when it begins. True if it runs."""
        if number > self._received:
            return False
        self.wanted = number, cancelled
        return self.to_be_stopped(number)

    def to_be_stopped(self, number: int) -> bool:
        """Does this call run, and is it to stop?"""
        return number == self.begun == self.wanted[0] != self.over

    def withdraw(self) -> int:
        """Forget what is not begun; returns how many calls have begun, ever."""
        self.queue = deque(one for one in self.queue if not isinstance(one, Run))
        if self._current is not None:
            self._current.last = self.begun
        begun = self._received = self.begun
        self._skips = [(first, min(last, begun)) for first, last in self._skips]
        if self.wanted[0] > begun:
            self.wanted = 0, False
        return begun

    def next(self) -> Any:
        """The next thing to do; None if there is nothing."""
        if not self.queue:
            return None
        one = self.queue.popleft()
        if isinstance(one, Run):
            self._current = one
        return one

    def begin(self, run: Run) -> bool | None:
        """Begin the next call of the run that is done; None if it has no more, False if the call is left out."""
        if run.at > run.last:
            self._current = None
            return None
        self.begun = number = run.at
        run.at += 1
        if not self._skips:
            return True
        self._skips = [skip for skip in self._skips if skip[1] >= number]
        return not any(first <= number <= last for first, last in self._skips)
