"""The blocks of one sender: taken for a use, warm again for the next when that is over.

Rule: who sends owns the memory. A block is in use as long as its `Hold` lives, and everybody who needs it (a call that
is not over, a worker that has not given it back) keeps a reference to that; there is no other count.

A hold may end in any thread at any moment, in the middle of anything: its end only appends to a deque, in C, so that no
signal handler runs in between, and the next `take` looks there.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable

from elsewhere.runtime.memory import headroom
from elsewhere.runtime.memory.mapping import Mapping, make_block, supported

__all__ = ["Block", "Hold", "Store", "stores"]

SMALLEST = 1 << 16  # bytes of a block
LIMIT = 4000  # blocks of one sender; what is sent beyond that goes in the messages
WARM = 1 << 29  # bytes a store keeps for later at most; a sixteenth of the memory where that is less


class Block:
    """One piece of shared memory and its owner's view of it.

    Attributes:
        id: its name between the two ends; never given twice.
        fd: for receivers that do not know it yet; -1 once it is not needed.
        spoiled: a forked copy of a receiver still sees it, so that it cannot be used again.
    """

    __slots__ = ("__weakref__", "fd", "freed", "id", "mapping", "spoiled")

    def __init__(self, identity: int, size: int) -> None:
        self.fd = -1
        self.fd = make_block(size)
        self.id = identity
        self.mapping = Mapping(self.fd, size)
        self.spoiled = False
        self.freed = 0

    @property
    def size(self) -> int:
        """Bytes."""
        return self.mapping.size

    def close_fd(self) -> None:
        """Its only receiver has a descriptor of its own."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        self.close_fd()


class Hold:
    """One use of a block: alive as long as somebody needs what is in it."""

    __slots__ = ("__weakref__", "block")

    def __init__(self, block: Block) -> None:
        self.block = block

    def view(self) -> memoryview:
        """The whole block, to be written before it is sent."""
        return memoryview(self.block.mapping.exporter()).cast("B")


class _Use(weakref.ref[Hold]):
    """Tells the store that a hold has ended, and keeps the block meanwhile."""

    __slots__ = ("block",)
    block: Block


class Store:
    """The blocks of a pool, or of a worker.

    Args:
        one_receiver: all blocks go to the same process; their descriptors are closed once it has them.
        sharers: how many like it there are on this machine; together they keep as much memory warm as one alone.
    """

    def __init__(self, *, one_receiver: bool = False, sharers: int = 1) -> None:
        self.one_receiver = one_receiver
        self.look_for_returns: Callable[[], object] | None = None  # asked before new memory is taken
        self._sharers = sharers
        self._lock = threading.RLock()  # a collection of garbage in here may run the user's code, which may send
        self._next = 0
        self._count = 0
        self._clock = 0
        self._uses: dict[int, _Use] = {}
        self._ended: deque[_Use] = deque()
        self._free: dict[int, list[Block]] = {}
        self._warm = 0  # bytes in `_free`
        self._most_warm: int | None = None
        self._limit = LIMIT
        self._closed = not supported()
        stores.add(self)

    @property
    def blocks(self) -> int:
        """How many there are, in use or warm."""
        return self._count

    def take(self, size: int) -> Hold | None:
        """A block of at least `size` bytes; None if there are too many already.

        Raises:
            MemoryError: there is not enough memory; says the sizes.
        """
        if self._closed:
            return None
        size = size_class(size)
        with self._lock:
            self.collect()
            block = self._warm_one(size)
            if block is None and self.look_for_returns is not None:
                self.look_for_returns()
                self.collect()
                block = self._warm_one(size)
            if block is None:
                block = self._new(size)
                if block is None:
                    return None
            hold = Hold(block)
            use = _Use(hold, self._ended.append)
            use.block = block
            self._uses[id(use)] = use
            return hold

    def collect(self) -> None:
        """Make blocks whose holds have ended ready for the next use."""
        with self._lock:
            while True:
                try:
                    use = self._ended.popleft()
                except IndexError:
                    break
                if self._uses.pop(id(use), None) is None:
                    continue  # closed meanwhile
                block = use.block
                if block.spoiled:
                    self._count -= 1
                    continue
                self._clock += 1
                block.freed = self._clock
                self._free.setdefault(block.size, []).append(block)
                self._warm += block.size
            if self._warm > SMALLEST and self._warm > self._cap():
                self._trim(self._cap())

    def warm(self) -> list[Block]:
        """The blocks that nobody uses, kept for later."""
        self.collect()
        with self._lock:
            return [block for found in self._free.values() for block in found]

    def close(self) -> None:
        """No more is taken; blocks in use go when their holds end."""
        with self._lock:
            self._closed = True
            self._free.clear()
            self._uses.clear()
            self._ended.clear()
            self._warm = self._count = 0

    def _cap(self) -> int:
        if self._most_warm is None:
            self._most_warm = min(WARM, headroom.total() // 16 // self._sharers)
            self._limit = LIMIT if self.one_receiver else _descriptors()
        return self._most_warm

    def _warm_one(self, size: int) -> Block | None:
        """The block of about this size that was used last: its memory is in the caches."""
        for near in (size, size_class(size + 1), size_class(size + size // 8 + 1)):
            if found := self._free.get(near):
                self._warm -= near
                return found.pop()
        return None

    def _new(self, size: int) -> Block | None:
        self._cap()
        if self._count >= self._limit:
            self._trim(0)
            if self._count >= self._limit:
                return None
        try:
            headroom.require(size)
        except MemoryError:
            self._trim(0)
            headroom.require(size)
        self._next += 1
        try:
            block = Block(self._next, size)
        except MemoryError:
            raise
        except (OSError, ImportError):  # no more descriptors or mappings, or no ctypes: it goes in the message
            return None
        self._count += 1
        return block

    def _trim(self, most: int) -> None:
        """Let go of warm blocks, those first that were not used for longest."""
        while self._warm > most:
            size = min(
                (size for size, found in self._free.items() if found), key=lambda size: self._free[size][0].freed
            )
            block = self._free[size].pop(0)
            self._warm -= size
            self._count -= 1
            with contextlib.suppress(Exception):
                block.mapping.purge()


stores: weakref.WeakSet[Store] = weakref.WeakSet()  # of this process


def size_class(size: int) -> int:
    """Rounded up to one of eight sizes for each power of two, so that blocks fit again; all are whole pages."""
    if size <= SMALLEST:
        return SMALLEST
    step = 1 << (size - 1).bit_length() - 4
    return (size + step - 1) // step * step


def _descriptors() -> int:
    """How many blocks may keep a descriptor: a quarter of what the process may have."""
    import resource

    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return LIMIT if soft == resource.RLIM_INFINITY else max(1, min(LIMIT, soft // 4))
