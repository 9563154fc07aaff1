"""What a run must reach, and whether it did.

Rule: a goal compares figures of one run. Where there are several ways to ask us, the worst of them must reach it; a
peer is taken at its best.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from peers import PEERS
from results import ROWS, Results

OURS = "elsewhere"


@dataclass(frozen=True)
class Verdict:
    """One goal: what is measured, what must be reached, what we reached (None: not measured)."""

    number: int
    row: str
    goal: str
    reached: str | None
    well: bool | None


@dataclass(frozen=True)
class Goal:
    number: int
    row: str
    judge: Callable[[Results, str], tuple[str, str, bool] | None]
    text: str

    def verdict(self, results: Results) -> Verdict:
        found = self.judge(results, self.row)
        return Verdict(self.number, self.row, self.text, *(found[1:] if found else (None, None)))


def times(number: int, row: str, peer: str, factor: float, aim: float | None = None) -> Goal:
    """So many times the peer's rate; or, where less is better, at most this part of the peer's time or memory."""
    more = ROWS[row].more

    def judge(results: Results, row: str) -> tuple[str, str, bool] | None:
        ours, theirs = results.cell(row, OURS, worst=True), results.cell(row, peer)
        if ours is None or theirs is None:
            return None
        ratio = ours / theirs
        return "", f"{ratio:.3g} x", ratio >= factor if more else ratio <= factor

    name = PEERS[peer].name
    text = f"{'≥' if more else '≤'} {factor:g} x {name}" + (f" (aim: {aim:g})" if aim else "")
    return Goal(number, row, judge, text)


def most(number: int, row: str, limit: float) -> Goal:
    """No more than this."""
    unit = ROWS[row].unit

    def judge(results: Results, row: str) -> tuple[str, str, bool] | None:
        ours = results.cell(row, OURS, worst=True)
        return None if ours is None else ("", f"{ours:.3g} {unit}", ours <= limit)

    return Goal(number, row, judge, f"≤ {limit:g} {unit}")


def leads(number: int, row: str, slack: float) -> Goal:
    """No more than `slack` times the best of all peers."""

    def judge(results: Results, row: str) -> tuple[str, str, bool] | None:
        ours, best = results.cell(row, OURS, worst=True), results.leader(row)
        if ours is None or best is None:
            return None
        peer, value = best
        way = results.way(row, peer)
        return "", f"{ours / value:.3f} x {PEERS[peer].name}'s {value:.3f} ({way})", ours <= slack * value

    text = "ahead of every peer" if slack == 1 else f"≤ {slack:g} x the best chunksize of any peer"
    return Goal(number, row, judge, text)


THERE_AND_BACK = [(row, peer) for row in ("arrays_back", "arrays_new") for peer in ("mp", "joblib", "ray")]
MIXES = ("constant_50us", "constant_5ms", "bimodal", "heavy_tailed", "ascending", "descending")
GOALS = [
    times(1, "each", "mp", 8, aim=12),
    times(1, "each", "ppe", 40),
    times(1, "each", "joblib", 2),
    times(1, "each", "loop", 1),
    times(1, "each", "runs", 0.6),
    times(2, "map", "mp", 0.6),
    times(2, "map_5us", "mp", 1),
    times(3, "futures", "ppe", 5),
    times(3, "futures", "mp", 3),
    times(4, "one", "mp", 0.25),
    times(5, "arrays_in", "mp", 12),
    times(5, "arrays_in", "joblib", 3),
    times(5, "arrays_in", "ray", 3),
    *(times(5, row, peer, 10 if peer == "mp" else 3) for row, peer in THERE_AND_BACK),
    most(6, "straggler", 1.04),
    leads(6, "straggler", 1),
    *(leads(7, row, 1.05) for row in MIXES),
    times(8, "first", "mp", 0.3),
    times(8, "first_numpy", "mp", 0.3),
    most(8, "second", 30),
    most(8, "later", 30),
    most(9, "imap_growth", 10),
    times(10, "pending", "ppe", 0.5),
]  # fmt: skip


def verdicts(results: Results) -> list[Verdict]:
    return [goal.verdict(results) for goal in GOALS]
