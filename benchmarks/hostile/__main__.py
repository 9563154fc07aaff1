"""Hostile input, the standard library beside ours: some minutes; then what is to complain about in ours.

::

    python -m benchmarks.hostile [--only gzip,deep] [--kinds standard,loop] [--write]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.hostile.answers import ANSWERS
from benchmarks.hostile.attacks import ATTACKS
from benchmarks.hostile.page import CLIENTS, SERVERS, page
from benchmarks.hostile.processes import ROOT
from benchmarks.hostile.runner import client, run_cell, run_client_cell, run_crowd_cell, server
from benchmarks.hostile.verdict import client_complaints, complaints, crowd_complaints

PAGE = ROOT / "docs" / "hostile-http.md"
CROWD = "slow"


def main(words: list[str] | None = None) -> int:
    """Run the cells; 1 if one of ours has something to complain about.

    Args:
        words: the command line; None for the program's own.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hostile", description="Hostile input over HTTP.")
    known = list(dict.fromkeys([*ATTACKS, CROWD, *ANSWERS]))
    parser.add_argument("--only", default=",".join(known), help=f"some of {', '.join(known)}, with commas")
    parser.add_argument("--kinds", help=f"some of {', '.join(dict.fromkeys([*SERVERS, *CLIENTS]))}")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    options = parser.parse_args(words)
    names = options.only.split(",")
    if unknown := [name for name in names if name not in known]:
        parser.error(f"there is no attack {unknown[0]!r}: they are {', '.join(known)}")
    kinds = options.kinds.split(",") if options.kinds else list(dict.fromkeys([*SERVERS, *CLIENTS]))
    if options.write and (options.kinds or set(names) != set(known)):
        parser.error("--write is for all of them")
    found = list(_cells(names, kinds))
    if options.write:
        groups = [
            [cell for cell, check in found if check is each]
            for each in (complaints, crowd_complaints, client_complaints)
        ]
        PAGE.write_text(page(*groups))
    told = [_well(cell, check) for cell, check in found]
    return 0 if all(told) else 1


def _cells(names: list[str], kinds: list[str]) -> Iterator[tuple[Any, Callable[..., Iterator[str]]]]:
    """Each as it is ready, and what judges it."""
    for name in names:
        for kind in kinds:
            if (
                name in ATTACKS
                and kind in SERVERS
                and not (ATTACKS[name].needs_json and kind in {"standard", "dropin"})
            ):
                with server(kind) as at:
                    yield _shown(run_cell(name, at)), complaints
            if name == CROWD and kind in SERVERS:
                with server(kind) as at:
                    yield _shown(run_crowd_cell(at)), crowd_complaints
            if name in ANSWERS and kind in CLIENTS:
                with client(kind) as who:
                    yield _shown(run_client_cell(name, who)), client_complaints


def _shown(cell: Any) -> Any:
    print(cell._replace(text=cell.text[:100]) if hasattr(cell, "text") else cell, flush=True)
    return cell


def _well(cell: Any, check: Callable[..., Iterator[str]]) -> bool:
    found = list(check(cell))
    if "standard" in cell or not found:
        return True
    print(f"{cell[0]} {cell[1]}: {', '.join(found)}")
    return False


if __name__ == "__main__":
    sys.exit(main())
