"""The figures as a part of docs/benchmarks.md, and as text for a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.sharing.groups import GROUPS
from benchmarks.sharing.rows import Figure, lines, plain

__all__ = ["HEADING", "about", "section", "text", "write"]

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
HEADING = "## Processes and shared data"


def section(figures: dict[str, list[Figure]], described: dict[str, Any]) -> str:
    """The part, from its heading on."""
    return f"""{HEADING}

This part is written by `make bench B="--set shared --write"`, from one run: {about(described)}.
Everything stands beside multiprocessing, with its start method "forkserver". Both are measured in one process, right
after each other, most of it {described["turns"]} times; figures are medians. Only the last column means something on
another machine: the median of the turns' ratios, how many times as good elsewhere is.

{markdown(lines(all_rows(), figures))}

- Processes: from `start` to the result, of a lambda by `result()`; there of a function of a module, through a pipe.
- Queues: one process puts, another gets; both run before the clock does, which stops when the last item is there.
- Arrays: the worker has seen the shared array before. multiprocessing has no such array: its worker attaches to a
  `SharedMemory` by name and lets go of it.
- Managers: one client, but for the rows that say so. `increment` is one request of ours; multiprocessing needs a lock,
  a read and a write.
"""


def all_rows() -> Any:
    return tuple(row for group in GROUPS for row in group.rows)


def about(described: dict[str, Any]) -> str:
    how = ", quick" * bool(described["quick"]) + ", figures of more than one run" * bool(described.get("kept"))
    return f"{described['machine']}, {described['versions']}; {described['when']}{how}"


def markdown(table: list[list[str]]) -> str:
    table = [table[0], ["---", *["---:"] * (len(table[0]) - 1)], *table[1:]]
    return "\n".join("| " + " | ".join(line) + " |" for line in table)


def text(figures: dict[str, list[Figure]]) -> str:
    return plain(lines(all_rows(), figures))


def write(figures: dict[str, list[Figure]], described: dict[str, Any]) -> None:
    """Put it at the page's end, in the place of what is there."""
    before, _, _ = PAGE.read_text().partition(f"\n{HEADING}\n")
    PAGE.write_text(f"{before}\n{section(figures, described)}")
