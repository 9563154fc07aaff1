"""The figures of a run as a page of the documentation."""

from __future__ import annotations

import os
import platform

from benchmarks.cluster.goals import GOALS
from benchmarks.cluster.names import CPU, CROWD, SENT, THERE
from benchmarks.cluster.rows import ROWS, Figures
from benchmarks.rpc.page import shown

TITLES = {
    "nap": ("20,000 calls that wait 1 ms, over 2 workers of one thread", "s"),
    "burn": ("4,000 calls that use a core for 1 ms, over 2 workers of one thread", "s"),
    "call": ("`abs(-1)` there and back, one call after the other, on what is open", "ms"),
    "cold": ("From a program's start to the first result from a host", "ms"),
    "array": ("One array of 200 MB that 100 calls use", "s"),
    "scale": ("A call's share of the scheduler alone, between 2 simulated workers", "µs"),
}
HEAD = """# Hosts and clusters beside their peers

Written by `python -m benchmarks --set cluster --write`. All in one run and in turns, medians; on {cores} cores,
{system}, Python {python}. Hosts are loopback addresses of an OpenSSH server; a cluster is one scheduler of Dask's and
two workers of one thread, each a program of its own, and so is each contestant: all share these cores. *CPU* is what
the contestant uses of them, *CPU there* what sshd, scheduler, workers and all that they start use.

*Dask* is `client.map` and `gather` (or `submit` and `result`, or `scatter(broadcast=True)` and `submit`), *Dask's
executor* `client.get_executor().map`, all with `pure=False`. Dask's workers can import the function; ours arrives as
source, in a worker where nothing of ours is installed.

The goal for 20,000 calls is that of calls that wait, as they leave the cores to the scheduler, which has one of its own
in a real cluster. asyncssh's channels are its streams in asyncio's own loop: 40 bytes go to `cat` (or to four lines of
Python that read and write) and come back, on a channel that stays open; from another thread by
`asyncio.run_coroutine_threadsafe`, which is what a program that waits has without us. A cold start is a new program
here; Dask's SSHCluster needs distributed on each host, ours needs Python. Of the array, what goes over the loopback is
counted, also what goes to the scheduler first. What the scheduler alone costs is told in [scale](scale.md).
"""
COLUMNS = (CPU, THERE, SENT, CROWD)
QUICK = """
This was a quick run, with a tenth of the calls or a quarter, and fewer rounds: its figures are only roughly right.
"""


def page(found: dict[str, Figures], *, quick: bool = False) -> str:
    """Markdown: a table for each row, and one of the goals."""
    parts = [HEAD.format(cores=os.cpu_count(), system=platform.system(), python=platform.python_version())]
    parts += [QUICK] * quick
    for name in ROWS:
        if found.get(name):
            parts += _table(name, found[name])
    parts.append("\n## What a run must reach\n\n| row | goal | reached | |\n|---|---|--:|---|\n")
    for goal in GOALS:
        if verdict := goal.verdict(found.get(goal.row, {})):
            wanted, reached, well = verdict
            parts.append(f"| {TITLES[goal.row][0]} | {wanted} | {reached} | {'yes' if well else '**no**'} |\n")
    return "".join(parts)


def _table(name: str, figures: Figures) -> list[str]:
    title, unit = TITLES[name]
    columns = [kind for kind in COLUMNS if any(who.endswith(kind) for who in figures)]
    heads = "".join(f" {kind.removeprefix(', ')}{f', {unit}' * (kind != SENT)} |" for kind in columns)
    parts = [f"\n## {title}\n\n| | {unit} |{heads}\n|---|--:|{'--:|' * len(columns)}\n"]
    for who, figure in figures.items():
        if not who.endswith(COLUMNS):
            cells = (shown(figures[who + kind]) if who + kind in figures else "" for kind in columns)
            parts.append(f"| {who} | {shown(figure)} |{''.join(f' {cell} |' for cell in cells)}\n")
    return parts
