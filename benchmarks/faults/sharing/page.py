"""The part of docs/faults.md about processes and shared data: a table for each group of faults.

Rule: what is written was seen in this run; bold is what whoever is left has to suffer from.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform

from benchmarks.faults.sharing.faults import FAULTS
from benchmarks.faults.sharing.kit import EXPIRED, OURS
from benchmarks.faults.sharing.runner import LIBRARIES, LIMIT, Cell

__all__ = ["HEADING", "section"]

HEADING = "## Processes and shared data"
BAD = ("stay", "lost", "missing", "torn", "for ever", "time is up")


def section(cells: list[Cell]) -> str:
    """All of it, from its heading on."""
    found = {(cell.number, cell.library): cell for cell in cells}
    groups = list(dict.fromkeys(fault.group for fault in FAULTS))
    return f"""{HEADING}

Made by `make faults` on {described()}, start method "{cells[0].method if cells else "forkserver"}".

Each cell is a program of its own, which makes many rounds: a process that is in the middle of its operations is killed
by SIGKILL, at a random instant or when it is seen to wait, and then those who are left go on with theirs. Behind what
came of the rounds stands the longest time from the blow until it was known. What is not over {LIMIT:g} s after the blow
*hangs*, and ends the rounds; a lock that is not had within {EXPIRED:g} s *stays
locked*. Plain locks know no holder, in both libraries.

{chr(10).join(tables(group, found) for group in groups)}
{waiting()}
"""


def described() -> str:
    packages = ["elsewhere", "numpy"]
    versions = []
    for name in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions.append(f"{name} {importlib.metadata.version(name)}")
    return f"{platform.system()} with Python {platform.python_version()}, {', '.join(versions)}"


def tables(group: str, found: dict[tuple[int, str], Cell]) -> str:
    lines = [f"### {group}", "", row(["fault", *LIBRARIES]), row(["---"] * (1 + len(LIBRARIES)))]
    for number, fault in enumerate(FAULTS):
        cells = [found.get((number, library)) for library in LIBRARIES]
        if fault.group == group and any(cells):
            lines.append(row([fault.title, *("" if cell is None else outcome(cell) for cell in cells)]))
    return "\n".join([*lines, ""])


def outcome(cell: Cell) -> str:
    """What came of a cell, in words."""
    if cell.missing:
        return cell.missing
    parts = [bold(name) if bad(name) else quoted(name) for name in cell.outcomes]
    if len(parts) > 1 or (cell.hung and parts):
        parts = [f"{part} ({count})" for part, count in zip(parts, cell.outcomes.values(), strict=True)]
    if cell.hung:
        done = sum(cell.outcomes.values())
        parts.append("**hangs**" + f" in round {done + 1} of {cell.rounds}" * (cell.rounds > 1))
    elif cell.seconds is not None and not all(bad(name) for name in cell.outcomes):
        parts[-1] += f", {cell.seconds:.3f} s" if not any(map(bad, cell.outcomes)) else ""
    return ", ".join(parts) + "".join(f"; **left: {each}**" for each in cell.left)


def bad(name: str) -> bool:
    return any(word in name for word in BAD) and "nothing" not in name


def bold(text: str) -> str:
    return f"**{text}**"


def quoted(name: str) -> str:
    """Names of errors look like names."""
    return " or ".join(f"`{word}`" if word[:1].isupper() else word for word in name.split(" or "))


def waiting() -> str:
    """Where ours waits for ever, and why."""
    lines = [f"- {fault.group}, {fault.title}: {fault.waits}." for fault in FAULTS if fault.waits]
    return "\n".join([f"Where {OURS} may wait for ever, too, and why:", "", *lines])


def row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
