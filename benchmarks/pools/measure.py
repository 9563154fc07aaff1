"""Measure one group of rows for one peer, in this process: started by `main.py`, never by hand.

    python benchmarks/pools/measure.py GROUP PEER OUT '{"quick": false, "rounds": 1, "only": null}'

Each figure is a line of JSON, written to the file OUT when it is there: what comes before a hang is kept.
"""

from __future__ import annotations

import json
import sys


def main() -> None:
    from peers import PEERS
    from rows import Ask, groups

    name, key, out, given = sys.argv[1:]
    options = json.loads(given)
    only = options["only"]
    ask = Ask(options["quick"], options["rounds"], None if only is None else tuple(map(tuple, only)))
    group = next(group for group in groups() if group.name == name)
    with open(out, "a", buffering=1) as file:
        for figure in group.measure(PEERS[key], ask):
            print(json.dumps(figure), file=file)
        print(json.dumps("done"), file=file)


if __name__ == "__main__":
    try:
        main()
    except ModuleNotFoundError as error:
        sys.exit(f"not installed: {error.name}")
    except NotImplementedError:
        sys.exit("no such method")
