"""Functions on hosts, and the Pool on a cluster, beside their peers; then what the run had to reach.

::

    python -m benchmarks.cluster [--quick] [--rows nap,call] [--json FILE] [--write]

The peers are installed once, from the registry, into an environment of their own. Hosts and Dask's programs are on
addresses of this machine's loopback.
"""

from __future__ import annotations

import sys

from benchmarks.asking import asked, judged, kept, measured
from benchmarks.cluster import environments
from benchmarks.cluster.goals import GOALS
from benchmarks.cluster.page import page
from benchmarks.cluster.rows import QUICK, ROWS, WHOLE, Figures
from benchmarks.cluster.yard import yard

PAGE = environments.ROOT / "docs" / "benchmarks-cluster.md"


def main(words: list[str] | None = None) -> int:
    """Measure; 1 if a goal was not reached.

    Args:
        words: the command line; None for the program's own.
    """
    _, options, names = asked(
        "cluster",
        "Clusters beside their peers.",
        quick="two minutes, for figures that are only roughly right",
        rows=ROWS,
        page=PAGE,
        words=words,
    )
    environments.make()
    with yard() as ground:
        found = measured(names, ROWS, ground, QUICK if options.quick else WHOLE, width=50)
    kept(options, found, PAGE, lambda: page(found, quick=options.quick))
    return verdicts(found)


def verdicts(found: dict[str, Figures]) -> int:
    """Print each goal; 1 if one was not reached, or could not be judged although its row was measured."""
    return judged(found, GOALS)


if __name__ == "__main__":
    sys.exit(main())
