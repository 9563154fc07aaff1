"""How many workers each host of a pool has.

Rule: hosts are numbers from 0. A host is *trying* until it has said whether it can be used, then *up* or *out*. Those
that are up share the workers; one that is still trying keeps its place: the first that answers does not get all.
"""

from __future__ import annotations

import enum

__all__ = ["Shares"]


class _State(enum.Enum):
    TRYING = enum.auto()
    UP = enum.auto()
    OUT = enum.auto()


class Shares:
    """See the module.

    Args:
        count: how many hosts there are.
        wanted: workers altogether; None for as many on each host as it has cores.
        most: on one host.

    Attributes:
        wanted: may be changed.
        open: workers that each host has, also those that are about to leave.
    """

    def __init__(self, count: int, wanted: int | None, most: int) -> None:
        self.wanted = wanted
        self.open = [0] * count
        self._most = most
        self._states = [_State.TRYING] * count
        self._room = [most] * count

    def up(self, host: int, cores: int) -> None:
        """It can be used.

        Args:
            host: which.
            cores: that it says it has, which may be anything.
        """
        self._states[host] = _State.UP
        self._room[host] = max(1, min(cores, self._most)) if self.wanted is None else self._most

    def trying(self, host: int) -> None:
        """It was lost, and may be back at once."""
        self._states[host] = _State.TRYING

    def out(self, host: int) -> None:
        """It cannot be used."""
        self._states[host] = _State.OUT

    def limit(self, host: int, most: int) -> None:
        """It takes no more than so many; until it is `up` again."""
        self._room[host] = max(0, min(self._room[host], most))

    def is_up(self, host: int) -> bool:
        """Can it be used, as far as is known?"""
        return self._states[host] is _State.UP

    @property
    def none_left(self) -> bool:
        """Is every host out?"""
        return all(state is _State.OUT for state in self._states)

    def planned(self) -> list[int]:
        """How many each host is to have; 0 where it is not up."""
        rooms = [0 if state is _State.OUT else room for state, room in zip(self._states, self._room, strict=True)]
        found = rooms if self.wanted is None else _spread(self.wanted, rooms)
        return [each if state is _State.UP else 0 for state, each in zip(self._states, found, strict=True)]

    @property
    def size(self) -> int:
        """How many there are to be now."""
        return sum(self.planned())

    def next(self) -> int | None:
        """Whose the next new worker is: the one that lacks most; None if no host is up."""
        planned = self.planned()
        up = [host for host, state in enumerate(self._states) if state is _State.UP]
        return max(up, key=lambda host: (planned[host] - self.open[host], -host), default=None)

    def surplus(self) -> dict[int, int]:
        """Hosts that are up and have more than they are to have, and how many more."""
        planned = self.planned()
        more = {host: self.open[host] - planned[host] for host in range(len(planned)) if self.is_up(host)}
        return {host: each for host, each in more.items() if each > 0}


def _spread(wanted: int, rooms: list[int]) -> list[int]:
    """So many, evenly, the first hosts getting what is left; none more than it has room for."""
    found = [0] * len(rooms)
    left = min(wanted, sum(rooms))
    while left:
        open_ones = [host for host, room in enumerate(rooms) if found[host] < room]
        each = max(1, left // len(open_ones))
        for host in open_ones:
            more = min(each, rooms[host] - found[host], left)
            found[host] += more
            left -= more
    return found
