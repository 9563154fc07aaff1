"""The figures of a run as a page of the documentation."""

from __future__ import annotations

import os
import platform

from benchmarks.classic.goals import GOALS, Found

HEAD = """# The classic Pool programs

Written by `python -m benchmarks --set classic --write`. Four programs of [the classics](classic.md) at their full
length: ten calls on five workers, each of which sleeps for 2, 1, 2 and 2 seconds. What is measured is the whole
program, from the start of its interpreter to its end, with `from multiprocessing import Pool` and with
`from elsewhere import Pool`. The least of {rounds} rounds, in seconds, since whatever else runs can only add; on
{cores} cores, {system}, Python {python}. All eight run side by side, and each is started half a second after the one
before, as they do nothing but sleep. The machine's load was {load:.1f} meanwhile: on a
busy one interpreters start later.

| program | how it asks for its results | by its sleeping alone | multiprocessing | elsewhere |
|---|---|--:|--:|--:|
"""
HOW = {
    "callback": "asynchronous, with a callback",
    "sync": "synchronous, one call after the other",
    "results_inside": "inside the loop: the common mistake",
    "results_after": "after the loop",
}


def page(found: Found, rounds: int) -> str:
    """Markdown: a table of the figures, and one of the goals."""
    parts = [
        HEAD.format(
            rounds=rounds,
            cores=os.cpu_count(),
            load=os.getloadavg()[1],
            system=platform.system(),
            python=platform.python_version(),
        )
    ]
    for name, how in HOW.items():
        if name in found:
            ideal, theirs, ours = (found[name][who] for who in ("its sleeping", "multiprocessing", "elsewhere"))
            parts.append(f"| `pool_{name}.py` | {how} | {ideal:g} | {theirs:.2f} | {ours:.2f} |\n")
    parts.append("\n## What a run must reach\n\n| program, with elsewhere | goal | reached | |\n|---|---|--:|---|\n")
    for goal in GOALS:
        if goal.row in found:
            wanted, reached, well = goal.verdict(found[goal.row])
            parts.append(f"| `pool_{goal.row}.py` | {wanted} | {reached} | {'yes' if well else '**no**'} |\n")
    return "".join(parts)
