"""Bring the index and its service to some hosts, start it on one after the other, and ask each of them.

    python rollout.py code.index -H 'web[1-3]' --ask 'file descriptor'

The service runs as the user that logs in, in the folder `text-index` of its home, at a Unix socket there: nobody else
on that host, and nobody on the network, can call it. See docs/text-index.md.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from contextlib import closing
from typing import Any

from search import About, Index

from elsewhere import ElsewhereError, Fleet, Host, connect

CODE = os.path.dirname(os.path.abspath(__file__))
FOLDER = "text-index"
# The number in `pid` may be another program's since the host was started anew.
STOP = """
test -e pid || exit 0
pid=$(cat pid)
ps -o args= -p "$pid" | grep -q service.py && kill "$pid"
while kill -0 "$pid" 2>/dev/null && ps -o args= -p "$pid" | grep -q service.py; do sleep 0.1; done
rm pid
"""
START = 'echo $$ >pid; exec {python} code/service.py index --bind "unix://$PWD/socket" >log 2>&1'
WAIT = """
until test -S socket; do kill -0 "$(cat pid)" 2>/dev/null || { cat log >&2; exit 1; }; sleep 0.1; done
"""


def roll_out(fleet: Fleet, index: str, python: str) -> None:
    """Put code and index to all hosts at once, look at what has arrived, then start the service on one after the other.

    What goes wrong ends it, so that the hosts behind go on as they are.
    """
    fleet.run([python, "-c", "import elsewhere"])
    fleet.put(f"{CODE}/*.py", f"{FOLDER}/code/")
    fleet.put(index, f"{FOLDER}/index")
    for host, arrived in fleet.each(about, f"{FOLDER}/index").items():
        if arrived.files != about(index).files:
            raise ValueError(f"{host}: the index has {arrived.files:,} files there, and another number here")
    for host in fleet:
        restart(host, python)


def about(index: str) -> About:
    """What is in an index; where it is called, which may be a host."""
    with closing(Index(index)) as opened:
        return opened.about()


def restart(host: Host, python: str) -> None:
    """End the service that runs, if one does, and start another; until it can be called."""
    host.run(STOP, cwd=FOLDER, timeout=30)
    host.run(START.format(python=shlex.quote(python)), cwd=FOLDER, detach=True)
    host.run(WAIT, cwd=FOLDER, timeout=30)


def ask(host: Host, query: str, limit: int = 3) -> list[dict[str, Any]]:
    """Search by a host's service, through a tunnel to its socket."""
    socket = host.run("echo $PWD/socket", cwd=FOLDER).stdout.strip()
    with host.forward_local(0, socket) as way, connect(f"tcp://localhost:{way.port}") as client:
        found: list[dict[str, Any]] = client.search(query, limit)
        return found


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("index")
    options.add_argument("-H", "--hosts", nargs="+", required=True, help="as ssh knows them: web1 web2, or web[1-2]")
    options.add_argument("--python", default="python3", help="of the hosts: 3.11 or newer, with elsewhere")
    options.add_argument("--ask", metavar="QUERY", required=True, help="what each is asked when it runs")
    given = options.parse_args()
    with Fleet(*given.hosts, python=given.python) as fleet:
        try:
            roll_out(fleet, given.index, given.python)
            for host in fleet:
                for hit in ask(host, given.ask):
                    print(f"{host}: {hit['score']:.3f} {hit['path']}")
        except (ElsewhereError, OSError, ValueError) as error:
            sys.exit(f"rollout.py: {error}")
