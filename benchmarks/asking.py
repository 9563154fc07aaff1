"""What the benchmarks of rows and goals share: command line, rows, page, verdicts, and the peers' environment."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.pages import shown

__all__ = ["asked", "judged", "kept", "measured", "peers"]

F = TypeVar("F", bound=Mapping[str, Any])
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


def measured(names: Iterable[str], rows: Mapping[str, Callable[..., F]], *given: Any, width: int = 40) -> dict[str, F]:
    """The figures of these rows, each shown when it is there.

    Args:
        names: of the rows, in order.
        rows: what measures them.
        given: to each row.
        width: of the names that stand before the figures.
    """
    found: dict[str, F] = {}
    for name in names:
        print(f"\n{name}: {(rows[name].__doc__ or '').strip()}", flush=True)
        found[name] = rows[name](*given)
        for who, figure in found[name].items():
            print(f"  {who:{width}} {shown(figure):>10}", flush=True)
    return found


def kept(options: argparse.Namespace, found: Mapping[str, Any], page: Path, text: Callable[[], str]) -> None:
    """Write what ``--json`` and ``--write`` ask for: the figures, and the page, whose text is made of them."""
    if options.json:
        Path(options.json).write_text(json.dumps(found, indent=1))
    if options.write:
        page.write_text(text())


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
