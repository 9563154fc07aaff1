"""Services beside their peers, in turns, over loopback TCP; then what the run had to reach.

::

    python -m benchmarks.rpc [--quick] [--rows sequential,back] [--json FILE] [--write]

The peers are installed once, from the registry, into environments of their own.
"""

from __future__ import annotations

import sys

from benchmarks.asking import asked, kept
from benchmarks.pages import shown
from benchmarks.rpc import environments
from benchmarks.rpc.goals import GOALS
from benchmarks.rpc.page import page
from benchmarks.rpc.rows import QUICK, ROWS, WHOLE, Figures

PAGE = environments.ROOT / "docs" / "benchmarks-rpc.md"


def main(words: list[str] | None = None) -> int:
    """Measure; 1 if a goal was not reached.

    Args:
        words: the command line; None for the program's own.
    """
    _, options, names = asked(
        "rpc",
        "Services beside their peers.",
        quick="a minute, for figures that are only roughly right",
        rows=ROWS,
        page=PAGE,
        words=words,
    )
    environments.make()
    scale = QUICK if options.quick else WHOLE
    found: dict[str, Figures] = {}
    for name in names:
        found[name] = ROWS[name](scale)
        show(name, found[name])
    kept(options, found, PAGE, lambda: page(found))
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
