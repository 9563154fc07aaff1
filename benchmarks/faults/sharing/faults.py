"""All faults of processes and shared data, in the order of the page."""

from __future__ import annotations

from benchmarks.faults.sharing import data, locks, managers, processes, queues
from benchmarks.faults.sharing.kit import Fault

__all__ = ["FAULTS"]

FAULTS: tuple[Fault, ...] = (
    *processes.FAULTS,
    *queues.FAULTS,
    *locks.FAULTS,
    *data.FAULTS,
    *managers.FAULTS,
)
