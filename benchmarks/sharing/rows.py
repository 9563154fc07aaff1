"""The one shape of a row: a name, a unit, ours, theirs, and how many times as good ours is.

Rule: it imports next to nothing, since multiprocessing's children import it again with what they are measured by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import NamedTuple

__all__ = [
    "Ask",
    "Figure",
    "Group",
    "Result",
    "Row",
    "in_turns",
    "lines",
    "number",
    "plain",
    "reduced",
    "seconds",
    "show",
]


class Row(NamedTuple):
    """One line of the table.

    Attributes:
        name: unique.
        title: as the table shows it.
        unit: of both figures: "µs", "ms", or something "/s".
        more: is more better?
    """

    name: str
    title: str
    unit: str
    more: bool = False


class Figure(NamedTuple):
    """One turn of a row; theirs is None where multiprocessing has no such thing."""

    row: str
    ours: float
    theirs: float | None


class Ask(NamedTuple):
    """How to measure: how many turns, and whether with little work."""

    turns: int = 7
    quick: bool = False


class Group(NamedTuple):
    """Rows that one process measures.

    Attributes:
        number: follows those of the pool's groups.
        name: unique, also among those.
        rows: which.
        measure: makes the turns.
        limit: seconds until it is stopped.
    """

    number: int
    name: str
    rows: tuple[Row, ...]
    measure: Callable[[Ask], Iterator[Figure]]
    limit: float = 300.0


class Result(NamedTuple):
    """A row's figures, reduced: medians, and the median of the ratios."""

    ours: float
    theirs: float | None
    ratio: float | None


def in_turns(row: Row, ask: Ask, ours: Callable[[], float], theirs: Callable[[], float]) -> Iterator[Figure]:
    """Measure both, again and again, each first every other time."""
    for turn in range(ask.turns):
        if turn % 2:
            other = theirs()
            yield Figure(row.name, ours(), other)
        else:
            yield Figure(row.name, ours(), theirs())


def seconds(function: Callable[[], object], times: int) -> float:
    """Of one call, by so many."""
    begin = perf_counter()
    for _ in range(times):
        function()
    return (perf_counter() - begin) / times


# ---- what comes of them ----------------------------------------------------------------------------------------------


def reduced(row: Row, figures: list[Figure]) -> Result:
    from statistics import median

    ours = median(figure.ours for figure in figures)
    pairs = [(figure.ours, figure.theirs) for figure in figures if figure.theirs]
    if not pairs:
        return Result(ours, None, None)
    ratios = [mine / other if row.more else other / mine for mine, other in pairs]
    return Result(ours, median(other for _, other in pairs), median(ratios))


def number(value: float, unit: str) -> str:
    """Three digits, with k and M for rates."""
    if unit.endswith("/s"):
        for size, letter in ((1e6, "M"), (1e3, "k")):
            if value >= size:
                return f"{value / size:.3g}{letter}" if value < size * 1000 else f"{value / size:,.0f}{letter}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def lines(rows: tuple[Row, ...], figures: dict[str, list[Figure]]) -> list[list[str]]:
    """A table: a head, then a line for each row that has figures."""
    found = [["", "elsewhere", "multiprocessing", "elsewhere is"]]
    for row in rows:
        if figures.get(row.name):
            result = reduced(row, figures[row.name])
            theirs = "none" if result.theirs is None else number(result.theirs, row.unit)
            ratio = "" if result.ratio is None else f"{result.ratio:.2f}x"
            found.append([f"{row.title}, {row.unit}", number(result.ours, row.unit), theirs, ratio])
    return found


def plain(table: list[list[str]]) -> str:
    """Columns for a terminal, the first to the left and figures to the right."""
    widths = [max(len(line[at]) for line in table) for at in range(len(table[0]))]
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        )
        for line in table
    )


def show(group: Group, ask: Ask) -> None:
    """Measure a group here and print it: what its module does when it is run by hand."""
    figures: dict[str, list[Figure]] = {}
    for figure in group.measure(ask):
        figures.setdefault(figure.row, []).append(figure)
    print(plain(lines(group.rows, figures)))
