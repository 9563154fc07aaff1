"""A page of anonymous shared memory, and how it travels to other processes.

Rule: a block is mapped once in a process and has one descriptor there, however often it arrives. Nobody locks that
descriptor: a fork has the same open file (see `robust.py`, which locks one of its own).

A block travels as a handle, which any process of the same user may open as long as the sender lives; a ticket keeps it
until then, so that the sender may forget it at once. While multiprocessing starts a process the descriptor itself goes
along, and the sender is not needed any more.
"""

from __future__ import annotations

import fcntl
import os
import threading
import weakref
from collections.abc import Callable
from multiprocessing import reduction
from multiprocessing.context import get_spawning_popen
from typing import Any

from elsewhere.runtime.memory.mapping import Mapping
from elsewhere.runtime.passing import opening, receipts
from elsewhere.runtime.passing.descriptors import Descriptor

__all__ = ["SIZE", "Block", "keep_apart"]

SIZE = 4096  # bytes: the words of a queue, or some sixty semaphores
NAME = "elsewhere-block-sync-"  # and the token: what /proc shows of it
WORDS = opening.Words(
    what="a queue, lock or semaphore",
    gone="process {pid} no longer has this queue, lock or semaphore: "
    "it has ended, or let go of it before it was opened here",
    cure="Keep it in that process until it has arrived, or send it on from a process that has it",
    fewer="each takes one. Let go of some, or raise the limit (ulimit -n)",
)

_known: weakref.WeakValueDictionary[str, Block] = weakref.WeakValueDictionary()  # of this process, by token
_open_files: weakref.WeakValueDictionary[str, Descriptor] = weakref.WeakValueDictionary()  # also of what is on its way
_apart: weakref.WeakSet[Any] = weakref.WeakSet()
_lock = threading.RLock()


class Block:
    """One page that this process has open and mapped.

    Args:
        descriptor: the anonymous file; beyond the page it may hold as much as one likes, and never becomes shorter.
        token: its random name.

    Attributes:
        fd: the descriptor's number.
        words: the page as integers of 8 bytes; whoever holds it keeps the memory mapped.
        address: where the page is.
    """

    __slots__ = ("__weakref__", "address", "descriptor", "fd", "token", "words")

    def __init__(self, descriptor: Descriptor, token: str) -> None:
        self.descriptor = descriptor
        self.fd = descriptor.fd
        self.token = token
        mapping = Mapping(self.fd, SIZE)
        self.address = mapping.address
        self.words = memoryview(mapping.exporter()).cast("B").cast("q")
        descriptor.user = weakref.ref(self, receipts.orphaned)
        _known[token] = self
        _open_files[token] = descriptor

    @classmethod
    def make(cls, what: str) -> Block:
        """A new one, all zero.

        Args:
            what: it is for, in ASCII letters; to be seen in /proc.

        Raises:
            OSError: there are no more descriptors, or no more memory.
        """
        token = f"{what}-{os.urandom(16).hex()}"
        try:
            descriptor = Descriptor(os.memfd_create(NAME + token, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING))
        except OSError as error:
            raise opening.explained(error, WORDS) from None
        os.posix_fallocate(descriptor.fd, 0, SIZE)
        fcntl.fcntl(descriptor.fd, fcntl.F_ADD_SEALS, opening.LEAST)
        with _lock:
            return cls(descriptor, token)

    def __reduce__(self) -> tuple[Callable[..., Block], tuple[Any, ...]]:
        own = self.descriptor
        if get_spawning_popen() is not None:
            return _inherit, (reduction.DupFd(own.fd), self.token, own.inode)
        return attach, (self.token, own.fd, own.inode, *receipts.ticket(own))


def attach(token: str, fd: int, inode: int, *sender: int) -> Block:
    """The block that a handle means: what its pickle calls.

    Raises:
        FileNotFoundError: the process that pickled it is gone, or has let go of it.
        OSError: there are no more descriptors.
        PermissionError: that process's descriptors are not ours to see.
        ProtocolError: what is there is not what the handle says.
    """
    ticket = opening.checked((fd, inode), sender, WORDS, token)
    with _lock:
        block = _known.get(token)
        if block is None:
            own = _open_files.get(token)
            if own is None:
                own = Descriptor(opening.reopen(ticket, fd, _meant(token, inode), WORDS))
            block = Block(own, token)
    receipts.give(ticket)
    return block


def _inherit(handle: Any, token: str, inode: int) -> Block:
    """The descriptor came along with the process."""
    with _lock:
        block = _known.get(token)
        if block is None:
            fd = opening.verify(handle.detach(), _meant(token, inode), WORDS, "the parent process")
            os.set_inheritable(fd, False)
            block = Block(Descriptor(fd), token)
        elif type(handle).__module__ != "multiprocessing.popen_spawn_posix":
            os.close(handle.detach())  # "spawn" gives each copy the same number, which the block has
    return block


def _meant(token: str, inode: int) -> opening.Meant:
    return opening.memory(NAME + token, inode, least=SIZE)


def keep_apart(user: Any) -> None:
    """Call ``user.forked()`` in each fork of this process, as long as the user lives."""
    _apart.add(user)


def _forked() -> None:
    global _lock
    _lock = threading.RLock()
    for user in list(_apart):
        user.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
