"""The cells that `make faults` makes a table of, for our own pool; and that a cell can tell a bad pool from a good one.

Each fault is met in two of the five ways, each way in five or more of the faults; `make faults` does the rest.
"""

from __future__ import annotations

import itertools

import pytest

from benchmarks.faults.guilty import CALLS, FAULTS
from benchmarks.faults.libraries import LIBRARIES, WAYS
from benchmarks.faults.runner import Cell, run_cell
from benchmarks.faults.table import page
from benchmarks.faults.verdict import complaints

LOST = "elsewhere.errors.WorkerLost"
PAIRS = [
    (fault, way)
    for fault, ways in zip(FAULTS, itertools.cycle([WAYS[:2], WAYS[2:4], (WAYS[4], WAYS[0]), WAYS[1:3], WAYS[3:]]))
    for way in ways
]


@pytest.mark.parametrize(("fault", "way"), PAIRS)
def test_nothing_hangs_and_nothing_is_lost_but_the_guilty_call(fault, way):
    assert list(complaints(run_cell(fault, "elsewhere", way))) == []


@pytest.mark.parametrize("way", ["submit", "map"])
def test_a_pool_that_never_tells_is_seen_to_hang(way):
    cell = run_cell("sigkill", "tests.faults.broken:NeverTells", way)
    assert cell.hung
    assert cell.seen == ""
    assert "it hung" in complaints(cell)


def test_a_pool_that_loses_another_call_is_seen():
    cell = run_cell("sigkill", "tests.faults.broken:TakesAnother", "map")
    assert (cell.seen, cell.lost, cell.others) == (LOST, 1, {"value": CALLS - 2, LOST: 1})
    (complaint,) = complaints(cell)
    assert complaint.startswith("1 calls were lost that were not guilty")


def test_a_pool_that_leaves_a_process_is_seen():
    cell = run_cell("caller", "tests.faults.broken:LeavesProcesses", "submit")
    assert (cell.hung, cell.left) == (True, 1)
    assert "it hung" in complaints(cell)


def test_a_wrong_error_is_a_complaint():
    assert list(complaints(Cell("sigkill", "elsewhere", "map", seen="KeyError", text="7", others={"value": 19}))) == [
        "the guilty call ended with KeyError (7)"
    ]


def test_the_page_names_hangs_and_losses():
    cells = [
        Cell("sigkill", name, way, seen=LOST, seconds=0.25, others={"value": 12, "nothing": 7}, hung=way == "map")
        for name in LIBRARIES
        for way in WAYS
    ]
    lines = page(cells, ["Chaos: fine."]).splitlines()
    assert "| SIGKILL |" + " **hangs** in map; `WorkerLost`, 0.25 s; loses 7 of 19 |" * len(LIBRARIES) in lines
    assert "| SIGKILL | map |" + " hangs: `WorkerLost`, 0.250 s; 12 values, 7 nothing |" * len(LIBRARIES) in lines
    assert "- Chaos: fine." in lines
