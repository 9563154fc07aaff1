"""Hosts beside their peers; then what the run had to reach.

::

    python -m benchmarks.fleet [--quick] [--rows cold,warm] [--json FILE] [--write]

The peers are installed once, from the registry, into an environment of their own. As root, a user is made for it, and
removed.
"""

from __future__ import annotations

import sys

from benchmarks.asking import asked, judged, kept, measured
from benchmarks.fleet import environments
from benchmarks.fleet.goals import GOALS
from benchmarks.fleet.page import page
from benchmarks.fleet.rows import QUICK, ROWS, WHOLE, Figures
from benchmarks.fleet.yard import yard

PAGE = environments.ROOT / "docs" / "benchmarks-fleet.md"


def main(words: list[str] | None = None) -> int:
    """Measure; 1 if a goal was not reached.

    Args:
        words: the command line; None for the program's own.
    """
    _, options, names = asked(
        "fleet",
        "Hosts beside their peers.",
        quick="some minutes, for figures that are only roughly right",
        rows=ROWS,
        page=PAGE,
        words=words,
    )
    environments.make()
    with yard() as hosts:
        found = measured(names, ROWS, hosts, QUICK if options.quick else WHOLE)
    kept(options, found, PAGE, lambda: page(found, quick=options.quick))
    return verdicts(found)


def verdicts(found: dict[str, Figures]) -> int:
    """Print each goal; 1 if one was not reached, or could not be judged although its row was measured."""
    return judged(found, GOALS)


if __name__ == "__main__":
    sys.exit(main())
