"""The scheduler alone, between simulated workers; then whether a decision costs as much for many as for few.

::

    python -m benchmarks.scale [--quick] [--json FILE] [--write]

No process, no thread and no socket: nothing of it waits. The whole of it takes some two minutes of one core, and
less than 1 GB of memory.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks.asking import kept
from benchmarks.scale.page import page
from benchmarks.scale.rows import GOAL, QUICK, WHOLE, measure, verdicts

PAGE = Path(__file__).parent.parent.parent / "docs" / "scale.md"


def main(words: list[str] | None = None) -> int:
    """Measure; 1 if the goal was not reached.

    Args:
        words: the command line; None for the program's own.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description="The scheduler alone.")
    parser.add_argument("--quick", action="store_true", help="half a minute, for figures that are only roughly right")
    parser.add_argument("--json", metavar="FILE", help="write the figures there, too")
    parser.add_argument("--write", action="store_true", help="write docs/scale.md")
    options = parser.parse_args(words)
    if options.write and options.quick:
        parser.error("--write is for a whole run: a page has its figures")
    found = measure(QUICK if options.quick else WHOLE, lambda line: print(line, flush=True))
    kept(options, asdict(found), PAGE, lambda: page(found))
    print()
    judged = verdicts(found)
    for name, ratio, well in judged:
        print(f"{'well  ' if well else 'MISSED'}  {name:45} 256 workers: {ratio:.2f} x 2 workers (at most {GOAL})")
    return 0 if all(well for _, _, well in judged) else 1


if __name__ == "__main__":
    sys.exit(main())
