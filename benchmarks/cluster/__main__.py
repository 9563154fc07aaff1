"""Functions on hosts, and the Pool on a cluster, beside their peers; then what the run had to reach.

::

    python -m benchmarks.cluster [--quick] [--rows nap,call] [--json FILE] [--write]

The peers are installed once, from the registry, into an environment of their own. Hosts and Dask's programs are on
addresses of this machine's loopback.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.asking import asked, judged
from benchmarks.cluster import environments
from benchmarks.cluster.goals import GOALS
from benchmarks.cluster.page import page
from benchmarks.cluster.rows import QUICK, ROWS, WHOLE, Figures
from benchmarks.cluster.yard import yard
from benchmarks.pages import shown

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
    found: dict[str, Figures] = {}
    with yard() as ground:
        for name in names:
            print(f"\n{name}: {(ROWS[name].__doc__ or '').strip()}", flush=True)
            found[name] = ROWS[name](ground, QUICK if options.quick else WHOLE)
            for who, figure in found[name].items():
                print(f"  {who:50} {shown(figure):>10}", flush=True)
    if options.json:
        Path(options.json).write_text(json.dumps(found, indent=1))
    if options.write:
        PAGE.write_text(page(found, quick=options.quick))
    return verdicts(found)


def verdicts(found: dict[str, Figures]) -> int:
    """Print each goal; 1 if one was not reached, or could not be judged although its row was measured."""
    return judged(found, GOALS)


if __name__ == "__main__":
    sys.exit(main())
