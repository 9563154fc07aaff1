"""What is measured. Each row gives figures by contestant; `goals` says what they should be."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.http.pairs import Contestant, in_turns
from benchmarks.rpc.rows import QUICK, WHOLE, Figures, Scale

__all__ = ["ALONE", "JSON", "LEAN", "MANY", "QUICK", "ROWS", "WHOLE", "Figures", "Scale"]

LARGE = 10_000_000  # bytes

CONTESTANTS = (
    Contestant("elsewhere, loop", "loop", "ours"),
    Contestant("elsewhere, threads", "threads", "ours"),
    Contestant("elsewhere.xmlrpc", "dropin", "dropin"),
    Contestant("xmlrpc.client and .server", "standard", "standard"),
    # What is the server's, and what the client's:
    Contestant("xmlrpc.client, elsewhere, loop", "loop", "standard"),
    Contestant("xmlrpc.client, elsewhere, threads", "threads", "standard"),
)
ALONE = (
    *CONTESTANTS,
    # It serves one connection to its end before it looks at the next:
    Contestant("xmlrpc.client and .server, HTTP/1.1", "standard_1.1", "standard"),
    Contestant("elsewhere, xmlrpc.server", "standard", "ours"),
)
MANY = (*CONTESTANTS, Contestant("xmlrpc.client and .server, longer queue", "standard_queue", "standard"))
LEAN = (
    Contestant("elsewhere, loop", "loop", "lean"),
    Contestant("elsewhere, threads", "threads", "lean"),
    Contestant("elsewhere.xmlrpc", "dropin", "lean"),
    Contestant("xmlrpc.server, longer queue", "standard_queue", "lean"),
)
JSON = (
    Contestant("JSON-RPC, loop", "loop", "plain"),
    Contestant("JSON-RPC, threads", "threads", "plain"),
    Contestant("Starlette route", "route", "plain"),
    Contestant("Starlette route, in a thread", "thread_route", "plain"),
    Contestant("elsewhere's client, loop", "loop", "ours_json"),
    Contestant("elsewhere's client, threads", "threads", "ours_json"),
)


def sequential(scale: Scale) -> Figures:
    """µs of a call of double(n) by a blocking client, over XML-RPC."""
    return {name: 1e6 * each for name, each in in_turns("sequential", ALONE, 50, *scale).items()}


def many(scale: Scale) -> Figures:
    """Calls a second of 32 clients at once, in two programs of 16 threads."""
    return {name: 1 / each for name, each in in_turns("many", MANY, 160, *scale, clients=2).items()}


def lean(scale: Scale) -> Figures:
    """Calls a second of 32 connections that cost as little as can be: what the servers do."""
    return {name: 1 / each for name, each in in_turns("lean", LEAN, 320, *scale).items()}


def argument(scale: Scale) -> Figures:
    """Milliseconds of a call with 10 MB of bytes as its argument, which go as base64."""
    found = in_turns("argument", ALONE, LARGE, 0, 2 * scale.rounds, fixed=True)
    return {name: 1e3 * LARGE * each for name, each in found.items()}


def json(scale: Scale) -> Figures:
    """µs of a call of double(n) over JSON-RPC, and of the same function as a route of Starlette."""
    return {name: 1e6 * each for name, each in in_turns("json", JSON, 50, *scale).items()}


ROWS: dict[str, Callable[[Scale], Figures]] = {row.__name__: row for row in (sequential, many, lean, argument, json)}
