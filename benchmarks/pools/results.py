"""The figures of a run: kept in a file while it goes on, and read by the table, the goals and the picture.

Rule: only figures of one run are compared; a cell is the best of its rounds, or their median where the row says so.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rows import Group, Row, groups

ROWS: dict[str, Row] = {row.name: row for group in groups() for row in group.rows}


class Results:
    """Values by row, peer and variant, and a word for each cell that has none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.values: dict[str, dict[str, dict[str, list[float]]]] = {}
        self.notes: dict[str, dict[str, str]] = {}  # group, peer: why there is no figure
        self.about: dict[str, Any] = {}

    def load(self) -> None:
        data = json.loads(self.path.read_text())
        self.values, self.notes, self.about = data["values"], data["notes"], data["about"]

    def save(self) -> None:
        data = {"about": self.about, "notes": self.notes, "values": self.values}
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(data, indent=1))
        part.replace(self.path)

    def forget(self, group: Group, peers: Iterable[str]) -> None:
        for peer in peers:
            for row in group.rows:
                self.values.get(row.name, {}).pop(peer, None)
            self.notes.get(group.name, {}).pop(peer, None)

    def add(self, row: str, peer: str, variant: str, value: float) -> None:
        self.values.setdefault(row, {}).setdefault(peer, {}).setdefault(variant, []).append(value)

    # ---- questions -----------------------------------------------------------------------------------------------

    def variants(self, row: str, peer: str) -> dict[str, float]:
        """Each variant's figure; of those that were measured as often as any, so that one lucky round wins nothing."""
        found = self.values.get(row, {}).get(peer, {})
        rounds = max((len(values) for values in found.values()), default=0)
        return {name: self.reduced(row, values) for name, values in found.items() if len(values) == rounds}

    @staticmethod
    def reduced(row: str, values: list[float]) -> float:
        if ROWS[row].median:
            return statistics.median(values)
        return max(values) if ROWS[row].more else min(values)

    def cell(self, row: str, peer: str, *, worst: bool = False) -> float | None:
        """The figure of this peer's best way of asking (or its worst)."""
        found = self.variants(row, peer).values()
        if not found:
            return None
        return max(found) if ROWS[row].more != worst else min(found)

    def way(self, row: str, peer: str) -> str:
        """Which way of asking that was."""
        best = self.cell(row, peer)
        return next((name for name, value in self.variants(row, peer).items() if value == best), "")

    def leader(self, row: str, *, without: str = "elsewhere") -> tuple[str, float] | None:
        """The best of the peers and its figure; where only finalists were measured again, the best of those."""
        rounds = {
            peer: max((len(values) for values in ways.values()), default=0)
            for peer, ways in self.values.get(row, {}).items()
            if peer != without
        }
        most = max(rounds.values(), default=0)
        cells = [(peer, self.cell(row, peer)) for peer, count in rounds.items() if count == most]
        known = [(peer, value) for peer, value in cells if value is not None]
        if not known:
            return None
        return (max if ROWS[row].more else min)(known, key=lambda pair: pair[1])

    def finalists(self, group: Group, count: int) -> dict[str, list[tuple[str, str]]]:
        """The best variants of the peers in each row, by peer."""
        chosen: dict[str, list[tuple[str, str]]] = {}
        for row in group.rows:
            ways = [
                (self.reduced(row.name, values), peer, name)
                for peer, found in self.values.get(row.name, {}).items()
                if peer != "elsewhere"
                for name, values in found.items()
            ]
            for _, peer, name in sorted(ways, reverse=row.more)[:count]:
                chosen.setdefault(peer, []).append((row.name, name))
        return chosen
