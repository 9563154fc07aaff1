"""Pictures of the figures that docs/benchmarks*.md hold; `python -m benchmarks.overview` writes them.

Rule: a picture shows what its page says and nothing else, so it is drawn from the page. Bars are linear and begin at 0;
the background is transparent and the greys are read on white and on black; the same page gives the same file. (That of
the pools is drawn from their results, by `benchmarks/pools/picture.py`.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).resolve().parent.parent / "docs"
FOLDER = DOCS / "pictures"

OURS, THEIRS, TEXT = "#2f81f7", "#8b949e", "#7d8590"  # a blue and two greys: on white and on black alike
COLUMNS, WIDTH = 2, 450  # panels in a row, and units of each
NAMES, BARS = 200, 185  # units: where bars begin, and how long the longest is
SHORT = {"xmlrpc.client and .server": "the standard library"}
LINE, BAR, HEAD = 17, 12, 40  # units of height: a name, its bar, what stands above a panel


class Panel(NamedTuple):
    """One table of a page, or one row of it.

    Attributes:
        title: what was measured.
        heading: of the table.
        more: is more better? None where nobody is compared.
        rows: which to show, as a pattern of their beginnings; by default those of one house, ours or another.
        row: one row alone: a bar for each of its columns.
        unit: where the table does not say it.
    """

    title: str
    heading: str
    more: bool | None = False
    rows: str = r"(?!bare client|xmlrpc\.client, else|elsewhere, xmlrpc|two workers)"
    row: str = ""
    unit: str = ""


def _shared(title: str, row: str, unit: str, *, more: bool = True) -> Panel:
    return Panel(title, "Processes and shared data", more, row=row, unit=unit)


def _scale(row: str) -> Panel:
    return Panel(row, "What a call costs as workers grow", None, row=row, unit="µs of CPU for each call, by workers")


PICTURES: dict[str, tuple[str, list[Panel]]] = {
    "shared": (
        "benchmarks.md",
        [
            _shared("Queue: integers", "Queue: int, items/s", "items/s"),
            _shared("Queue: bytes of 1,000,000", "Queue: bytes of 1,000,000, items/s", "items/s"),
            _shared("Event: a round between two processes", "Event: two", "µs", more=False),
            _shared("16 MiB to a worker and back (ours: shared)", "16 MiB to a worker", "µs", more=False),
            _shared("Manager: reading a dict", "Manager dict: read", "a second"),
            _shared("4 processes count in a Manager's dict", "4 processes count: `increment`", "a second"),
        ],
    ),
    "rpc": (
        "benchmarks-rpc.md",
        [
            Panel("One call after the other", "One call after the other"),
            Panel("A thousand submitted, then waited for", "A thousand submitted", more=True),
            Panel("10 MB of bytes there and back", "10 MB of bytes"),
        ],
    ),
    "http": (
        "benchmarks-http.md",
        [
            Panel("XML-RPC, one call after the other", "XML-RPC, one call"),
            Panel("XML-RPC, 32 clients at once", "XML-RPC, 32 clients", more=True),
            Panel("XML-RPC, an argument of 10 MB", "XML-RPC, an argument"),
            Panel("JSON-RPC, one call after the other", "JSON-RPC, one call"),
        ],
    ),
    "fleet": (
        "benchmarks-fleet.md",
        [
            Panel("true on 50 hosts, with connecting", "`true` on 50 hosts"),
            Panel("true on an open connection", "`true` on one open connection"),
            Panel("2,000 small files into a new folder", "A tree of 2,000 small files into"),
            Panel("2,000 small files that are there unchanged", "A tree of 2,000 small files that is there"),
            Panel("One file of 200 MB to a host", "One file of 200 MB to", more=True),
            Panel("One file of 200 MB from a host", "One file of 200 MB from", more=True),
        ],
    ),
    "fabric": ("benchmarks-fabric.md", [Panel("20 steps on 50 hosts", "A deployment")]),
    "cluster": (
        "benchmarks-cluster.md",
        [
            Panel("20,000 calls that wait 1 ms, two workers", "20,000 calls"),
            Panel("4,000 calls of 1 ms of a core, two workers", "4,000 calls"),
            Panel("One call, there and back", "`abs(-1)`", rows="elsewhere|Dask"),
            Panel("From a program's start to the first result", "From a program"),
        ],
    ),
    "scale": ("scale.md", [_scale("one call after the other"), _scale("a map of short calls")]),
}


def table(page: str, heading: str) -> list[list[str]]:
    """The cells of the first table under the heading that begins so; its header comes first.

    Raises:
        LookupError: there is none.
    """
    found = re.search(
        rf"^## {re.escape(heading)}.*?\n(?:(?!^## ).)*?((?:^\|[^\n]*\n)+)", page, re.MULTILINE | re.DOTALL
    )
    if found is None:
        raise LookupError(f"no table under a heading that begins with {heading!r}")
    lines = [[cell.strip() for cell in line.strip().split("|")[1:-1]] for line in found[1].splitlines()]
    return [lines[0], *lines[2:]]


def number(cell: str) -> float | None:
    """What a cell says: ``133k``, ``1,530``; None for no figure."""
    found = re.match(r"([\d.,]+)([kM]?)\b", cell)
    if found is None:
        return None
    return float(found[1].replace(",", "")) * {"": 1, "k": 1e3, "M": 1e6}[found[2]]


def bars(panel: Panel, page: str) -> tuple[str, list[tuple[str, str, float]]]:
    """The unit, and of each bar its name, the figure as the page has it, and its length."""
    head, *rows = table(page, panel.heading)
    if panel.row:
        row = next(row for row in rows if row[0].startswith(panel.row))
        found = [(name, cell) for name, cell in zip(head[1:], row[1:], strict=True) if not name.endswith(" is")]
    else:
        found = [(row[0], row[1]) for row in rows if re.match(panel.rows, row[0])]
    return panel.unit or head[1], [(name, cell, size) for name, cell in found if (size := number(cell)) is not None]


def draw(panels: list[Panel], page: str) -> str:
    """The picture, as SVG."""
    drawn = [(panel, *bars(panel, page)) for panel in panels]
    parts: list[str] = []
    top = 0
    for start in range(0, len(drawn), COLUMNS):
        line = drawn[start : start + COLUMNS]
        for at, (panel, unit, found) in enumerate(line):
            parts += _panel(at * WIDTH, top, panel, unit, found)
        top += HEAD + max(len(found) for _, _, found in line) * LINE + 12
    width = WIDTH * COLUMNS
    style = f"font-family='Helvetica, Arial, DejaVu Sans, sans-serif' font-size='11' fill='{TEXT}'"
    body = "\n".join(parts)
    return f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {top}' {style}>\n{body}\n</svg>\n"


def _panel(left: int, top: int, panel: Panel, unit: str, found: list[tuple[str, str, float]]) -> Iterator[str]:
    better = {True: ", more is better", False: ", less is better", None: ""}[panel.more]
    yield f"<text x='{left + NAMES}' y='{top + 14}' font-size='12'>{escape(panel.title)}</text>"
    yield f"<text x='{left + NAMES}' y='{top + 29}' font-size='10'>{escape(unit + better)}</text>"
    most = max(size for _, _, size in found)
    for at, (name, cell, size) in enumerate(found):
        y = top + HEAD + at * LINE
        ours = panel.more is None or name.startswith(("elsewhere", "JSON-RPC"))
        colour = OURS if ours else THEIRS
        weight = " font-weight='bold'" if ours else ""
        length = max(1.0, size / most * BARS)
        yield f"<text x='{left + NAMES - 6}' y='{y + 10}' text-anchor='end'{weight}>{escape(_short(name))}</text>"
        yield f"<rect x='{left + NAMES}' y='{y}' width='{length:.1f}' height='{BAR}' fill='{colour}'/>"
        yield f"<text x='{left + NAMES + length + 5:.1f}' y='{y + 10}'{weight}>{escape(cell)}</text>"


def _short(name: str) -> str:
    return next((name.replace(long, short) for long, short in SHORT.items() if long in name), name)


def pictures() -> dict[Path, str]:
    """Each picture's file, and what is to stand in it."""
    return {
        FOLDER / f"bench-{name}.svg": draw(panels, (DOCS / page).read_text())
        for name, (page, panels) in PICTURES.items()
    }
