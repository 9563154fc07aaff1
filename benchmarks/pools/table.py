"""The figures as text for a terminal and as a page of the documentation.

Rule: behind each peer's figure stands how many times as good elsewhere is; the page says how it was measured.
"""

from __future__ import annotations

from pathlib import Path

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
    ratio = ours / value if ROWS[row].more else value / ours
    return f"{text} ({f'{ratio:,.0f}' if ratio >= 10 else f'{ratio:.2g}'}x)"


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
    return [
        ["work", "goal", "elsewhere", ""],
        *([ROWS[it.row].title, it.goal, it.reached or "not measured", word(it)] for it in verdicts(results)),
    ]


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


ABBREVIATED = {
    "multiprocessing.Pool, fork": "mp, fork",
    "multiprocessing.Pool": "mp.Pool",
    "ProcessPoolExecutor": "PPE",
}


def plain(lines: Lines) -> str:
    """Columns for a terminal, the first to the left and figures to the right; long names are abbreviated."""
    if not lines:
        return ""
    rows = [list(line) for line in lines]
    for long, short in ABBREVIATED.items():
        rows = [[cell.replace(long, short) for cell in line] for line in rows]
    widths = [max(len(line[at]) for line in rows) for at in range(len(rows[0]))]
    text = []
    for line in rows:
        first, *cells = (cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        text.append("  ".join([first.strip().ljust(widths[0]), *cells]).rstrip())
    return "\n".join(text)


def markdown(lines: Lines) -> str:
    if not lines:
        return "Not measured in this run."
    lines = [lines[0], ["---", *["---:"] * (len(lines[0]) - 1)], *lines[1:]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


# The page is a file of its own, with a name in braces for each part.
PAGE = Path(__file__).parent / "page.md"


def about(results: Results) -> str:
    found = results.about
    how = ", quick" * bool(found.get("quick")) + ", figures of more than one run" * bool(found.get("kept"))
    return f"{found['machine']}, {found['versions']}; {found['when']}, {found['minutes']:.0f} minutes{how}"


def page(results: Results) -> str:
    return PAGE.read_text().format(
        about=about(results),
        figures=markdown(figures(results)),
        goals=markdown(goals(results)),
        loops=markdown(loops(results)),
        ways=markdown(ways(results)),
        rounds=3,
        workers=WORKERS,
    )
