"""What the benchmarks of rows and goals share: their command line, verdicts, and the environment of their peers."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["asked", "judged", "peers"]

ROOT = Path(__file__).resolve().parent.parent


def asked(
    name: str, description: str, *, quick: str, rows: Iterable[str], page: Path, words: list[str] | None
) -> tuple[argparse.ArgumentParser, argparse.Namespace, list[str]]:
    """The parser, its options, and the rows that are to be measured.

    Args:
        name: of the benchmark, as ``python -m benchmarks.NAME``.
        description: of it.
        quick: what --quick means.
        rows: all there are.
        page: what --write writes.
        words: the command line; None for the program's own.
    """
    known = list(rows)
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=description)
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--rows", default=",".join(known), help=f"some of {', '.join(known)}, with commas")
    parser.add_argument("--json", metavar="FILE", help="write the figures there, too")
    parser.add_argument("--write", action="store_true", help=f"write {page.relative_to(ROOT)}")
    options = parser.parse_args(words)
    names = options.rows.split(",")
    if unknown := [row for row in names if row not in known]:
        parser.error(f"there is no row {unknown[0]!r}: they are {', '.join(known)}")
    if options.write and set(names) != set(known):
        parser.error("--write is for all rows: a page has the figures of one run")
    return parser, options, names


def judged(found: Mapping[str, Any], goals: Iterable[Any]) -> int:
    """Print each goal; 1 if one was not reached, or could not be judged although its row was measured."""
    print()
    all_well = True
    for goal in goals:
        if goal.row in found:
            wanted, reached, well = goal.verdict(found[goal.row]) or (f"{goal.ours} is not measured", "", False)
            all_well = all_well and well
            print(f"{'well  ' if well else 'MISSED'}  {goal.row:14}  {wanted:75} {reached:>8}")
    return 0 if all_well else 1


def peers(python: Path, needed: Sequence[str], wished: Sequence[str]) -> None:
    """Make an environment for peers, from the registry, if it is missing; what does not install of the wished is said.

    Args:
        python: its interpreter, as it will be.
        needed: without these nothing is measured.
        wished: what may not install here.
    """
    ready = python.parent.parent / ".ready"
    if ready.exists():
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(python.parent.parent)], check=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *needed], check=True)
    for package in wished:
        if subprocess.run([*pip, package], check=False).returncode:
            print(f"{package} does not install here: it is left out of the comparison", file=sys.stderr)
    ready.touch()
