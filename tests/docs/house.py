"""Writes docs/house.md, each room in its own words: `python -m tests.docs.house`.

The words are the first line of a room's docstring, so that they are read, and mended, where the room is.
"""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "elsewhere"
PAGE = ROOT / "docs" / "house.md"
HEAD = """# The house, room by room

Each folder of `src/elsewhere`, and the first line of what it says of itself. Where a change goes: [design](design.md).
This page is written by `python -m tests.docs.house`.
"""


def rooms() -> list[Path]:
    return sorted(path.parent for path in SOURCE.rglob("__init__.py"))


def words(room: Path) -> str:
    """The first line of a room's docstring; nothing if it has none."""
    text = ast.get_docstring(ast.parse((room / "__init__.py").read_text())) or ""
    return text.partition("\n")[0].replace("``", "`").replace("|", "\\|")


def page() -> str:
    text = HEAD
    for door in [SOURCE, *(room for room in rooms() if room.parent == SOURCE)]:
        inside = [room for room in rooms() if door in room.parents] if door != SOURCE else []
        text += f"\n## {door.name}\n\n{words(door)}\n"
        if inside:
            text += "\n| room | what it is |\n|---|---|\n"
            text += "".join(f"| `{room.relative_to(door)}/` | {words(room)} |\n" for room in inside)
    return text


if __name__ == "__main__":
    PAGE.write_text(page())
