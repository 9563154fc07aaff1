"""Run all cells, then chaos and residue, and print the page or write it to docs/faults.md: `make faults`.

    python -m benchmarks.faults [--write] [--library NAME] [--cells-only] [--quick]

Some 300 cells of at most 5 s each, two at a time: ten to fifteen minutes. Ends with status 1 if a call of ours hung, if
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
from benchmarks.faults.table import detail, page
from benchmarks.faults.verdict import complaints
from tests import leaks
from tests.faults.helpers import ROOT

SEED = 20_240


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description="Named crashes, side by side.")
    parser.add_argument("--write", action="store_true", help="write docs/faults.md instead of printing it")
    parser.add_argument("--library", action="append", choices=list(LIBRARIES), help="only this one (repeatable)")
    parser.add_argument("--cells-only", action="store_true", help="neither chaos nor residue")
    parser.add_argument("--quick", action="store_true", help="a tenth of chaos and residue")
    options = parser.parse_args()
    leaks.mark_children()
    begin = time.monotonic()

    def report(cell: Cell) -> None:
        elapsed = time.monotonic() - begin
        print(f"{elapsed:6.0f} s  {cell.library:22} {cell.fault:20} {cell.way:15} {detail(cell)}", file=sys.stderr)

    names = options.library or list(LIBRARIES)
    cells = run_cells([(fault, name, way) for fault in FAULTS for name in names for way in WAYS], report)
    wrong = [f"{cell.fault}, {cell.way}: {text}" for cell in cells for text in complaints(cell)]
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
    text = page(cells, findings)
    if options.write:
        (ROOT / "docs" / "faults.md").write_text(text)
    else:
        print(text)
    print(*(f"WRONG  {line}" for line in wrong), sep="\n", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
