"""Where small things lie: pieces of a block that is filled from the front.

Rule: no place is given twice. Who frees a place cannot know who else still looks at it, in which process, so a block
goes as a whole, when nobody has any piece of it. multiprocessing's heap uses a place again as soon as its creator has
dropped it, even while a worker writes to it.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any

from elsewhere.errors import ProtocolError
from elsewhere.shared.block import Block

__all__ = ["Piece", "take"]

BLOCK = 1 << 16  # bytes that small pieces share; one descriptor for eight hundred values with their locks
LARGE = BLOCK // 4  # bytes from which a piece has a block of its own
ALIGN = 16  # bytes; a long double's


class Piece:
    """So many bytes of a block; stands for multiprocessing's BufferWrapper.

    Args:
        block: where it lies.
        offset: where in it.
        size: bytes.

    Raises:
        ProtocolError: they do not lie in it.
    """

    __slots__ = ("block", "offset", "size")

    def __init__(self, block: Block, offset: int, size: int) -> None:
        if type(block) is not Block or offset < 0 or size < 0 or offset % ALIGN or offset + size > block.size:
            raise ProtocolError("a handle names bytes that do not lie in its shared memory: it was forged or damaged")
        self.block = block
        self.offset = offset
        self.size = size

    def create_memoryview(self) -> memoryview:
        """The bytes, writable; what is made from it keeps the block."""
        return memoryview(self.block.exporter()).cast("B")[self.offset : self.offset + self.size]

    def __reduce__(self) -> Any:
        return Piece, (self.block, self.offset, self.size)


_lock = threading.RLock()
_block: weakref.ref[Block] | None = None  # the one that is being filled; it goes with its last piece
_filled = 0


def take(size: int) -> Piece:
    """New bytes, all zero.

    Raises:
        MemoryError: there is not enough memory; says the sizes.
    """
    global _block, _filled
    if size >= LARGE:
        return Piece(Block.new(size), 0, size)
    with _lock:
        step = max(1, -(-size // ALIGN)) * ALIGN  # also nothing has a place of its own
        while True:  # a collection of garbage in here may run the user's code, which may come here
            block = None if _block is None else _block()
            if block is not None and _filled + size <= block.size:
                offset = _filled
                _filled = offset + step
                return Piece(block, offset, size)
            fresh = Block.new(BLOCK)
            _block, _filled = weakref.ref(fresh), 0


def _forked() -> None:
    """In a forked copy: the parent goes on filling that block."""
    global _lock, _block
    _lock = threading.RLock()
    _block = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
