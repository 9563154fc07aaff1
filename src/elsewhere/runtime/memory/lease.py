"""Blocks that others sent: mapped once, leased out for each use, given back when the last view of a use is gone.

Rule: a lease ends in any thread at any moment, in the middle of anything: its end only appends to a deque, in C.
Whoever sends next looks there.

A lease is known by its *exporter*, the one object whose buffer all views of a use are made from, however deep: an
array, its slices and its transpose keep the exporter, not each other.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from typing import Any

from elsewhere.runtime.memory import headroom
from elsewhere.runtime.memory.mapping import Mapping

__all__ = ["Borrowed", "Leases", "admit", "senders"]

MOST_BLOCKS = 4000  # live leases of this process; results beyond that are copied out
_forks = 0  # a copy of this process sees what was leased before it was made, for as long as it likes


class Lease(weakref.ref[Any]):
    """One use of a block."""

    __slots__ = ("block", "forks", "size")
    block: int
    forks: int
    size: int


class Borrowed:
    """A block as its receiver knows it."""

    __slots__ = ("mapping", "uses")

    def __init__(self, mapping: Mapping) -> None:
        self.mapping = mapping
        self.uses = 0


class Leases:
    """The blocks of one sender, in the process that receives them."""

    def __init__(self) -> None:
        self.known: dict[int, Borrowed] = {}
        self.ended: deque[Lease] = deque()
        self.over: list[tuple[int, bool]] = []  # block, and whether it must not be used again
        self._leases: dict[int, Lease] = {}
        senders.add(self)

    @property
    def live(self) -> int:
        """How many leases have not ended."""
        return len(self._leases)

    def lease(self, block: int) -> Any:
        """A new exporter of a block that is known."""
        borrowed = self.known[block]
        exporter = borrowed.mapping.exporter()
        lease = Lease(exporter, self.ended.append)
        lease.block, lease.size, lease.forks = block, borrowed.mapping.size, _forks
        self._leases[id(lease)] = lease
        borrowed.uses += 1
        _count(1, lease.size)
        return exporter

    def settle(self) -> None:
        """Note which leases have ended, in `over`."""
        while True:
            try:
                lease = self.ended.popleft()
            except IndexError:
                return
            if self._leases.pop(id(lease), None) is None:
                continue
            _count(-1, -lease.size)
            borrowed = self.known.get(lease.block)
            spoiled = lease.forks != _forks
            if borrowed is not None:
                borrowed.uses -= 1
                if spoiled and not borrowed.uses:
                    del self.known[lease.block]
            self.over.append((lease.block, spoiled))

    def drop(self, block: int) -> None:
        """Its owner has given the block up."""
        self.known.pop(block, None)

    def close(self) -> None:
        """The sender is gone. What is leased stays until its last view is gone."""
        self.known.clear()
        self.settle()
        self.over.clear()
        if self._leases:
            _closed.append(self)


senders: weakref.WeakSet[Leases] = weakref.WeakSet()  # of this process
_lock = threading.RLock()
_blocks = _bytes = 0
_closed: list[Leases] = []


def _count(blocks: int, size: int) -> None:
    global _blocks, _bytes
    with _lock:
        _blocks += blocks
        _bytes += size


def admit(blocks: int, size: int) -> bool:
    """May this process lease so much more? Otherwise its results are copied into memory of its own."""
    with _lock:
        for leases in list(_closed):
            leases.settle()
            leases.over.clear()
            if not leases.live:
                _closed.remove(leases)
        return _blocks + blocks <= MOST_BLOCKS and _bytes + size <= headroom.total() // 4


def _forked() -> None:
    global _forks
    _forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_forked)
