"""Faults of hosts and of the way there, Fabric 3 beside ours: some minutes; then what is to complain about in ours.

::

    python -m benchmarks.fleet.faults [--only changed,env] [--who ours] [--write]

As root, users are made for it and a file of sudoers, and removed; otherwise the cases of sudo are left out.
"""

from __future__ import annotations

import argparse
import platform
import sys

from benchmarks.fleet import environments
from benchmarks.fleet.faults.ground import ground
from benchmarks.fleet.faults.rows import FAULTS, Cell, possible

PAGE = environments.ROOT / "docs" / "faults-hosts.md"
WHO = {"ours": "elsewhere", "fabric": "Fabric 3.2.3"}
HEAD = """# Faults and safety of hosts

Written by `python -m benchmarks.fleet.faults --write` on {system} with Python {python}, against OpenSSH's sshd with its
limits as they come and a user with a plain `sh`; both with their default settings, in a program of its own for each
cell, which has no terminal.

A cell says what came of it: the error that was raised, or what is so as it should be. What should not be is **bold**: a
key that is believed although it is not known, a value that runs as a command, a secret that each user of the host can
read, an error that does not say what is wrong, half a file that is seen as a whole one, processes that run on with
nobody left who knows of them, no outcome within half a minute.

"""


def main(words: list[str] | None = None) -> int:
    """Run the cells; 1 if one of ours has something to complain about.

    Args:
        words: the command line; None for the program's own.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet.faults", description="Faults of hosts.")
    parser.add_argument("--only", default=",".join(FAULTS), help=f"some of {', '.join(FAULTS)}, with commas")
    parser.add_argument("--who", default=",".join(WHO), help="ours, fabric, or both with a comma")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(environments.ROOT)}")
    options = parser.parse_args(words)
    names, whos = options.only.split(","), options.who.split(",")
    if unknown := [name for name in names if name not in FAULTS] + [who for who in whos if who not in WHO]:
        parser.error(f"there is no {unknown[0]!r}: faults are {', '.join(FAULTS)}, who meets them {', '.join(WHO)}")
    if options.write and (set(names) != set(FAULTS) or set(whos) != set(WHO)):
        parser.error("--write is for all of them")
    environments.make()
    found: dict[tuple[str, str], Cell] = {}
    with ground() as at:
        for name in filter(possible, names):
            for who in whos:
                found[name, who] = FAULTS[name].run(at, who)
                print(f"{name:16} {who:8} {shown(found[name, who])}", flush=True)
    if options.write:
        PAGE.write_text(page(found))
    return 1 if any(cell.bad for (_, who), cell in found.items() if who == "ours") else 0


def page(found: dict[tuple[str, str], Cell]) -> str:
    """Markdown."""
    parts = [HEAD.format(system=platform.system(), python=platform.python_version())]
    parts += [f"| fault | {' | '.join(WHO.values())} |\n|---|{'---|' * len(WHO)}\n"]
    for name, fault in FAULTS.items():
        cells = (shown(found[name, who]) if (name, who) in found else "–" for who in WHO)
        parts.append(f"| {fault.title} | {' | '.join(cells)} |\n")
    return "".join(parts)


def shown(cell: Cell) -> str:
    """As the table has it."""
    bad = f"**{', '.join(cell.bad)}**" if cell.bad else ""
    # What is as it should be is not said beside what is not; an error is.
    plain = cell.text if not cell.bad or cell.text.startswith("`") else ""
    return ": ".join(filter(None, [plain, bad])).replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.exit(main())
