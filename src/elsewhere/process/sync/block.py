"""A page of anonymous shared memory, and how it travels to other processes.

Rule: who opens a block looks at what it has opened before it believes it, and nobody locks the descriptor by which it
travels: it may be anywhere (see `robust.py`, which locks one of its own).

A block travels as (process, descriptor, identity): any process of the same user may open ``/proc/<pid>/fd/<n>`` while
the sender has it. While multiprocessing starts a process the descriptor itself goes along, and the sender is not needed
any more.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from multiprocessing import reduction
from multiprocessing.context import get_spawning_popen
from typing import Any

from elsewhere.runtime.memory.mapping import Mapping

__all__ = ["SIZE", "Block", "keep_apart"]

SIZE = 4096  # bytes: the words of a queue, or some sixty semaphores
NONCE = 2  # words at the beginning that are random: inode numbers are used again
Identity = tuple[int, int, bytes]  # device, inode, nonce

_known: weakref.WeakValueDictionary[Identity, Block] = weakref.WeakValueDictionary()
_forked: weakref.WeakSet[Any] = weakref.WeakSet()


class Block:
    """One page that this process has open and mapped.

    Attributes:
        fd: the file; beyond the page it may hold as much as one likes.
        words: the page as integers of 8 bytes; whoever holds it keeps the memory mapped.
        address: where the page is.
    """

    __slots__ = ("__weakref__", "address", "fd", "identity", "words")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        mapping = Mapping(fd, SIZE)
        self.address = mapping.address
        self.words = memoryview(mapping.exporter()).cast("B").cast("q")
        stat = os.fstat(fd)
        self.identity = stat.st_dev, stat.st_ino, self.words[:NONCE].tobytes()
        _known[self.identity] = self

    @classmethod
    def make(cls, what: str) -> Block:
        """A new one; `what` it is for is seen in /proc.

        Raises:
            OSError: there are no more descriptors, or no more memory.
        """
        fd = os.memfd_create(f"elsewhere-{what}", os.MFD_CLOEXEC)
        try:
            os.posix_fallocate(fd, 0, SIZE)
            os.pwrite(fd, os.urandom(8 * NONCE), 0)
            return cls(fd)
        except BaseException:
            os.close(fd)
            raise

    def __reduce__(self) -> tuple[Callable[..., Block], tuple[Any, ...]]:
        if get_spawning_popen() is not None:
            return _inherit, (reduction.DupFd(self.fd), self.identity)
        return _open, (os.getpid(), self.fd, self.identity)

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        if hasattr(self, "identity"):  # else it was never whole, and the descriptor is still the maker's
            close(self.fd)


def _open(pid: int, number: int, identity: Identity) -> Block:
    gone = (
        f"process {pid} no longer has this queue, lock or semaphore: keep a reference to it there until it has arrived"
    )
    known = _known.get(identity)
    try:
        if known is not None:
            return _verified(os.open(f"/proc/self/fd/{known.fd}", os.O_RDWR | os.O_CLOEXEC), identity)
        path = f"/proc/{pid}/fd/{number}"
        stat = os.stat(path)  # before it is opened: to open something else, a FIFO say, may wait or have effects
        if (stat.st_dev, stat.st_ino) != identity[:2]:
            raise FileNotFoundError(gone)
        return _verified(os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK), identity)
    except FileNotFoundError:
        raise FileNotFoundError(gone) from None


def _inherit(handle: Any, identity: Identity) -> Block:
    """The descriptor came along with the process."""
    known = _known.get(identity)
    if known is not None and type(handle).__module__ == "multiprocessing.popen_spawn_posix":
        return _open(os.getpid(), known.fd, identity)  # "spawn" gives each copy the same number, closed already
    fd = handle.detach()
    try:
        return _verified(os.open(f"/proc/self/fd/{fd}", os.O_RDWR | os.O_CLOEXEC), identity)
    finally:
        os.close(fd)


def _verified(fd: int, identity: Identity) -> Block:
    stat = os.fstat(fd)
    if (stat.st_dev, stat.st_ino, os.pread(fd, 8 * NONCE, 0)) != identity:
        os.close(fd)
        raise FileNotFoundError("not the block that was sent")
    try:
        return Block(fd)
    except BaseException:
        os.close(fd)
        raise


def keep_apart(user: Any) -> None:
    """Call ``user.forked()`` in each fork of this process, as long as the user lives."""
    _forked.add(user)


def _after_fork() -> None:
    for user in list(_forked):
        user.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
