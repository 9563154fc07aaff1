"""What a run must reach: what a program adds to its sleeping does not grow with it, so it has a bound in seconds."""

from __future__ import annotations

from typing import NamedTuple

from benchmarks.classic.runs import IDEAL

Found = dict[str, dict[str, float]]  # of each program: seconds by whose they are
MORE = 0.5  # seconds: an interpreter and a pool begin and end


class Goal(NamedTuple):
    """A program is near what it sleeps."""

    row: str
    ours: str = "elsewhere"

    def verdict(self, figures: dict[str, float]) -> tuple[str, str, bool]:
        """What is wanted, what was reached, and whether that is well."""
        more = figures[self.ours] - figures["its sleeping"]
        return f"at most {MORE:g} s more than its sleeping", f"{more:.2f} s", more <= MORE


GOALS = tuple(Goal(name) for name in IDEAL)
