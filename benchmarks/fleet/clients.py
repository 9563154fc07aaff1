"""One contestant: ``python -m benchmarks.fleet.clients KIND CONFIG`` says "ready", and measures what it is told to.

A line of stdin is a verb with its arguments; it is answered with a line that has the seconds. What it needs is loaded,
and one connection has been made, before it is ready.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from typing import Any

from benchmarks.fleet.kinds.asyncssh import Asyncssh, AsyncsshUvloop
from benchmarks.fleet.kinds.base import Answered, Kind
from benchmarks.fleet.kinds.fabric import Fabric, Paramiko
from benchmarks.fleet.kinds.ours import Ours
from benchmarks.fleet.kinds.tools import Rsync, Scp, Tar

KINDS: dict[str, type[Kind]] = {
    "ours": Ours,
    "fabric": Fabric,
    "asyncssh": Asyncssh,
    "asyncssh_uvloop": AsyncsshUvloop,
    "paramiko": Paramiko,
    "tar": Tar,
    "rsync": Rsync,
    "scp": Scp,
}


def processor() -> float:
    """Seconds so far, of this process and of its children that have ended."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in both)


def measured(kind: object, verb: str, arguments: list[Any]) -> dict[str, Any]:
    work = getattr(kind, verb, None)
    if work is None:
        return {"error": f"it has no {verb}"}
    begin, used = time.perf_counter(), processor()
    try:
        told = work(*arguments)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    wall = time.perf_counter() - begin
    if isinstance(told, Answered):
        wall, told = told.when - begin, None
    return {"wall": wall, "cpu": processor() - used, "told": told}


def main() -> None:
    # What is said to nobody in particular must not stand among the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    name, config = sys.argv[1:]
    kind = KINDS[name](json.loads(config))
    kind.warm_up()
    print("ready", file=answers)
    for line in sys.stdin:
        verb, *arguments = json.loads(line)
        print(json.dumps(measured(kind, verb, arguments)), file=answers)


if __name__ == "__main__":
    main()
