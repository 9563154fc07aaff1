"""The figures of a run as a page of the documentation."""

from __future__ import annotations

from benchmarks.fleet.goals import GOALS
from benchmarks.fleet.rows import Figures
from benchmarks.pages import paged

TITLES = {
    "cold": ("`true` on 50 hosts, from connecting to the last answer", "ms"),
    "warm": ("`true` on 50 open connections at once", "commands/s"),
    "one": ("`true` on one open connection, one after the other", "ms"),
    "new": ("A tree of 2,000 small files into a new folder", "ms"),
    "existing": ("A tree of 2,000 small files over an older one", "ms"),
    "again": ("A tree of 2,000 small files that is there unchanged", "ms"),
    "put": ("One file of 200 MB to a host", "MB/s"),
    "get": ("One file of 200 MB from a host", "MB/s"),
    "crowd": ("1,000 hosts, of which 20 are dead, 10 hang and 5 have changed keys", ""),
}
HEAD = """# Hosts beside their peers

Written by `python -m benchmarks --set fleet --write`. All in one run and in turns, medians; on {cores} cores,
{system}, Python {python}. Fifty hosts are loopback addresses of four OpenSSH servers (and so share these cores with
who is measured), and their user has a plain `sh`. Each contestant is a process of its own; *CPU* is what it and the
programs that it starts use of the cores, *CPU there* what the hosts use; as a rate, what a whole core would do.

So of fifty commands at once, most of the time is the hosts', whoever asks for them; one after the other shows what is
the contestant's own.

*asyncssh* is a program of a few lines that does all at once; *tar through ssh* unpacks beside the target, which then
takes its place. Each copy makes its connection first.
"""
CPU, THERE = ", CPU", ", CPU there"
QUICK = """
This was a quick run, with fewer rounds and a fifth of the hosts: its figures are only roughly right.
"""


def page(found: dict[str, Figures], *, quick: bool = False) -> str:
    """Markdown: a table for each row, and one of the goals."""
    return paged(HEAD, found, TITLES, GOALS, columns=(CPU, THERE), quick=QUICK * quick)
