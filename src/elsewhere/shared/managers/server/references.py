"""What a manager's server keeps, and for whom.

Rule: an object lives as long as somebody refers to it:

- a client's connection, by each of its proxies (given back one by one, or all at the connection's end);
- a *ticket*, which travels in a proxy's pickle and is used up by the first who loads it; one whose pickler has ended
  lives on for `LINGER` seconds, since what was sent may be loaded later;
- a proxy that lies in another object of this manager.

Names are counted, so that one which has outlived its object never means another.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from typing import Any

__all__ = ["References"]

LINGER = 60.0  # seconds; a result that nobody has fetched by then may name objects that are gone


class References:
    """The tables, shared with multiprocessing's Server, whose attributes they are."""

    def __init__(self, objects: dict[str, Any], counts: dict[str, int]) -> None:
        self.objects = objects
        self.counts = counts
        self.dropped: deque[str] = deque()  # by destructors of proxies in here, at any time
        self._names: dict[int, str] = {}
        self._numbers = itertools.count(1)
        self._tickets: dict[int, tuple[str, Any]] = {}  # number -> name, the client whose it is
        self.lingering: deque[tuple[float, int]] = deque()
        self._mutex = threading.RLock()  # objects of user's classes run in threads, and pickle

    def add(self, entry: tuple[Any, set[str], Any]) -> str:
        """The name of an object, which one more refers to."""
        with self._mutex:
            ident = self._names.get(id(entry[0]))
            if ident is None:
                ident = self._names[id(entry[0])] = f"{next(self._numbers):x}"
            self.objects[ident] = entry
            self.counts[ident] = self.counts.get(ident, 0) + 1
            return ident

    def take(self, ident: str) -> None:
        """One more refers to it.

        Raises:
            KeyError: it is gone.
        """
        with self._mutex:
            self.counts[ident] += 1

    def give_back(self, ident: str, count: int = 1) -> None:
        """So many fewer refer to it."""
        gone = None
        with self._mutex:
            left = self.counts.get(ident, 0) - count
            if left > 0:
                self.counts[ident] = left
            elif self.counts.pop(ident, None) is not None:
                gone = self.objects.pop(ident)
                del self._names[id(gone[0])]
        del gone  # without the mutex: it may hold proxies, or run the user's code

    def ticket(self, ident: str, client: Any) -> int:
        """A reference that travels."""
        with self._mutex:
            self.take(ident)
            number = next(self._numbers)
            self._tickets[number] = (ident, client)
            return number

    def adopt(self, ident: str, ticket: int) -> None:
        """Whoever has loaded it refers to it from here on.

        Raises:
            KeyError: the object is gone.
        """
        with self._mutex:
            known = self._tickets.pop(ticket, None)
            if known is None:  # loaded a second time
                self.take(ident)

    def ended(self, client: Any) -> None:
        """The client has gone."""
        with self._mutex:
            now = time.monotonic()
            for number, (_, owner) in self._tickets.items():
                if owner is client:
                    self.lingering.append((now + LINGER, number))

    def settle(self) -> float | None:
        """Give back what destructors have dropped and what has lingered too long; seconds until there is more."""
        while self.dropped:
            self.give_back(self.dropped.popleft())
        now = time.monotonic()
        while self.lingering and self.lingering[0][0] <= now:
            _, number = self.lingering.popleft()
            known = self._tickets.pop(number, None)
            if known is not None:
                self.give_back(known[0])
        return self.lingering[0][0] - now if self.lingering else None
