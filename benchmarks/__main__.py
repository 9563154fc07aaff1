"""Everything that is measured, beside the peers: `make bench`.

    python -m benchmarks [--set pools|shared|rpc|http|fleet|fabric|cluster|classic] [--rows 1,locks] [--quick] [--write]
                         [--keep] [--show] [--peers elsewhere,joblib] [--turns 7]

Eight sets: the pools beside eight peers (`benchmarks/pools`, half an hour), processes and shared data beside
multiprocessing's (`benchmarks/sharing`, some minutes), and only if they are named, services beside theirs
(`benchmarks/rpc`, whose peers want environments of their own), over HTTP (`benchmarks/http`, which wants uvicorn),
hosts (`benchmarks/fleet`, which wants OpenSSH's sshd, and rsync; as root it makes a user, and removes it), Fabric's
task files (`benchmarks/fabric`, which wants that sshd and `.ci/peers fabric1 fabric3`; as root it does the same),
functions on hosts and on a Dask cluster (`benchmarks/cluster`, which wants that sshd), and the four Pool programs of
every book (`benchmarks/classic`, two minutes).
--rows chooses groups of one of them; a set of which none is chosen is left out. --peers is for the pools, --turns for
processes and shared data.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from benchmarks.sharing import __main__ as sharing
from benchmarks.sharing.groups import GROUPS

POOLS = Path(__file__).parent / "pools"
SETS = ("pools", "shared")
NAMED = ("rpc", "http", "fleet", "fabric", "cluster", "classic")  # measured only where they are named
FLAGS = ("quick", "write", "keep", "show")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure elsewhere beside its peers.")
    parser.add_argument("--set", choices=(*SETS, *NAMED), help="only one of them")
    named = ", ".join(f"{group.number} {group.name}" for group in GROUPS)
    parser.add_argument("--rows", help=f"numbers or names of groups: 1 to 10 of the pools, and {named}")
    parser.add_argument("--quick", action="store_true", help="about two minutes: little work, fewer peers")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md and docs/benchmarks.svg")
    parser.add_argument("--keep", action="store_true", help="keep the last run's figures for what is not measured now")
    parser.add_argument("--show", action="store_true", help="measure nothing: show the last run's figures")
    parser.add_argument("--peers", help="of the pools, by key")
    parser.add_argument("--turns", help="of processes and shared data")
    given = parser.parse_args()
    if given.set in NAMED:
        return of_named(given)
    shared_rows = {text for group in GROUPS for text in (str(group.number), group.name)}
    rows = given.rows.split(",") if given.rows else []
    chosen = {"pools": [row for row in rows if row not in shared_rows], "shared": [r for r in rows if r in shared_rows]}
    if rows and given.set and not chosen[given.set]:
        parser.error(f"--rows {given.rows}: none of them is in the set {given.set}")
    status = 0
    for name in [given.set] if given.set else SETS:
        if rows and not chosen[name]:
            continue
        words = [f"--{flag}" for flag in FLAGS if getattr(given, flag)]
        words += ["--rows", ",".join(chosen[name])] if rows else []
        if name == "pools":
            words += ["--peers", given.peers] if given.peers else []
            status = of_pools(words)
        else:
            words += ["--turns", given.turns] if given.turns else []
            status = status or sharing.main(words)
    return status


def of_named(given: argparse.Namespace) -> int:
    """They have pages of their own."""
    program = importlib.import_module(f"benchmarks.{given.set}.__main__")
    words = [f"--{flag}" for flag in ("quick", "write") if getattr(given, flag)]
    status: int = program.main(words + (["--rows", given.rows] if given.rows else []))
    return status


def of_pools(words: list[str]) -> int:
    """Its modules are programs, which find each other where they lie: their peers' workers import them again."""
    sys.path.insert(0, str(POOLS))
    status: int = importlib.import_module("main").main(words)
    return status


if __name__ == "__main__":
    sys.exit(main())
