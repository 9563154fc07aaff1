"""The figures as text for a terminal and as a page of the documentation.

Rule: behind each peer's figure stands how many times as good elsewhere is; the page says how it was measured.
"""

from __future__ import annotations

from goals import Verdict, verdicts
from peers import PEERS, WORKERS
from results import ROWS, Results
from rows import groups

OURS = "elsewhere"
Lines = list[list[str]]


def number(value: float, unit: str) -> str:
    """Three digits, with k and M for rates."""
    if unit == "calls/s":
        for size, letter in ((1e6, "M"), (1e3, "k")):
            if value >= size:
                return f"{value / size:.3g}{letter}" if value < size * 1000 else f"{value / size:,.0f}{letter}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def figure(results: Results, row: str, peer: str) -> str:
    value, ours = results.cell(row, peer), results.cell(row, OURS)
    if value is None:
        return next(
            (results.notes.get(group.name, {}).get(peer, "") for group in groups() if ROWS[row] in group.rows), ""
        )
    text = number(value, ROWS[row].unit)
    if peer == OURS or not ours or not value or ROWS[row].unit == "MB":
        return text
    return f"{text} ({(ours / value if ROWS[row].more else value / ours):.2g}x)"


def shown(results: Results) -> list[str]:
    """Peers that have a column: those with any figure or word, without the bare loops."""
    known = {peer for found in (*results.values.values(), *results.notes.values()) for peer in found}
    return [key for key, kind in PEERS.items() if kind.shown and key in known]


def figures(results: Results) -> Lines:
    peers = shown(results)
    lines = [["", *(PEERS[key].name for key in peers)]]
    for group in groups():
        for row in group.rows:
            cells = [figure(results, row.name, key) for key in peers]
            if any(cells):
                lines.append([f"{row.title}, {row.unit}", *cells])
    return lines


def goals(results: Results) -> Lines:
    lines = [["work", "goal", "elsewhere", ""]]
    for verdict in verdicts(results):
        lines.append([ROWS[verdict.row].title, verdict.goal, verdict.reached or "not measured", word(verdict)])
    return lines


def word(verdict: Verdict) -> str:
    return "" if verdict.well is None else "reached" if verdict.well else "NOT reached"


def loops(results: Results) -> Lines:
    """The bare loops of the same run."""
    keys = [key for key, kind in PEERS.items() if not kind.shown and results.cell("each", key)]
    ours = results.cell("each", OURS)
    if not keys or not ours:
        return []
    lines = [["no-op calls, each tracked alone", "calls/s", "elsewhere is"], [OURS, number(ours, "calls/s"), "1"]]
    for key in keys:
        value = results.cell("each", key)
        assert value
        lines.append([PEERS[key].name, number(value, "calls/s"), f"{ours / value:.2f}"])
    return lines


def ways(results: Results, *, short: bool = False) -> Lines:
    """Makespans of all ways to ask, by row; `short` titles for a terminal."""
    mixes = [row for group in groups() if group.name in ("straggler", "durations") for row in group.rows]
    mixes = [row for row in mixes if row.name in results.values]
    if not mixes:
        return []
    lines = [["x ideal" if short else "", *(row.name if short else row.title for row in mixes)]]
    for key, kind in PEERS.items():
        names = list(dict.fromkeys(name for row in mixes for name in results.values[row.name].get(key, {})))
        for name in names:
            values = [results.values[row.name].get(key, {}).get(name) for row in mixes]
            cells = [
                f"{results.reduced(row.name, found):.3f}" if found else ""
                for row, found in zip(mixes, values, strict=True)
            ]
            lines.append([f"{kind.name}: {name}", *cells])
    return lines


# ---- how it looks ------------------------------------------------------------------------------------------------


def plain(lines: Lines) -> str:
    """Columns for a terminal; names of peers above their column, broken so that it stays narrow."""
    if not lines:
        return ""
    heads = [
        cell.replace("multiprocessing.Pool, fork", "mp, fork").replace("multiprocessing.Pool", "mp.Pool")
        for cell in lines[0]
    ]
    rows = [[cell.replace("ProcessPoolExecutor", "PPE") for cell in line] for line in [heads, *lines[1:]]]
    widths = [max(len(line[at]) for line in rows) for at in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if at == 0 or len(cell) > 24 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in rows
    )


def markdown(lines: Lines) -> str:
    if not lines:
        return "Not measured in this run."
    lines = [lines[0], ["---", *["---:"] * (len(lines[0]) - 1)], *lines[1:]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


PAGE = """# Speed, beside the peers

This page is written by `make bench B=--write`, from one run: {about}. Only the ratios inside one run mean something;
the figures themselves change with the machine, and with what else it does.

![Bars for each kind of work, elsewhere beside its peers](benchmarks.svg)

## Figures

Behind each figure: how many times as good elsewhere is. No chunksize is given unless the row says so; peers that have
`map` in chunks only are asked for it in chunks as large as `multiprocessing.Pool.map` makes them.

{figures}

## Goals

What this library wants to reach, and whether it did in this run. A peer is taken at its best way of being asked, elsewhere
at its worst.

{goals}

## Beside a bare loop

[`benchmarks/loops.py`](../benchmarks/loops.py) has two loops over pipes with nothing around them: one pickle a call with 64
calls in flight at each worker; and runs of 64 calls, pickled one by one, a status word for each, results flushed every
0.2 ms. The second is about the least that a pool must do which tracks every call alone.

{loops}

## Durations of all kinds

Makespan as a multiple of the ideal (work ÷ workers), for every way to ask. In the mixes, all were measured once, and the
three best of each column, and elsewhere, {rounds} times: the median counts.

{ways}

## How it is measured

- Each group of rows is measured for each peer in a process of its own, with {workers} workers, in rounds: all peers, one
  after the other, then all again. A cell is the best round; for makespans, the median.
- A peer that takes too long is stopped, and its cell says so. Results are checked.
- Rates: 2,000, 20,000, then 200,000 calls, until the next size would take more than 3 s; the last one counts, the others are
  the warm-up. *Each tracked alone* is `imap_unordered` without a chunksize, or what comes closest: `map` with chunksize 1,
  joblib in its automatic batches, a task each in ray.
- Arrays: 24 of 8 MB, made before the clock starts; each page of each is read where it arrives, in the worker and in the
  parent. What goes in and what comes back both count. Each peer is asked for a list and one by one; the better counts.
- Makespans: calls keep a core busy for their time by the clock; the mixes have fixed seeds and are in
  [`benchmarks/rows/durations.py`](../benchmarks/rows/durations.py).
- First results: a script of its own for each peer, in [`benchmarks/rows/first.py`](../benchmarks/rows/first.py). The function is a
  lambda where the library takes one. The clock starts when the library has been imported; the import has a row of its own.
- Memory: what the kernel counts as resident in the parent. Pending futures wait behind workers that wait for a lock.
- System calls of one call: `python benchmarks/count.py` (needs strace).
"""


def about(results: Results) -> str:
    found = results.about
    return f"{found['machine']}, {found['versions']}; {found['when']}, {found['minutes']:.0f} minutes"


def page(results: Results) -> str:
    return PAGE.format(
        about=about(results),
        figures=markdown(figures(results)),
        goals=markdown(goals(results)),
        loops=markdown(loops(results)),
        ways=markdown(ways(results)),
        rounds=3,
        workers=WORKERS,
    )
