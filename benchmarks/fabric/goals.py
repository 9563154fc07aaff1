"""What a run must reach: each goal compares figures of that run."""

from __future__ import annotations

from benchmarks.fabric.programs import PROGRAMS
from benchmarks.rpc.goals import Goal

GOALS = tuple(
    Goal("deploy", PROGRAMS[ours].name, limit, PROGRAMS[theirs].name)
    for ours, serial in (("ours1_parallel", "fabric1"), ("ours3_parallel", "fabric3"))
    for limit, theirs in ((0.25, serial), (0.7, "fabric1_parallel"))
)
