"""A pickle whose large buffers lie in blocks: how it is made, and how it is opened.

Rule: layout only; which block goes to whom is `exchange`'s business.

::

    head    marker 0 (1 byte), flags (1), unused (2), buffers (4)
    refs    for each buffer: block (8), offset in it (8), bytes (8); block 0 is "behind the pickle"
    pickle  unless the first buffer is the pickle
    data    of the buffers that are in no block

Buffers of 1 MiB and more have a block of their own. Smaller ones share one, as one view that is kept keeps all that
shares its block; so do larger ones of a value that has very many, as a value never needs more than some twenty blocks.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Iterable, Sequence
from pickle import PickleBuffer
from typing import TYPE_CHECKING, Any

from elsewhere.runtime.memory.buffers import LARGE, MARKER

if TYPE_CHECKING:
    from elsewhere.runtime.memory.exchange import Exchange
    from elsewhere.runtime.memory.sharing import Constant
    from elsewhere.runtime.memory.store import Hold, Store

__all__ = ["READONLY", "SHARED", "Large", "Parcel", "inline", "pack", "refusal"]

HEAD = struct.Struct("=BBxxI")
REF = struct.Struct("=QQQ")
BODY, READONLY, SHARED = 1, 2, 4  # flags: the first buffer is the pickle; views are read-only; never copied out
ALONE = 1 << 20  # bytes of a buffer that has a block of its own
SHARES = 16  # ... unless the value has more than this many times as much
ALIGN = 64  # bytes; what a vectorized loop likes best


class Parcel(bytes):
    """The bytes of a message, and what must stay as long as it may be sent.

    Attributes:
        holds: the blocks it names.
        constants: the shared objects it refers to.
        weight: bytes of all its buffers.
        kept: the value, if it is opened several times and names something that lives only as long as somebody has it.
    """

    holds: tuple[Hold, ...] = ()
    constants: tuple[Constant, ...] = ()
    weight: int = 0
    kept: Any = None


def pack(store: Store, body: bytes, buffers: Sequence[PickleBuffer], flags: int = 0) -> Parcel:
    """Copy a value's buffers, and its pickle if that is large, into blocks.

    Raises:
        MemoryError: there is not enough memory; says the sizes.
    """
    views = [buffer.raw() for buffer in buffers]
    if len(body) >= LARGE:
        views.insert(0, memoryview(body))
        flags |= BODY
    refs: list[tuple[int, int, int]] = []
    holds: list[Hold] = []
    behind: list[memoryview] = []
    for group in _groups(views):
        offsets, size = _layout(group)
        hold = store.take(size)
        if hold is None:
            refs += [(0, 0, len(view)) for view in group]
            behind += group
            continue
        holds.append(hold)
        with hold.view() as memory:
            for offset, view in zip(offsets, group, strict=True):
                memory[offset : offset + len(view)] = view
        refs += [(hold.block.id, offset, len(view)) for offset, view in zip(offsets, group, strict=True)]
    parcel = Parcel(_join(flags, refs, b"" if flags & BODY else body, behind))
    parcel.holds = tuple(holds)
    parcel.weight = sum(map(len, views))
    return parcel


def inline(parcel: Parcel, missing: Iterable[Hold]) -> bytes:
    """The same message with the data of some blocks in it: they cannot be sent."""
    memory = {hold.block.id: hold.view() for hold in missing}
    flags, refs, at = _parse(memoryview(parcel))
    behind, moved = [], []
    end_of_body = len(parcel) - sum(length for block, _, length in refs if not block)
    body, at = parcel[at:end_of_body], end_of_body
    for block, offset, length in refs:
        if not block:
            behind.append(memoryview(parcel)[at : at + length])
            at += length
        elif block in memory:
            behind.append(memory[block][offset : offset + length])
            block = offset = 0
        moved.append((block, offset, length))
    return _join(flags, moved, body, behind)


def refusal(error: Exception) -> bytes:
    """A pickle that raises when it is loaded: for a call that turns out too late to be impossible to send."""
    return pickle.dumps(_Refusal(error), 5)


class Large:
    """A parcel that has arrived: its blocks are leased from now on, until the value's last view is gone.

    It is given back as well when it is never loaded. What fails here is raised by `load`, in the call.

    Args:
        exchange: where its blocks come from.
        data: the message; not used after `load`.
        copies: copy out what this process has no room to lease.
    """

    __slots__ = ("_body", "_buffers", "_error")

    def __init__(self, exchange: Exchange, data: memoryview, *, copies: bool = False) -> None:
        self._error: Exception | None = None
        self._body: Any = b""
        self._buffers: list[Any] = []
        try:
            self._open(exchange, data, copies)
        except Exception as error:  # noqa: BLE001 - descriptors or memory may be short: the call fails, not the process
            self._error = error
            self._buffers = []

    def _open(self, exchange: Exchange, data: memoryview, copies: bool) -> None:
        flags, refs, at = _parse(data)
        end_of_body = len(data) - sum(length for block, _, length in refs if not block)
        self._body = data[at:end_of_body]
        sizes: dict[int, int] = {}
        for block, _, length in refs:
            if block:
                sizes[block] = sizes.get(block, 0) + length
        leased = {block: memoryview(exchange.lease(block)).cast("B") for block in sizes}
        copies = copies and not flags & SHARED and bool(leased) and not exchange.has_room()
        at = end_of_body
        for number, (block, offset, length) in enumerate(refs):
            is_body = not number and flags & BODY
            if block:
                view = leased[block][offset : offset + length]
            else:
                view, at = data[at : at + length], at + length
            if is_body:
                self._body = view
            else:
                owned: Any = bytearray(view) if copies or not block else view
                self._buffers.append(memoryview(owned).toreadonly() if flags & READONLY else owned)

    def load(self, *, again: bool = False) -> Any:
        """The value; only once unless it may be loaded `again`.

        Raises:
            Exception: what loading it, or mapping its blocks, raised.
        """
        if self._error is not None:
            raise self._error
        body, buffers = self._body, self._buffers
        if not again:
            self._body, self._buffers = b"", []
        return pickle.loads(body, buffers=buffers)


def _groups(views: list[memoryview]) -> Iterable[list[memoryview]]:
    """Which buffers share a block, in order."""
    alone = max(ALONE, sum(map(len, views)) // SHARES)
    group: list[memoryview] = []
    size = 0
    for view in views:
        if group and size + len(view) > alone:
            yield group
            group, size = [], 0
        group.append(view)
        size += len(view)
    if group:
        yield group


def _layout(group: list[memoryview]) -> tuple[list[int], int]:
    """Where each lies in the block, and the block's size."""
    offsets, at = [], 0
    for view in group:
        offsets.append(at)
        at += (len(view) + ALIGN - 1) // ALIGN * ALIGN
    return offsets, at


def _join(flags: int, refs: list[tuple[int, int, int]], body: bytes, behind: Sequence[memoryview]) -> bytes:
    head = HEAD.pack(MARKER, flags, len(refs))
    return b"".join([head, *(REF.pack(*ref) for ref in refs), body, *behind])


def _parse(data: memoryview) -> tuple[int, list[tuple[int, int, int]], int]:
    """Flags, references, and where the pickle begins."""
    _, flags, count = HEAD.unpack_from(data)
    at = HEAD.size + count * REF.size
    return flags, list(REF.iter_unpack(data[HEAD.size : at])), at


class _Refusal:
    """Raises when it is loaded."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __reduce__(self) -> Any:
        return _refuse, (self._error,)


def _refuse(error: Exception) -> Any:
    raise error
