"""Measure one group, in this process: started by `python -m benchmarks.sharing`, never by hand.

    python -m benchmarks.sharing.measure GROUP OUT TURNS QUICK

Each figure is a line of JSON, written to the file OUT when it is there: what comes before a hang is kept.
"""

from __future__ import annotations

import sys


def main(name: str, out: str, turns: str, quick: str) -> None:
    import json

    from benchmarks.sharing.groups import GROUPS
    from benchmarks.sharing.rows import Ask

    group = next(group for group in GROUPS if group.name == name)
    with open(out, "a", buffering=1) as file:
        for figure in group.measure(Ask(int(turns), quick == "quick")):
            print(json.dumps(figure), file=file)


if __name__ == "__main__":  # multiprocessing's children import this file again, and no more than it needs for that
    main(*sys.argv[1:])
