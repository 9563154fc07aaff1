"""The faults of processes and shared data that `make faults` makes a table of, for ours; and that a cell can tell.

Here each has a few rounds, under both start methods; `make faults` makes the rest.
"""

from __future__ import annotations

import pytest

from benchmarks.faults.sharing.faults import FAULTS
from benchmarks.faults.sharing.page import outcome, section
from benchmarks.faults.sharing.runner import LIBRARIES, Cell, complaints, run_cell

METHODS = ["forkserver", "spawn"]
ROUNDS = 5
NUMBERS = {f"{fault.group}, {fault.title}": number for number, fault in enumerate(FAULTS)}
# A hang takes the whole limit, and is the same under both methods.
PAIRS = [(title, method) for title, number in NUMBERS.items() for method in METHODS[: 1 if FAULTS[number].waits else 2]]


def cell_of(title, library, method="forkserver", rounds=ROUNDS):
    return run_cell(NUMBERS[title], library, method, rounds)


@pytest.mark.slow
@pytest.mark.parametrize(("title", "method"), PAIRS)
def test_who_is_left_goes_on_and_nothing_stays(title, method):
    assert list(complaints(cell_of(title, "elsewhere", method))) == []


# ---- multiprocessing shows that a cell can tell: what it comes to here is certain -----------------------------------


def as_ours(cell):
    return list(complaints(cell._replace(library="elsewhere")))


def test_a_hang_is_seen():
    cell = cell_of("Queue, reader killed while it waits", "multiprocessing")
    assert (cell.hung, cell.outcomes) == (True, {})
    assert outcome(cell) == "**hangs** in round 1 of 5"
    assert as_ours(cell) == ["it hung"]


def test_processes_that_stay_are_seen():
    cell = cell_of("Process, parent killed: no daemons", "multiprocessing", rounds=1)
    (name,) = cell.outcomes
    assert name.endswith("processes stay")
    assert as_ours(cell) == [f"in 1 of 1 rounds: {name}"]


def test_memory_that_stays_is_seen():
    cell = cell_of("Shared data, ndarray: all killed, helpers too", "multiprocessing", rounds=1)
    assert cell.outcomes == {"1 in /dev/shm stay": 1}
    assert outcome(cell) == "**1 in /dev/shm stay**"


def test_a_lock_that_stays_locked_is_seen():
    cell = cell_of("Shared data, Value: holder of its lock killed", "multiprocessing", rounds=1)
    assert as_ours(cell) == ["in 1 of 1 rounds: stays locked"]


def test_lost_items_are_seen():
    lost = "Queue, writer of 1,000 items killed when `put` has returned"
    assert cell_of(lost, "multiprocessing", rounds=1).outcomes == {"items are lost": 1}
    lost = "Manager, a client killed, Queue: who waits in `get`"
    # Unless the manager sees that the client has gone before it hears of the item, on a busy machine.
    assert any(cell_of(lost, "multiprocessing", rounds=1).outcomes == {"the item is lost": 1} for _ in range(10))


def test_a_fault_that_multiprocessing_has_nothing_for():
    cell = cell_of("Locks, `Lock(robust=True)`: holder killed", "multiprocessing")
    assert outcome(cell) == "has no such lock"


# ---- words -----------------------------------------------------------------------------------------------------------


def test_what_is_wrong_with_a_cell():
    number = NUMBERS["Process, child killed: `join`"]
    cell = Cell(number, "elsewhere", "spawn", 3, outcomes={"exit code -9": 2}, left=("1 processes",))
    assert list(complaints(cell)) == ["1 rounds were not made", "left behind: 1 processes"]
    assert list(complaints(cell._replace(library="multiprocessing"))) == []
    waits = next(number for number, fault in enumerate(FAULTS) if fault.waits and not fault.expected)
    assert list(complaints(Cell(waits, "elsewhere", "spawn", 1, outcomes={"join returns": 1}))) == [
        "it waits for nobody any more: say so in its row",
        "in 1 of 1 rounds: join returns",
    ]


def test_the_page_has_a_row_for_each_fault():
    cells = [
        Cell(number, library, "forkserver", 20, outcomes={"freed": 2, "stays locked": 1}, seconds=0.5, hung=True)
        for number in range(len(FAULTS))
        for library in LIBRARIES
    ]
    lines = section(cells).splitlines()
    said = "freed (2), **stays locked** (1), **hangs** in round 4 of 20"
    assert [line for line in lines if said in line] == [
        f"| {fault.title} | {said} | {said} |" for group in dict.fromkeys(f.group for f in FAULTS)
        for fault in FAULTS if fault.group == group
    ]  # fmt: skip
