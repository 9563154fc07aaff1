"""What is promised of our own cells, and what of it a cell does not keep.

Rule: one place says it, for the tests and for `make faults`.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.faults.guilty import CALLS
from benchmarks.faults.runner import Cell

__all__ = ["EXPECTED", "complaints"]

LOST, REMOTE = "elsewhere.errors.WorkerLost", "elsewhere.errors.RemoteError"
LATE, UNSTARTED = "elsewhere.errors.CallTimeout", "elsewhere.errors.WorkerStartError"

EXPECTED = {
    "sigkill": {LOST},
    "sigsegv": {LOST},
    "os_exit": {LOST},
    "init_always": {UNSTARTED},
    "init_once": {"value"},
    "mid_reply": {LOST, "value"},  # killed at whatever byte: it is lost, or whole
    "raise_unpicklable": {REMOTE},
    "raise_unloadable": {REMOTE},
    "return_unpicklable": {"elsewhere.runtime.compat.MaybeEncodingError"},
    "endless": {LATE},
    "sigstop": {LATE},
    "server": {LOST},
    "caller": {"all processes gone"},
}
BESIDE_SERVER = 1  # the call in the other worker, which dies with the fork server too


def _may_be_lost(cell: Cell) -> int:
    """How many calls beside the guilty one may be lost."""
    if cell.fault == "server":
        return BESIDE_SERVER
    # A reply through shared memory waits for nobody: where it is whole, the blow fell on the call that came after it.
    return 1 if cell.fault == "mid_reply" and cell.seen == "value" else 0


def complaints(cell: Cell) -> Iterator[str]:
    """What is wrong with a cell of ours; nothing for a peer's."""
    if cell.library in {"multiprocessing.Pool", "ProcessPoolExecutor", "loky", "pebble"}:
        return
    if cell.hung:
        yield "it hung"
    if cell.seen not in EXPECTED[cell.fault]:
        yield f"the guilty call ended with {cell.seen or 'nothing'} ({cell.text})"
    if cell.fault == "init_always":
        if cell.others not in ({UNSTARTED: CALLS - 1}, {"nothing": CALLS - 1}):  # a map raises once, for all
            yield f"the others ended with {cell.others}"
    elif cell.lost > _may_be_lost(cell):
        yield f"{cell.lost} calls were lost that were not guilty: {cell.others}"
