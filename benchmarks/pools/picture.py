"""The picture of a run: a panel of bars for each kind of work, elsewhere first.

Rule: bars are linear and begin at 0 (makespans at 1, the ideal), the background is transparent and the greys are read
on white and on black, and the same figures give the same file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")

from matplotlib.figure import Figure
from peers import PEERS
from results import ROWS, Results
from table import number, shown

PANELS = {
    "each": "no-op calls, each tracked alone",
    "futures": "a future each",
    "map_5us": "map of calls of 5 µs",
    "one": "one call, waited for",
    "first_numpy": "first result of a new pool",
    "arrays_in": "arrays of 8 MB in",
    "arrays_back": "arrays of 8 MB there and back",
    "straggler": "one call of 1 s among 2,300 of 0.5 ms",
    "pending": "memory for a future that waits",
}
OURS, THEIRS, TEXT = "#2f81f7", "#8b949e", "#7d8590"  # a blue and two greys: on white and on black alike
SHORT = {"multiprocessing.Pool, fork": "Pool, fork", "multiprocessing.Pool": "Pool", "ProcessPoolExecutor": "PPE"}
COLUMNS = 3


def draw(results: Results, path: Path) -> None:
    """Write the picture, as SVG."""
    rows = [row for row in PANELS if results.values.get(row)]
    if not rows:
        return
    keys = shown(results)
    style = {
        "svg.hashsalt": "elsewhere",
        "svg.fonttype": "none",  # text stays text: small, sharp, and can be searched
        "font.family": "sans-serif",
        "font.sans-serif": ["Helvetica", "Arial", "DejaVu Sans"],
        "font.size": 8,
        "text.color": TEXT,
        "axes.labelcolor": TEXT,
        "ytick.color": TEXT,
    }
    with mpl.rc_context(style):
        lines = -(-len(rows) // COLUMNS)
        figure = Figure(figsize=(10, 0.4 + lines * (0.75 + 0.19 * len(keys))), layout="constrained")
        axes = figure.subplots(lines, COLUMNS, squeeze=False).flat
        for row, axis in zip(rows, axes, strict=False):
            panel(axis, results, row, keys)
        for axis in list(axes)[len(rows) :]:
            axis.set_visible(False)
        figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12)
        figure.savefig(path, format="svg", transparent=True, metadata={"Date": None, "Creator": None})


def panel(axis: Any, results: Results, row: str, keys: list[str]) -> None:
    """One kind of work: a bar for each peer that has a figure."""
    kind = ROWS[row]
    start = 1.0 if kind.unit == "x ideal" else 0.0
    bars = [(key, value) for key in keys if (value := results.cell(row, key)) is not None]
    most = max(value for _, value in bars) - start
    for at, (key, value) in enumerate(bars):
        colour = OURS if key == "elsewhere" else THEIRS
        axis.barh(at, value - start, left=start, height=0.66, color=colour)
        label = f"{value:.2f}" if start else number(value, kind.unit)
        weight = "bold" if key == "elsewhere" else "normal"
        axis.text(max(value, start) + most * 0.02, at, label, va="center", ha="left", weight=weight)
    names = [PEERS[key].name for key, _ in bars]
    axis.set_yticks(range(len(bars)), [SHORT.get(name, name) for name in names])
    for tick, (key, _) in zip(axis.get_yticklabels(), bars, strict=True):
        tick.set_weight("bold" if key == "elsewhere" else "normal")
    axis.set_ylim(len(keys) - 0.5, -0.5)  # bars are equally thick in all panels
    axis.set_xlim(start, start + most * 1.22 or 1.0)
    axis.set_xticks([])
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)
    better = "more is better" if kind.more else "less is better"
    unit = "times the ideal" if start else kind.unit
    axis.set_title(f"{PANELS[row]}\n{unit}, {better}", loc="left", fontsize=8.5, color=TEXT)
