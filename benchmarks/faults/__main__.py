"""Run all cells, then chaos and residue, and print the page or write it to docs/faults.md: `make faults`.

    python -m benchmarks.faults [--write] [--set pools|shared] [--library NAME] [--cells-only] [--quick]

Some 300 cells of pools of at most 5 s each, two at a time, and 160 of processes and shared data: fifteen to twenty
minutes. Where only one set is run, what the page says of the other stays. Ends with status 1 if a call of ours hung, if
more was lost than the guilty call, or if anything was left behind.
"""

from __future__ import annotations

import argparse
import sys
import time

from benchmarks.faults import chaos, residue
from benchmarks.faults.guilty import FAULTS
from benchmarks.faults.libraries import LIBRARIES, WAYS
from benchmarks.faults.runner import Cell, run_cells
from benchmarks.faults.sharing import page as sharing_page
from benchmarks.faults.sharing import runner as sharing_runner
from benchmarks.faults.sharing.faults import FAULTS as SHARING_FAULTS
from benchmarks.faults.table import detail, page
from benchmarks.faults.verdict import complaints
from tests import leaks
from tests.faults.helpers import ROOT

SEED = 20_240
PAGE = ROOT / "docs" / "faults.md"
SETS = ("pools", "shared")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description="Named crashes, side by side.")
    parser.add_argument("--write", action="store_true", help="write docs/faults.md instead of printing it")
    parser.add_argument("--set", choices=SETS, help="only pools, or only processes and shared data")
    parser.add_argument("--library", action="append", choices=list(LIBRARIES), help="only this one (repeatable)")
    parser.add_argument("--cells-only", action="store_true", help="neither chaos nor residue")
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of chaos and residue; at most 3 rounds of a fault"
    )
    return parser.parse_args()


def main() -> int:
    options = arguments()
    leaks.mark_children()
    wrong: list[str] = []
    parts = dict(zip(SETS, kept(), strict=True))
    if options.set != "shared":
        parts["pools"] = pools(options, wrong)
    if options.set != "pools":
        parts["shared"] = shared(options, wrong)
    text = "\n".join(part for part in parts.values() if part)
    if options.write:
        PAGE.write_text(text)
    else:
        print(text)
    print(*(f"WRONG  {line}" for line in wrong), sep="\n", file=sys.stderr)
    return 1 if wrong else 0


def kept() -> tuple[str, str]:
    """What the page says now of pools, and of the rest."""
    before, heading, after = PAGE.read_text().partition(f"\n{sharing_page.HEADING}\n")
    return before, heading.removeprefix("\n") + after


def pools(options: argparse.Namespace, wrong: list[str]) -> str:
    """The page's part about pools."""
    begin = time.monotonic()

    def report(cell: Cell) -> None:
        elapsed = time.monotonic() - begin
        print(f"{elapsed:6.0f} s  {cell.library:22} {cell.fault:20} {cell.way:15} {detail(cell)}", file=sys.stderr)

    names = options.library or list(LIBRARIES)
    cells = run_cells([(fault, name, way) for fault in FAULTS for name in names for way in WAYS], report)
    wrong += [f"{cell.fault}, {cell.way}: {text}" for cell in cells for text in complaints(cell)]
    findings = []
    if not options.cells_only:
        share = 10 if options.quick else 1
        for way in chaos.WAYS:
            found = chaos.run(way, 10_000 // share, 500 // share, SEED)
            findings.append(found.in_words())
            wrong += found.wrong
        left = residue.run(100 // share, SEED)
        findings.append(left.in_words())
        wrong += left.left
        print(*findings, sep="\n", file=sys.stderr)
    return page(cells, findings)


def shared(options: argparse.Namespace, wrong: list[str]) -> str:
    """The page's part about processes and shared data."""
    begin = time.monotonic()

    def report(cell: sharing_runner.Cell) -> None:
        fault = SHARING_FAULTS[cell.number]
        elapsed, said = time.monotonic() - begin, sharing_page.outcome(cell)
        print(f"{elapsed:6.0f} s  {cell.library:16} {fault.group}: {fault.title}: {said}", file=sys.stderr)

    names = [name for name in sharing_runner.LIBRARIES if not options.library or name in options.library]
    keys = [(number, name, "forkserver") for number in range(len(SHARING_FAULTS)) for name in names]
    cells = sharing_runner.run_cells(keys, report, 3 if options.quick else None)
    for cell in cells:
        fault = SHARING_FAULTS[cell.number]
        wrong += [f"{fault.group}, {fault.title}: {text}" for text in sharing_runner.complaints(cell)]
    return sharing_page.section(cells)


if __name__ == "__main__":
    sys.exit(main())
