"""All groups, in the order of the page."""

from __future__ import annotations

from benchmarks import managers, process
from benchmarks.sharing import arrays, locks, pipes, queues, values
from benchmarks.sharing.rows import Group

__all__ = ["GROUPS"]

GROUPS: tuple[Group, ...] = (
    process.GROUP,
    queues.GROUP,
    pipes.GROUP,
    locks.GROUP,
    values.GROUP,
    arrays.GROUP,
    managers.GROUP,
)
