"""The figures of a run as a page of the documentation."""

from __future__ import annotations

import os
import platform

from benchmarks.rpc.goals import GOALS
from benchmarks.rpc.rows import ROWS, Figures

TITLES = {
    "sequential": ("One call after the other", "µs a call"),
    "pipelined": ("A thousand submitted, then waited for", "calls/s"),
    "back": ("10 MB of bytes there and back", "ms"),
    "processes": ("A method that takes 5 ms of a core, 8 connections", "calls/s"),
    "idle": ("5,000 idle connections", ""),
    "beside": ("A fast method while a CPU-bound one runs in a process, 99th percentile", "µs"),
}
HEAD = """# Services beside their peers

Written by `python -m benchmarks.rpc --write`. All peers in one run and in turns, over loopback TCP, each client and
each server a process of its own, medians; on {cores} cores, {system}, Python {python}. The bare loop is a thread for
each connection, `recv`, the codec, a dict of functions and `sendall`; raw sockets are the same bytes without codec or
dispatch.
"""


def page(found: dict[str, Figures]) -> str:
    """Markdown: a table for each row, and one of the goals."""
    head = HEAD.format(cores=os.cpu_count(), system=platform.system(), python=platform.python_version())
    parts = [head]
    for name in ROWS:
        if found.get(name):
            title, unit = TITLES[name]
            parts.append(f"\n## {title}\n\n| | {unit or 'figure'} |\n|---|--:|\n")
            parts += [f"| {who} | {shown(figure)} |\n" for who, figure in found[name].items()]
    verdicts = [(goal.row, verdict) for goal in GOALS if (verdict := goal.verdict(found.get(goal.row, {})))]
    parts.append("\n## What a run must reach\n\n| row | goal | reached | |\n|---|---|--:|---|\n")
    parts += [
        f"| {TITLES[row][0]} | {wanted} | {reached} | {'yes' if well else '**no**'} |\n"
        for row, (wanted, reached, well) in verdicts
    ]
    return "".join(parts)


def shown(figure: float) -> str:
    """Three digits that count."""
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"
