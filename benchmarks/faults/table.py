"""The cells as docs/faults.md: a fault per row and a library per column, then every cell.

Rule: what is written was seen in this run; the words around it say only what was done.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
from collections.abc import Iterable

from benchmarks.faults.guilty import BESIDE, BESIDE_SECONDS, CALLS, FAULTS, GUILTY
from benchmarks.faults.libraries import LIBRARIES, WAYS
from benchmarks.faults.runner import LIMIT, Cell

__all__ = ["page"]

OTHERS = CALLS - 1
DISTRIBUTIONS = ("loky", "pebble")


def page(cells: list[Cell], findings: Iterable[str]) -> str:
    """The whole of docs/faults.md."""
    found = {(cell.fault, cell.library, cell.way): cell for cell in cells}
    return f"""# What a fault costs

Made by `make faults` on {described()}.

Every cell is a program of its own with a pool of 2 workers and {CALLS} calls, of which number {GUILTY} is the guilty
one. Calls {BESIDE[0]} and {BESIDE[1]} last {BESIDE_SECONDS:g} s, so that one of them runs beside it; the others return
at once. A time runs from the fault to the moment when the caller knew; what is not
over {LIMIT:g} s after the pool was ready *hangs*. `multiprocessing.Pool`, `ProcessPoolExecutor` and `pebble` use the
start method "forkserver".

## At a glance

What the guilty call's caller sees in the five ways (submit, map, imap, imap_unordered, await), the longest time, and
how many of the {OTHERS} other calls gave no value. The peers' `map` raises the error in place of the list, and so
loses the other values; ours carries them in `error.results`.

{glance(found)}

When the fork server is killed, the calls that run at that moment end with it, in both workers: the guilty one and, if
one runs beside it, that one too. No other is lost, and the next call finds a new server. An initializer that always
dies leaves no worker to run anything: all {CALLS} calls are told so.

## Over many kills

{chr(10).join(f"- {finding}" for finding in findings)}

## Every cell

Per cell: what was seen of the guilty call, after how long, and how the {OTHERS} other calls ended. *Nothing* is a call
of which the caller never heard.

{details(found)}
"""


def described() -> str:
    """The machine and the versions."""
    words = [f"{platform.system()} with Python {platform.python_version()}"]
    for name in DISTRIBUTIONS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            words.append(f"{name} {importlib.metadata.version(name)}")
    return ", ".join(words)


def glance(found: dict[tuple[str, str, str], Cell]) -> str:
    lines = [row(["fault", *LIBRARIES]), row(["---"] * (1 + len(LIBRARIES)))]
    for key, fault in FAULTS.items():
        columns = [summary([found[key, name, way] for way in WAYS if (key, name, way) in found]) for name in LIBRARIES]
        lines.append(row([fault.title, *columns]))
    return "\n".join(lines)


def summary(cells: list[Cell]) -> str:
    """Several ways of one library and one fault, in a few words."""
    ran = [cell for cell in cells if not cell.missing]
    if not ran:
        missing = {cell.missing for cell in cells if not cell.missing.startswith("no await")}
        return ", ".join(sorted(missing)) or "–"
    if ran[0].fault == "caller":
        left = max(cell.left for cell in ran)
        return f"**{left} processes stay**" if left else f"all gone, {seconds(ran)}"
    hung = [cell for cell in ran if cell.hung]
    told = [cell for cell in ran if not cell.hung]
    parts = []
    if hung:
        parts.append("**hangs**" + (f" in {', '.join(cell.way for cell in hung)}" if told else ""))
    if told:
        seen = sorted({short(cell.seen) for cell in told})
        parts.append(f"{' or '.join(seen)}, {seconds(told)}")
    lost = sorted({cell.lost for cell in ran if cell.way != "map"})
    in_map = [cell.lost for cell in ran if cell.way == "map" and [cell.lost] != lost]
    if lost != [0]:
        parts.append(f"loses {'–'.join(str(count) for count in sorted({lost[0], lost[-1]}))} of {OTHERS}")
    parts += [f"map loses {count}" for count in in_map]
    return "; ".join(parts)


def seconds(cells: list[Cell]) -> str:
    times = [cell.seconds for cell in cells if cell.seconds is not None]
    return f"{max(times):.2f} s" if times else "–"


def short(name: str) -> str:
    """A type's name without its module; a value in words."""
    if name == "value":
        return "its value"
    return f"`{name.rpartition('.')[2]}`" if name else "nothing"


def details(found: dict[tuple[str, str, str], Cell]) -> str:
    lines = [row(["fault", "way", *LIBRARIES]), row(["---"] * (2 + len(LIBRARIES)))]
    for key, fault in FAULTS.items():
        for way in WAYS:
            cells = [found.get((key, name, way)) for name in LIBRARIES]
            lines.append(row([fault.title, way, *("" if cell is None else detail(cell) for cell in cells)]))
    return "\n".join(lines)


def detail(cell: Cell) -> str:
    if cell.missing:
        return cell.missing
    if cell.fault == "caller":
        return f"{cell.left} processes stay" if cell.left else f"all gone, {cell.seconds:.3f} s"
    guilty = short(cell.seen) + ("" if cell.seconds is None else f", {cell.seconds:.3f} s")
    words = {"value": "values", "nothing": "nothing"}
    others = ", ".join(f"{count} {words.get(outcome) or short(outcome)}" for outcome, count in cell.others.items())
    return f"{'hangs: ' if cell.hung else ''}{guilty}; {others}"


def row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
