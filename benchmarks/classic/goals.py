"""What a run must reach."""

from __future__ import annotations

from benchmarks.classic.runs import IDEAL
from benchmarks.rpc.goals import Goal

Found = dict[str, dict[str, float]]  # of each program: seconds by whose they are

GOALS = tuple(
    Goal(name, "elsewhere", limit, whose)
    for name in IDEAL
    for limit, whose in ((1.1, "its sleeping"), (1.05, "multiprocessing"))
)
