"""The figures of a run as a page of the documentation."""

from __future__ import annotations

from benchmarks.http.goals import GOALS
from benchmarks.http.rows import Figures
from benchmarks.pages import paged

TITLES = {
    "sequential": ("XML-RPC, one call after the other", "µs a call"),
    "many": ("XML-RPC, 32 clients at once, in two programs", "calls/s"),
    "lean": ("XML-RPC, 32 connections that cost next to nothing", "calls/s"),
    "argument": ("XML-RPC, an argument of 10 MB of bytes", "ms"),
    "json": ("JSON-RPC, one call after the other", "µs a call"),
}
HEAD = """# Services over HTTP beside their peers

Written by `python -m benchmarks --set http --write`. All in one run and in turns, over loopback TCP, each client
and each server a process of its own, medians; on {cores} cores, {system}, Python {python}.

A name with two parts is a client and a server, where they are not of one house. *HTTP/1.1* is the standard library's
server with the one line that lets it keep connections; it then serves one to its end before it looks at the next, so it
has no figure where there are many. A *longer queue* lets 128 connections wait for it instead of 5: with 5, the system
lets some of 32 wait for seconds and resets others, whose calls are then repeated.

A route of Starlette is the same function behind the same uvicorn, reached by the same client on a connection that is
kept: what JSON-RPC costs more is ours.
"""


def page(found: dict[str, Figures]) -> str:
    """Markdown: a table for each row, and one of the goals."""
    return paged(HEAD, found, TITLES, GOALS)
