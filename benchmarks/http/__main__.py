"""Services over HTTP beside the standard library's and a plain route of Starlette; then what the run had to reach.

::

    python -m benchmarks.http [--quick] [--rows sequential,json] [--json FILE] [--write]
"""

from __future__ import annotations

import sys

from benchmarks.asking import asked, judged, kept, measured
from benchmarks.hostile.processes import ROOT
from benchmarks.http.goals import GOALS
from benchmarks.http.page import page
from benchmarks.http.rows import QUICK, ROWS, WHOLE, Figures

PAGE = ROOT / "docs" / "benchmarks-http.md"


def main(words: list[str] | None = None) -> int:
    """Measure; 1 if a goal was not reached.

    Args:
        words: the command line; None for the program's own.
    """
    _, options, names = asked(
        "http",
        "Services over HTTP beside others.",
        quick="a minute, for figures that are only roughly right",
        rows=ROWS,
        page=PAGE,
        words=words,
    )
    found = measured(names, ROWS, QUICK if options.quick else WHOLE)
    kept(options, found, PAGE, lambda: page(found))
    return verdicts(found)


def verdicts(found: dict[str, Figures]) -> int:
    """Print each goal; 1 if one was not reached, or could not be judged although its row was measured."""
    return judged(found, GOALS)


if __name__ == "__main__":
    sys.exit(main())
