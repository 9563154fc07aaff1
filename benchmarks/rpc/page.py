"""The figures of a run as a page of the documentation."""

from __future__ import annotations

from benchmarks.pages import paged
from benchmarks.rpc.goals import GOALS
from benchmarks.rpc.rows import Figures

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
    return paged(HEAD, found, TITLES, GOALS)
