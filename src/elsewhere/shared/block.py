"""One piece of anonymous shared memory: made here, or opened by the handle that another process has pickled.

Rule: a block is mapped once in a process and has one descriptor there, however many views there are of it. All views
are made from exporters, each exporter keeps its block, and with the last one memory and descriptor go.

A handle says: descriptor 7 of process 1234, which is called so (a random token), with that inode and so many bytes.
Whoever opens it looks that it is just that: an anonymous file of this kind, of the same user, and sealed, so that
nobody can make it shorter under our feet and have us killed by SIGBUS. A process that has opened a handle sends its own
pid and descriptor on, and needs the creator no more.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import threading
import weakref
from typing import Any

from elsewhere.errors import ProtocolError
from elsewhere.runtime.memory import headroom
from elsewhere.runtime.memory.mapping import Mapping, _loaded, supported
from elsewhere.runtime.passing import opening, receipts
from elsewhere.runtime.passing.descriptors import Descriptor

__all__ = ["Block", "attach"]

NAME = "elsewhere-block-shared-"  # and the token: what /proc shows of it
SEALS = opening.LEAST | getattr(fcntl, "F_SEAL_GROW", 0)
WORDS = opening.Words(
    what="shared memory",
    gone="shared memory is gone: process {pid}, which pickled it, has ended or let go of it before it was opened here",
    cure="Keep the array in that process until it was opened, or send it on from a process that has it",
    fewer="each shared array takes one, small values share one. "
    "Let go of some, share one large array and slices of it, or raise the limit (ulimit -n)",
)
ASK = 1 << 20  # bytes of new blocks after which the system is asked how much memory it has


class _Lazy(Mapping):
    """As `Mapping`, but pages are looked up when they are touched: mapping a gigabyte takes no time."""

    __slots__ = ()

    def __init__(self, fd: int, size: int) -> None:
        self.size = size
        self.address = 0
        self._system = _loaded()
        address = self._system.mmap(None, size, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED, fd, 0)
        if address is None or address == 2**64 - 1 or address == 2**32 - 1:
            error = self._system.errno()
            raise OSError(error, f"cannot map {size:,} bytes of shared memory: {os.strerror(error)}")
        self.address = address


class Block:
    """Shared memory in this process.

    Args:
        descriptor: the anonymous file.
        size: its bytes.
        token: what it is called.
    """

    __slots__ = ("__weakref__", "descriptor", "mapping", "token")

    def __init__(self, descriptor: Descriptor, size: int, token: str) -> None:
        self.descriptor = descriptor
        self.mapping = _Lazy(descriptor.fd, size)
        self.token = token
        descriptor.user = weakref.ref(self, receipts.orphaned)
        _known[token] = self
        _open_files[token] = descriptor

    @classmethod
    def new(cls, size: int) -> Block:
        """Zeros, at least `size` bytes of them; all of it is really there.

        Raises:
            MemoryError: there is not enough memory; says the sizes.
            OSError: no more descriptors, or this system has no such memory.
        """
        if not supported() or not SEALS:
            raise OSError(
                errno.ENOSYS, "elsewhere.shared needs Linux's anonymous shared memory (memfd), not found here"
            )
        size = max(1, -(-size // mmap.PAGESIZE)) * mmap.PAGESIZE
        _require(size)
        token = os.urandom(16).hex()
        own = _make(size, NAME + token)
        with _lock:
            return cls(own, size, token)

    @property
    def size(self) -> int:
        """Bytes."""
        return self.mapping.size

    @property
    def address(self) -> int:
        """Where it is mapped."""
        return self.mapping.address

    def exporter(self) -> Any:
        """A new object whose buffer is the whole block, and which keeps it."""
        exporter = self.mapping.exporter()
        exporter.block = self
        return exporter

    def __reduce__(self) -> Any:
        own = self.descriptor
        return attach, (self.token, own.fd, self.size, own.inode, *receipts.ticket(own))


_known: weakref.WeakValueDictionary[str, Block] = weakref.WeakValueDictionary()  # of this process, by token
_open_files: weakref.WeakValueDictionary[str, Descriptor] = weakref.WeakValueDictionary()  # also of what is on its way
_unasked = 0  # bytes of small blocks
_lock = threading.RLock()


def attach(token: str, fd: int, size: int, inode: int, *sender: int) -> Block:
    """The block that a handle means: what its pickle calls.

    Raises:
        FileNotFoundError: the process that pickled it is gone, or has let go of it.
        PermissionError: that process's descriptors are not ours to see.
        ProtocolError: what is there is not what the handle says.
    """
    ticket = opening.checked((fd, size, inode), sender, WORDS, token)
    if size % mmap.PAGESIZE:
        raise ProtocolError(f"shared memory of process {ticket.pid} is not what its handle says: the handle was forged")
    with _lock:
        block = _known.get(token)
        if block is None:
            own, meant = _open_files.get(token), opening.memory(NAME + token, inode, size=size, seals=SEALS)
            if own is None:
                own = Descriptor(opening.reopen(ticket, fd, meant, WORDS))
            else:
                opening.compare(own.fd, meant, f"shared memory of process {ticket.pid}")
            block = Block(own, size, token)
        elif block.size != size:
            raise ProtocolError(f"a handle says that {block.size:,} bytes of shared memory are {size:,}: it was forged")
    receipts.give(ticket)
    return block


def _require(size: int) -> None:
    """Is there so much memory? Small blocks are asked for together, as asking takes longer than making one."""
    global _unasked
    wanted = _unasked + size
    if wanted >= ASK:
        try:
            headroom.require(wanted)
        except MemoryError:
            receipts.forget()
            headroom.require(max(size, ASK))
        wanted = 0
    _unasked = wanted


def _make(size: int, name: str) -> Descriptor:
    """New sealed memory."""
    try:
        own = Descriptor(os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING))
    except OSError as error:
        raise opening.explained(error, WORDS) from None
    try:
        os.posix_fallocate(own.fd, 0, size)
    except OSError as error:
        raise MemoryError(f"the system has no {size:,} bytes of shared memory: {error}") from error
    fcntl.fcntl(own.fd, fcntl.F_ADD_SEALS, SEALS)
    return own


def _forked() -> None:
    """In a forked copy: another thread of the parent may have had the lock."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
