"""Task files beside the real Fabric; then what the run had to reach.

::

    python -m benchmarks.fabric [--quick] [--rows fabric1,ours1] [--json FILE] [--write]

The originals are those of the tests: `.ci/peers fabric1 fabric3` installs them. As root, a user is made for it, and
removed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.asking import asked, kept
from benchmarks.fabric.goals import GOALS
from benchmarks.fabric.page import CPU, THERE, Figures, page
from benchmarks.fabric.programs import PROGRAMS, ROOT
from benchmarks.fabric.runs import measure
from benchmarks.fleet.contest import Took, in_turns, middle
from benchmarks.fleet.yard import yard
from benchmarks.pages import shown

PAGE = ROOT / "docs" / "benchmarks-fabric.md"
HOSTS = [f"127.18.0.{number}" for number in range(101, 151)]
QUICK, WHOLE = 1, 3  # rounds


def main(words: list[str] | None = None) -> int:
    """Measure; 1 if a goal was not reached.

    Args:
        words: the command line; None for the program's own.
    """
    parser, options, names = asked(
        "fabric",
        "Beside the real Fabric.",
        quick="one round",
        rows=PROGRAMS,
        page=PAGE,
        words=words,
    )
    for name in names:
        if not Path(PROGRAMS[name].words[0]).exists():
            parser.error(f"{PROGRAMS[name].name} is not there: .ci/peers fabric{PROGRAMS[name].dialect} installs it")
    rounds = QUICK if options.quick else WHOLE
    with yard(HOSTS) as hosts:
        found = figures(in_turns(names, rounds, lambda name: measure(hosts, PROGRAMS[name])))
    for who, figure in found.items():
        print(f"{who:45} {shown(figure):>10}")
    kept(options, found, PAGE, lambda: page(found, rounds))
    return verdicts(found, {PROGRAMS[name].name for name in names})


def figures(found: dict[str, list[Took]]) -> Figures:
    """Medians in seconds, by name."""
    all_of_them: Figures = {}
    for name, took in found.items():
        who = PROGRAMS[name].name
        all_of_them[who] = middle(each.wall for each in took)
        all_of_them[who + CPU] = middle(each.cpu for each in took)
        all_of_them[who + THERE] = middle(each.far or 0.0 for each in took)
    return all_of_them


def verdicts(found: Figures, asked: set[str]) -> int:
    """Print each goal; 1 if one was not reached, or could not be judged although both sides were to be measured."""
    all_well = True
    for goal in GOALS:
        if {goal.ours, goal.theirs} <= asked:
            wanted, reached, well = goal.verdict(found) or (f"{goal.ours}: a figure is missing", "", False)
            all_well = all_well and well
            print(f"{'well  ' if well else 'MISSED'}  {wanted:60} {reached:>8}")
    return 0 if all_well else 1


if __name__ == "__main__":
    sys.exit(main())
