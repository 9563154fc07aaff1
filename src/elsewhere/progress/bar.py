"""`Progress`: counts, and says when to draw; what draws is a view."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections import deque
from collections.abc import Callable
from threading import RLock
from typing import Self, TextIO

from elsewhere.progress.choosing import view
from elsewhere.progress.views import UNDRAWABLE
from elsewhere.progress.words import Snapshot, compose_line

__all__ = ["Progress", "Speed", "Throttle"]

WINDOW = 30.0  # seconds over which the pace is measured: steady enough to read, and a stall shows


class Speed:
    """Calls a second over the last `WINDOW` seconds, from marks (when, how many) set on the way."""

    def __init__(self, now: float) -> None:
        self._marks = deque([(now, 0)])

    def rate(self, done: int, now: float) -> float:
        while len(self._marks) > 1 and self._marks[1][0] <= now - WINDOW:
            self._marks.popleft()
        since, before = self._marks[0]
        if now - self._marks[-1][0] >= WINDOW / 10:  # eleven marks at most
            self._marks.append((now, done))
        return (done - before) / (now - since) if now > since else 0.0


class Throttle:
    """Says when to draw: first after `first` seconds, then `every` so many after a drawing ended."""

    def __init__(self, first: float, every: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._every = every
        self._clock = clock
        self._next = clock() + first

    def due(self) -> bool:
        """True once, to the caller who then draws and calls `rearm`; everybody else goes on working."""
        if self._clock() < self._next:
            return False
        self._next = math.inf
        return True

    def rearm(self) -> None:
        self._next = self._clock() + self._every


class Progress:
    """A progress bar on `stream` (stderr as it is now, if None), drawn as that can show it.

    `total` is None where nobody knows it: then there is no percentage and no ETA. Close the bar, or use it in a
    ``with`` block: that draws the final state and gives the terminal back.
    """

    def __init__(self, total: int | None, label: str = "", *, stream: TextIO | None = None) -> None:
        self._total = total
        self._label = " ".join(label.split())  # a bar has one line
        self._done = self._failed = 0
        self._started = time.monotonic()
        self._speed = Speed(self._started)
        self._closed = False
        # Both can be taken again by their own thread: a signal handler may close the bar in the middle of either.
        self._counting, self._drawing = RLock(), RLock()
        self._view = view(self._snapshot, sys.stderr if stream is None else stream)
        self._throttle = Throttle(self._view.first, self._view.every)

    def advance(self, done: int = 1, failed: int = 0) -> None:
        """`done` more calls have ended, `failed` of them with an error. Any thread may say so, at any pace."""
        with self._counting:
            self._done += done
            self._failed += failed
            due = self._throttle.due()
        if due:
            self._draw()

    def set_total(self, total: int | None) -> None:
        """The number of calls is known now, or has changed."""
        with self._counting:
            self._total = total

    def close(self) -> None:
        """Draw the final state and give the stream back; a second time it does nothing."""
        with self._drawing, contextlib.suppress(*UNDRAWABLE):
            if not self._closed:
                self._closed = True
                self._view.end(self._snapshot(ended=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Progress {compose_line(self._snapshot(ended=self._closed))}>"

    def _draw(self) -> None:
        with self._drawing, contextlib.suppress(*UNDRAWABLE):
            if not self._closed:
                self._view.show(self._snapshot())
                self._throttle.rearm()  # not after a failure: silent from then on

    def _snapshot(self, *, ended: bool = False) -> Snapshot:
        with self._counting:
            now = time.monotonic()
            elapsed = now - self._started
            rate = self._speed.rate(self._done, now)
            if ended and elapsed > 0:  # the last word is the average of the whole job
                rate = self._done / elapsed
            return Snapshot(self._label, self._done, self._total, self._failed, elapsed, rate, ended)
