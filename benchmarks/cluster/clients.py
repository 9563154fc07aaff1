"""One contestant: ``python -m benchmarks.cluster.clients KIND CONFIG`` says "ready", and measures what it is told to.

A line of stdin is a verb with its arguments; it is answered with a line that has the seconds.
"""

from __future__ import annotations

import json
import os
import sys

from benchmarks.cluster.kinds.bare import Cat, Python, Threaded
from benchmarks.cluster.kinds.base import Kind
from benchmarks.cluster.kinds.dask import Executor, Map
from benchmarks.cluster.kinds.ours import Awaited, OnDask, OnFleet, OnHost
from benchmarks.fleet.clients import measured

KINDS: dict[str, type[Kind]] = {
    "pool_dask": OnDask,
    "pool_fleet": OnFleet,
    "host_call": OnHost,
    "host_submit": Awaited,
    "dask": Map,
    "dask_executor": Executor,
    "cat": Cat,
    "python": Python,
    "threaded": Threaded,
}


def main() -> None:
    # What is said to nobody in particular must not stand among the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    name, config = sys.argv[1:]
    kind = KINDS[name](json.loads(config))
    print("ready", file=answers)
    for line in sys.stdin:
        verb, *arguments = json.loads(line)
        print(json.dumps(measured(kind, verb, arguments)), file=answers)


if __name__ == "__main__":
    main()
