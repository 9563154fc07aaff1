"""What a run must reach: each goal compares figures of that run."""

from __future__ import annotations

from benchmarks.cluster.names import CROWD, NAMES
from benchmarks.rpc.goals import Goal
from benchmarks.scale.loops import LOOPS

POOL, DASK = NAMES["pool_dask"], NAMES["dask"]

GOALS = (
    Goal("nap", POOL, 0.5, DASK),
    Goal("nap", POOL, 0.35, NAMES["dask_executor"]),
    *(
        goal
        for ours in (NAMES["host_call"], NAMES["host_submit"])
        for goal in (Goal("call", ours, 1.2, NAMES["cat"]), Goal("call", ours, 0.5, DASK))
    ),
    Goal("cold", NAMES["first_host"], 0.3, NAMES["first_sshcluster"]),
    Goal("array", POOL, 1.1, DASK),
    *(Goal("scale", name + CROWD, 1.3, name) for name in LOOPS),
)
