"""What is measured: a group of rows is what one process measures for one peer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from peers import Peer

Figure = tuple[str, str, float]  # row, variant (how it was asked; empty where there is one way), value


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    title: str
    unit: str
    more: bool  # is more better?
    median: bool = False  # of the rounds, rather than the best


@dataclass(frozen=True)
class Ask:
    """How to measure."""

    quick: bool = False
    rounds: int = 1  # in this process
    only: tuple[tuple[str, str], ...] | None = None  # (row, variant); None for all

    def wants(self, row: str, variant: str = "") -> bool:
        return self.only is None or (row, variant) in self.only


@dataclass(frozen=True)
class Group:
    """Rows that belong together.

    Args:
        number: of the line in the list of goals.
        limit: seconds for one peer in one process; then its cell says so.
        finalists: from the second round on, only so many best variants of the peers are measured again; 0 for all.
    """

    number: int
    name: str
    rows: tuple[Row, ...]
    measure: Callable[[type[Peer], Ask], Iterator[Figure]]
    rounds: int
    limit: float
    peers: tuple[str, ...] = field(default=("elsewhere", "mp", "ppe", "loky", "joblib", "mpire", "pebble", "ray"))
    finalists: int = 0


def groups() -> list[Group]:
    """All of them, in the order of the list of goals."""
    from rows import arrays, durations, first, memory, rates

    return [*rates.GROUPS, *arrays.GROUPS, *durations.GROUPS, *first.GROUPS, *memory.GROUPS]
