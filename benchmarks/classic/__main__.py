"""The four Pool programs that every book has, with multiprocessing and with elsewhere.

::

    python -m benchmarks.classic [--quick] [--rows sync] [--json FILE] [--write]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.asking import asked, judged, kept
from benchmarks.classic.goals import GOALS, Found
from benchmarks.classic.page import page
from benchmarks.classic.runs import IDEAL, LIBRARIES, one_round
from tests.require import ROOT

PAGE = ROOT / "docs" / "benchmarks-classic.md"
QUICK, WHOLE = 1, 5  # rounds


def main(words: list[str] | None = None) -> int:
    """Measure; 1 if a goal was not reached.

    Args:
        words: the command line; None for the program's own.
    """
    _, options, names = asked(
        "classic", "The classic Pool programs.", quick="one round", rows=IDEAL, page=PAGE, words=words
    )
    count = QUICK if options.quick else WHOLE
    with tempfile.TemporaryDirectory() as folder:
        found = least([one_round(names, Path(folder), turned=bool(number % 2)) for number in range(count)])
    for name, figures in found.items():
        print(f"{name:20}", ", ".join(f"{who} {seconds:.2f} s" for who, seconds in figures.items()))
    kept(options, found, PAGE, lambda: page(found, count))
    return judged(found, GOALS)


def least(rounds: list[Found]) -> Found:
    """Of each program the least of all rounds, by library, and what it sleeps: whoever else runs here can only add."""
    return {
        name: {"its sleeping": IDEAL[name]}
        | {library: min(each[name][library] for each in rounds) for library in LIBRARIES}
        for name in rounds[0]
    }


if __name__ == "__main__":
    sys.exit(main())
