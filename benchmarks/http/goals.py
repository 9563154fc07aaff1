"""What a run must reach: each goal compares figures of that run. Times are "at most", so 1/1.3 is 1.3 times as fast."""

from __future__ import annotations

from benchmarks.rpc.goals import Goal

LOOP, THREADS, STANDARD = "elsewhere, loop", "elsewhere, threads", "xmlrpc.client and .server"

GOALS = (
    Goal("sequential", LOOP, 0.77, STANDARD),
    Goal("sequential", THREADS, 1, STANDARD),
    Goal("many", LOOP, 2.5, STANDARD, least=True),
    Goal("many", THREADS, 2.5, STANDARD, least=True),
    Goal("argument", LOOP, 1, STANDARD),
    Goal("argument", THREADS, 1, STANDARD),
    Goal("json", "JSON-RPC, loop", 1.3, "Starlette route"),
    Goal("json", "JSON-RPC, threads", 1.3, "Starlette route, in a thread"),
)
