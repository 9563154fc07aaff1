"""The figures of a run as a page of the documentation."""

from __future__ import annotations

import os
import platform

from benchmarks.fabric.goals import GOALS
from benchmarks.fabric.programs import PROGRAMS
from benchmarks.pages import shown

Figures = dict[str, float]
CPU, THERE = ", CPU", ", CPU there"
HEAD = """# Task files beside the real Fabric

Written by `python -m benchmarks --set fabric --write`. All in one run and in turns, medians of {rounds}; on {cores}
cores, {system}, Python {python}. The task deploys in twenty steps: nineteen commands, most of them in a folder that is
entered with `cd`, and a small file that is put. It is written once for Fabric 1 and once for Fabric 3
(`benchmarks/fabric/deploy1.py`, `deploy3.py`); the original of its dialect and `elsewhere fab` run the same file, from
the start of the program to its end, logins included. Each time all files are looked at afterwards.

Fifty hosts are loopback addresses of four OpenSSH servers (and so share these cores with who is measured), and their
user has a plain `sh`. *CPU* is what the program and its children use of the cores, *CPU there* all else that this
machine's cores did meanwhile, which is the hosts' part where nobody else uses them.
Without `-P` hosts have their turns one after the other; with it all fifty do it at once. Fabric 3 has no `-P`.

## A deployment in 20 steps on 50 hosts

| | seconds | CPU, s | CPU there, s |
|---|--:|--:|--:|
"""


def page(found: Figures, rounds: int) -> str:
    """Markdown: a table of the figures, and one of the goals."""
    system, python = platform.system(), platform.python_version()
    parts = [HEAD.format(rounds=rounds, cores=os.cpu_count(), system=system, python=python)]
    for program in PROGRAMS.values():
        if program.name in found:
            cells = " | ".join(shown(found[program.name + kind]) for kind in ("", CPU, THERE))
            parts.append(f"| {program.name} | {cells} |\n")
    parts.append("\n## What a run must reach\n\n| goal | reached | |\n|---|--:|---|\n")
    for goal in GOALS:
        if verdict := goal.verdict(found):
            wanted, reached, well = verdict
            parts.append(f"| {wanted} | {reached} | {'yes' if well else '**no**'} |\n")
    return "".join(parts)
