"""The figures of a run as a page of the documentation."""

from __future__ import annotations

from benchmarks.cluster.goals import GOALS
from benchmarks.cluster.names import CPU, CROWD, SENT, THERE
from benchmarks.cluster.rows import Figures
from benchmarks.pages import paged

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
QUICK = """
This was a quick run, with a tenth of the calls or a quarter, and fewer rounds: its figures are only roughly right.
"""


def page(found: dict[str, Figures], *, quick: bool = False) -> str:
    """Markdown: a table for each row, and one of the goals."""
    return paged(HEAD, found, TITLES, GOALS, columns=(CPU, THERE, SENT, CROWD), counts=(SENT,), quick=QUICK * quick)
