"""Functions on hosts, and the Pool on a cluster, beside their peers; then what the run had to reach.

::

    python -m benchmarks.cluster [--quick] [--rows nap,call] [--json FILE] [--write]

The peers are installed once, from the registry, into an environment of their own. Hosts and Dask's programs are on
addresses of this machine's loopback.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.cluster import environments
from benchmarks.cluster.goals import GOALS
from benchmarks.cluster.page import page
from benchmarks.cluster.rows import QUICK, ROWS, WHOLE, Figures
from benchmarks.cluster.yard import yard
from benchmarks.rpc.page import shown

PAGE = environments.ROOT / "docs" / "benchmarks-cluster.md"


def main(words: list[str] | None = None) -> int:
    """Measure; 1 if a goal was not reached.

    Args:
        words: the command line; None for the program's own.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description="Clusters beside their peers.")
    parser.add_argument("--quick", action="store_true", help="two minutes, for figures that are only roughly right")
    parser.add_argument("--rows", default=",".join(ROWS), help=f"some of {', '.join(ROWS)}, with commas")
    parser.add_argument("--json", metavar="FILE", help="write the figures there, too")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(environments.ROOT)}")
    options = parser.parse_args(words)
    names = options.rows.split(",")
    if unknown := [name for name in names if name not in ROWS]:
        parser.error(f"there is no row {unknown[0]!r}: they are {', '.join(ROWS)}")
    if options.write and set(names) != set(ROWS):
        parser.error("--write is for all rows: a page has the figures of one run")
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
    print()
    all_well = True
    for goal in GOALS:
        if goal.row in found:
            wanted, reached, well = goal.verdict(found[goal.row]) or (f"{goal.ours} is not measured", "", False)
            all_well = all_well and well
            print(f"{'well  ' if well else 'MISSED'}  {goal.row:8}  {wanted:75} {reached:>8}")
    return 0 if all_well else 1


if __name__ == "__main__":
    sys.exit(main())
