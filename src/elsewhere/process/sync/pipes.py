"""`multiprocessing.Pipe`, whose ends may also be arguments of a Pool's calls.

Rule: an end is a `multiprocessing.connection.Connection`, and what it is made of is multiprocessing's choice: a socket
pair where both ends send and receive (`duplex`), else a pipe of the kernel's. A pipe can be opened again through
``/proc/<pid>/fd``, so that an end can travel at any time, without the thread that hands sockets out.
"""

from __future__ import annotations

import errno
import os
import weakref
from collections.abc import Callable
from multiprocessing import connection, reduction
from multiprocessing.context import get_spawning_popen
from typing import TYPE_CHECKING, Any

from elsewhere.process.sync.duplex import pair
from elsewhere.runtime.passing import opening, receipts
from elsewhere.runtime.passing.descriptors import Descriptor

if TYPE_CHECKING:
    End = connection.Connection[Any, Any]
    _Connection = connection.Connection[Any, Any]
else:
    _Connection = connection.Connection

__all__ = ["Connection", "Pipe"]

WORDS = opening.Words(
    what="an end of a pipe",
    gone="process {pid} has closed its end of the pipe: it has ended, or closed it before it was opened here",
    cure="Keep that process until it has arrived, or send it on from a process that has it",
    fewer="each takes one. Close some, or raise the limit (ulimit -n)",
)


def Pipe(duplex: bool = True) -> tuple[End, End]:  # noqa: N802 - multiprocessing's name
    """Two connected ends.

    Args:
        duplex: both may send and receive, which is the default; else the first receives what the second sends.

    Returns:
        Two of `multiprocessing.connection.Connection`: ``send recv poll close`` and the others.

    Both may be closed or forgotten as soon as they were sent: what is on its way stays open until it has arrived.

    Raises:
        OSError: the process has too many files open.
    """
    if duplex:
        return pair()
    reading, writing = os.pipe()
    return Connection(reading, readable=True), Connection(writing, readable=False)


class Connection(_Connection):
    """One end.

    Args:
        handle: its descriptor, which is its own from here on.
        readable: it receives; else it sends.
    """

    def __init__(self, handle: int, *, readable: bool) -> None:
        super().__init__(handle, readable=readable, writable=not readable)
        self._end: _End | None = _End(handle)

    def _close(self) -> None:
        self._end = None

    def __reduce__(self) -> tuple[Callable[..., Connection], tuple[Any, ...]]:
        self._check_closed()  # type: ignore[attr-defined]  # private: "handle is closed"
        end = self._end
        assert end is not None, "it is not closed"
        if get_spawning_popen() is not None:
            return _inherit, (self.readable, reduction.DupFd(end.descriptor.fd))
        return _open, (self.readable, *end.handle())


class _End:
    """The descriptor that a connection works with; goes before it does, when it is closed."""

    __slots__ = ("__weakref__", "descriptor")

    def __init__(self, fd: int) -> None:
        self.descriptor = Descriptor(fd)
        self.descriptor.user = weakref.ref(self, receipts.orphaned)

    def handle(self) -> tuple[int, ...]:
        """For `_reopened`, once."""
        own = self.descriptor
        return own.fd, own.inode, *receipts.ticket(own)


def _inherit(readable: bool, handle: Any) -> Connection:
    return Connection(handle.detach(), readable=readable)


def _open(readable: bool, *handle: int) -> Connection:
    return Connection(_reopened(os.O_RDONLY if readable else os.O_WRONLY, *handle), readable=bool(readable))


def _reopened(way: int, number: int, inode: int, *sender: int) -> int:
    ticket = opening.checked((number, inode), sender, WORDS)
    meant = opening.pipe(inode)
    try:
        fd = opening.reopen(ticket, number, meant, WORDS, way)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        # Nobody has the other end any more, and so the kernel opens none to write; who sends is told then, as ever.
        other = opening.reopen(ticket, number, meant, WORDS, os.O_RDONLY)
        try:
            fd = opening.reopen(ticket, number, meant, WORDS, way)
        finally:
            os.close(other)
    os.set_blocking(fd, True)
    receipts.give(ticket)
    return fd
