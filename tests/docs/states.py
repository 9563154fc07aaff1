"""Draws the states of a worker from the scheduler's own tables: `python -m tests.docs.states` writes the picture.

Each table is one row of boxes, in the table's order. An arrow to the next state is straight, one that passes others is
an arc above them, one that goes back an arc below; its label is the event or action that makes the change.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from elsewhere.sansio.scheduling.peer import LIFE, TAKING_BACK

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "pictures" / "states.svg"
TABLES: tuple[Mapping[Any, Mapping[str, Any]], ...] = (LIFE, TAKING_BACK)
TITLES = ("A worker's life (in each state it may be lost, and is forgotten)", "Calls are taken back from a worker")
WIDTH, HEIGHT, GAP, LEFT = 110, 36, 110, 20  # of a box, and between two
ROW = 210
STYLE = """
  text { font: 13px sans-serif; fill: #24292f; text-anchor: middle }
  text.title { font-weight: bold; text-anchor: start }
  text.event { font: 12px monospace; fill: #0550ae }
  rect { fill: #f6f8fa; stroke: #57606a }
  path { fill: none; stroke: #57606a; marker-end: url(#arrow) }
  marker path { fill: #57606a; stroke: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } text.event { fill: #79c0ff } rect { fill: #21262d; stroke: #8b949e }
    path { stroke: #8b949e } marker path { fill: #8b949e }
  }"""


def drawing() -> str:
    rows = [row(table, title, ROW * number) for number, (table, title) in enumerate(zip(TABLES, TITLES, strict=True))]
    width = LEFT * 2 + max(len(table) for table in TABLES) * (WIDTH + GAP) - GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {ROW * len(rows)}">\n<style>{STYLE}\n</style>\n'
        '<marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0 8 4 0 8z"/></marker>\n' + "\n".join(rows) + "\n</svg>\n"
    )


def row(table: Mapping[Any, Mapping[str, Any]], title: str, top: int) -> str:
    places = {state: LEFT + number * (WIDTH + GAP) for number, state in enumerate(table)}
    middle = top + 125
    parts = [f'<text class="title" x="{LEFT}" y="{top + 20}">{title}</text>']
    for state, x in places.items():
        parts.append(f'<rect x="{x}" y="{middle - HEIGHT // 2}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>')
        parts.append(f'<text x="{x + WIDTH // 2}" y="{middle + 5}">{state.name.lower()}</text>')
        for event, after in table[state].items():
            parts += arrow(event, x, places[after], middle)
    return "\n".join(parts)


def arrow(event: str, start: int, end: int, middle: int) -> list[str]:
    """From the box at `start` to the one at `end`, with the event's name at its height."""
    if end - start == WIDTH + GAP:
        line, x, y = f"M{start + WIDTH} {middle} {end} {middle}", start + WIDTH + GAP // 2, middle - 6
    else:
        side = -1 if end > start else 1  # above, or below
        begin, finish = start + WIDTH // 2 + 20, end + WIDTH // 2 - 20 * (1 if end > start else -1)
        edge = middle + side * HEIGHT // 2
        bend = 24 * abs(end - start) // (WIDTH + GAP) + 8
        peak = edge + side * bend
        line = f"M{begin} {edge}C{begin} {peak} {finish} {peak} {finish} {edge}"
        x, y = (begin + finish) // 2, edge + side * bend * 3 // 4 + (-5 if side < 0 else 15)
    return [f'<path d="{line}"/>', f'<text class="event" x="{x}" y="{y}">{event}</text>']


if __name__ == "__main__":
    PICTURE.write_text(drawing())
