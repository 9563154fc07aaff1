"""Services beside their peers, in turns, over loopback TCP; then what the run had to reach.

::

    python -m benchmarks.rpc [--quick] [--rows sequential,back] [--json FILE] [--write]

The peers are installed once, from the registry, into environments of their own.
"""

from __future__ import annotations

import argparse
import json
import sys

from benchmarks.rpc import environments
from benchmarks.rpc.goals import GOALS
from benchmarks.rpc.page import page, shown
from benchmarks.rpc.rows import QUICK, ROWS, WHOLE, Figures

PAGE = environments.ROOT / "docs" / "benchmarks-rpc.md"


def main(words: list[str] | None = None) -> int:
    """Measure; 1 if a goal was not reached.

    Args:
        words: the command line; None for the program's own.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rpc", description="Services beside their peers.")
    parser.add_argument("--quick", action="store_true", help="a minute, for figures that are only roughly right")
    parser.add_argument("--rows", default=",".join(ROWS), help=f"some of {', '.join(ROWS)}, with commas")
    parser.add_argument("--json", metavar="FILE", help="write the figures there, too")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(environments.ROOT)}")
    options = parser.parse_args(words)
    names = options.rows.split(",")
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        parser.error(f"there is no row {unknown[0]!r}: they are {', '.join(ROWS)}")
    if options.write and set(names) != set(ROWS):
        parser.error("--write is for all rows: a page has the figures of one run")
    environments.make()
    scale = QUICK if options.quick else WHOLE
    found: dict[str, Figures] = {}
    for name in names:
        found[name] = ROWS[name](scale)
        show(name, found[name])
    if options.json:
        with open(options.json, "w") as file:
            json.dump(found, file, indent=1)
    if options.write:
        PAGE.write_text(page(found))
    return verdicts(found)


def show(name: str, figures: Figures) -> None:
    print(f"\n{name}: {(ROWS[name].__doc__ or '').strip()}")
    if not figures:
        print("  not measured here")
    for who, figure in figures.items():
        print(f"  {who:40} {shown(figure):>10}")
    sys.stdout.flush()


def verdicts(found: dict[str, Figures]) -> int:
    """Print each goal; 1 if one was not reached."""
    print()
    all_well = True
    for goal in GOALS:
        verdict = goal.verdict(found.get(goal.row, {}))
        if verdict is not None:
            wanted, reached, well = verdict
            all_well = all_well and well
            print(f"{'well  ' if well else 'MISSED'}  {goal.row:10}  {wanted:80} {reached:>8}")
    return 0 if all_well else 1


if __name__ == "__main__":
    sys.exit(main())
