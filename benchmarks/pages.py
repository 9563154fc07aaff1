"""A run of rows and goals as a page of the documentation: a table for each row, and one of what had to be reached."""

from __future__ import annotations

import os
import platform
from collections.abc import Collection, Iterable, Mapping
from typing import Any

__all__ = ["paged", "shown"]

Figures = Mapping[str, float]


def paged(
    head: str,
    found: Mapping[str, Figures],
    titles: Mapping[str, tuple[str, str]],
    goals: Iterable[Any],
    *,
    columns: Collection[str] = (),
    counts: Collection[str] = (),
    quick: str = "",
) -> str:
    """Markdown.

    Args:
        head: what stands above it, with the machine's ``{cores}``, ``{system}`` and ``{python}``.
        found: figures by name, by row.
        titles: of each row, and the unit of its figures, in the page's order.
        goals: each with its row, and a verdict on that row's figures.
        columns: what may be behind a name for a further figure of the same contestant, as ``", CPU"``.
        counts: those of them that are not in the row's unit.
        quick: what is said of a run that was.
    """
    parts = [head.format(cores=os.cpu_count(), system=platform.system(), python=platform.python_version()), quick]
    for name, (title, unit) in titles.items():
        if found.get(name):
            parts.append(f"\n## {title}\n\n{_table(unit, found[name], columns, counts)}")
    parts.append("\n## What a run must reach\n\n| row | goal | reached | |\n|---|---|--:|---|\n")
    for goal in goals:
        if verdict := goal.verdict(found.get(goal.row, {})):
            wanted, reached, well = verdict
            parts.append(f"| {titles[goal.row][0]} | {wanted} | {reached} | {'yes' if well else '**no**'} |\n")
    return "".join(parts)


def _table(unit: str, figures: Figures, columns: Collection[str], counts: Collection[str]) -> str:
    there = [kind for kind in columns if any(who.endswith(kind) for who in figures)]
    heads = "".join(
        f" {kind.removeprefix(', ')}{f', {unit}' if unit and kind not in counts else ''} |" for kind in there
    )
    lines = [f"| | {unit or 'figure'} |{heads}\n|---|--:|{'--:|' * len(there)}\n"]
    for who, figure in figures.items():
        if not who.endswith(tuple(columns)):
            cells = (shown(figures[who + kind]) if who + kind in figures else "" for kind in there)
            lines.append(f"| {who} | {shown(figure)} |{''.join(f' {cell} |' for cell in cells)}\n")
    return "".join(lines)


def shown(figure: float) -> str:
    """Three digits that count."""
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"
