"""The measurements: what a decision costs, what is kept, and whole runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.scale.fleets import FLEETS
from benchmarks.scale.loops import LOOPS
from benchmarks.scale.memory import KEPT, kept
from benchmarks.scale.world import Outcome

__all__ = ["GOAL", "QUICK", "SIZES", "WHOLE", "Figures", "Plan", "measure", "verdicts"]

SIZES = (2, 16, 256, 2_000, 10_000)
GOAL = 1.3  # times what a call costs with 2 workers: what it may cost with 256


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Args:
        sizes: numbers of workers.
        count: decisions of a loop.
        turns: how often each loop is run; the least counts.
        calls: the most that a run of a fleet has.
        kept: workers or calls whose memory is measured.
    """

    sizes: tuple[int, ...]
    count: int
    turns: int
    calls: int
    kept: int


WHOLE = Plan(SIZES, 20_000, 3, 10_000_000, 100_000)
QUICK = Plan(SIZES[:4], 5_000, 3, 50_000, 10_000)


@dataclass
class Figures:
    """What a run has found.

    Attributes:
        cost: of each loop, by the number of workers: CPU microseconds a call.
        memory: bytes, by what is kept.
        fleets: of each fleet, by the number of workers.
    """

    cost: dict[str, dict[int, float]]
    memory: dict[str, float]
    fleets: dict[str, dict[int, Outcome]]


def measure(plan: Plan, say: Callable[[str], None]) -> Figures:
    """All of it, in one process; what is compared is measured in turns."""
    found = Figures({}, {}, {})
    for name, loop in LOOPS.items():
        turns = [{size: loop(size, plan.count) * 1e6 for size in plan.sizes} for _ in range(plan.turns)]
        found.cost[name] = {size: min(turn[size] for turn in turns) for size in plan.sizes}
        say(f"{name:45}" + "".join(f"{found.cost[name][size]:9.2f}" for size in plan.sizes) + "  µs")
    for name, make in KEPT.items():
        found.memory[name] = kept(make, plan.kept)
        say(f"{name:65}{found.memory[name]:9.1f}  bytes")
    for name, fleet in FLEETS.items():
        found.fleets[name] = {}
        for size in plan.sizes:
            outcome = found.fleets[name][size] = fleet.run(size, plan.calls)
            stretch, each = outcome.makespan / outcome.ideal, outcome.cpu / outcome.calls * 1e6
            say(f"{name:40}{size:8,}{outcome.calls:12,} calls{stretch:8.3f} x ideal{each:8.2f} µs")
    return found


def verdicts(found: Figures) -> list[tuple[str, float, bool]]:
    """What each loop costs with 256 workers, in times of what it costs with 2, and whether that will do."""
    ratios = {name: cost[256] / cost[2] for name, cost in found.cost.items()}
    return [(name, ratio, ratio <= GOAL) for name, ratio in ratios.items()]
