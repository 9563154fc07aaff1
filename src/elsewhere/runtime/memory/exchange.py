"""One end of the traffic in blocks between a pool and a worker: what was lent to the other, what was borrowed from it.

Rule: both ends are alike. Descriptors go over a socket of their own, before the message that names their block goes
over the other; whoever meets a block it does not know finds it there.

::

    owner                                         receiver
    lend: descriptor, once ──── side socket ────> lease: map it, once
    message that names the block ───────────────> views ... the last one is gone
    hold is let go of  <─────── news: RELEASE ─── settle
    block is given up  ──────── news: DROP ─────> unmap

News are words (block << 2 | what) that go along with the next frame.
"""

from __future__ import annotations

import os
import socket
import weakref
from array import array
from collections import deque
from typing import Any

from elsewhere.errors import ProtocolError
from elsewhere.runtime.memory.lease import Borrowed, Leases, admit
from elsewhere.runtime.memory.mapping import Mapping
from elsewhere.runtime.memory.parcel import Large, Parcel, inline, pack, refusal
from elsewhere.runtime.memory.store import Block, Hold, Store
from elsewhere.sansio.frames import LARGEST

__all__ = ["Exchange"]

RELEASE, SPOILED, DROP = 0, 1, 2  # of a receiver: given back, given back but never to be used again; of an owner
NAME = 16  # bytes beside a descriptor: the block, and its size


class _Known(weakref.ref[Block]):
    """A block that the other end has; tells when it is given up here."""

    __slots__ = ("id",)
    id: int


class Exchange:
    """One end.

    Args:
        side: the socket for descriptors, its own from now on.
        store: where this end's blocks come from.
    """

    def __init__(self, side: socket.socket, store: Store) -> None:
        self.side = side
        self.store = store
        self.leases = Leases()
        self._known: dict[int, _Known] = {}
        self._given_up: deque[_Known] = deque()
        self._lent: dict[int, list[Hold]] = {}

    # ---- to the other end ----------------------------------------------------------------------------------------

    def pack(self, body: bytes, buffers: Any = ()) -> bytes:
        """A message for the other end, its blocks lent.

        Raises:
            MemoryError: there is not enough memory; says the sizes.
        """
        return self.lend(pack(self.store, body, buffers))

    def lend(self, parcel: Parcel) -> bytes:
        """The message as it can be sent: a block that cannot be lent now goes along in it. Never blocks."""
        missing = [hold for hold in parcel.holds if not self._send(hold.block)]
        for hold in parcel.holds:
            if hold not in missing:
                self._lent.setdefault(hold.block.id, []).append(hold)
        if not missing:
            return bytes(parcel)
        if parcel.weight > LARGEST - (1 << 20):
            return refusal(MemoryError(f"{parcel.weight:,} bytes could not be sent: too many descriptors are in use"))
        return inline(parcel, missing)

    def _send(self, block: Block) -> bool:
        """Let the other end have the block; False if there is no room for its descriptor."""
        if block.id in self._known:
            return True
        if block.fd < 0:
            return False
        name = block.id.to_bytes(8, "little") + block.size.to_bytes(8, "little")
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [block.fd]))
        try:
            self.side.sendmsg([name], [rights], socket.MSG_DONTWAIT)  # socket.send_fds would drop the flag
        except OSError:  # full; or the other end is gone, and the message goes nowhere either
            return False
        known = self._known[block.id] = _Known(block, self._given_up.append)
        known.id = block.id
        if self.store.one_receiver:
            block.close_fd()
        return True

    # ---- from the other end --------------------------------------------------------------------------------------

    def open(self, data: memoryview | bytes, *, copies: bool = False) -> Large:
        """A message from the other end."""
        return Large(self, memoryview(data), copies=copies)

    def lease(self, block: int) -> Any:
        """An exporter of a block of the other end's.

        Raises:
            OSError, ProtocolError: the block cannot be had.
        """
        while block not in self.leases.known:
            self._receive(block)
        return self.leases.lease(block)

    def has_room(self) -> bool:
        """May what was leased last stay leased?"""
        self.leases.settle()
        return admit(0, 0)

    def _receive(self, wanted: int) -> None:
        """Take the next descriptor from the side socket."""
        flags = socket.MSG_DONTWAIT | getattr(socket, "MSG_CMSG_CLOEXEC", 0)
        try:
            name, ancillary, _, _ = self.side.recvmsg(NAME, socket.CMSG_LEN(4), flags)  # recv_fds drops flags
        except BlockingIOError:
            name, ancillary = b"", []
        if len(name) < NAME:
            raise ProtocolError(f"block {wanted} was named before it was sent, or could not be mapped when it came")
        block, size = int.from_bytes(name[:8], "little"), int.from_bytes(name[8:], "little")
        fds = array("i", b"".join(rights for _, _, rights in ancillary))
        if not fds:
            raise OSError(f"a block of {size:,} bytes came, but this process has no descriptor left for it")
        try:
            self.leases.known[block] = Borrowed(Mapping(fds[0], size))
        finally:
            os.close(fds[0])

    # ---- news ----------------------------------------------------------------------------------------------------

    def news(self) -> bytes:
        """What the other end is to know now; mostly nothing."""
        leases = self.leases
        if not leases.ended and not leases.over and not self._given_up:
            return b""
        leases.settle()
        words = array("Q", [block << 2 | (SPOILED if spoiled else RELEASE) for block, spoiled in leases.over])
        leases.over.clear()
        while self._given_up:
            known = self._given_up.popleft()
            if self._known.pop(known.id, None) is not None:
                words.append(known.id << 2 | DROP)
        return words.tobytes()

    def hear(self, news: memoryview | bytes) -> None:
        """What the other end has to say."""
        for word in array("Q", bytes(news)):
            block, what = word >> 2, word & 3
            if what == DROP:
                self.leases.drop(block)
            elif holds := self._lent.get(block):
                if what == SPOILED:
                    holds[-1].block.spoiled = True
                holds.pop()
                if not holds:
                    del self._lent[block]

    def close(self) -> None:
        """The other end is certainly gone: it gives everything back."""
        self.side.close()
        self._lent.clear()
        self._known.clear()
        self.leases.close()
