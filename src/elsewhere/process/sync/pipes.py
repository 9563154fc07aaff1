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
from typing import TYPE_CHECKING, Any, Self

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
        duplex: both may send and receive; else the first receives what the second sends.

    Both may be closed or forgotten as soon as they were sent: what is on its way stays open until it has arrived.

    Raises:
        OSError: the process has too many files open.
    """
    if duplex:
        return pair()
    there = os.pipe()
    return Connection(there[0], None), Connection(None, there[1])


class Connection(_Connection):
    """One end.

    Args:
        reading: the descriptor that it receives from.
        writing: the descriptor that it sends to.
    """

    _handle: int  # where `multiprocessing.connection.Connection` receives, and which `fileno` tells

    def __init__(self, reading: int | None, writing: int | None) -> None:
        handle = reading if reading is not None else writing
        assert handle is not None
        super().__init__(handle, readable=reading is not None, writable=writing is not None)
        self._writing = writing
        self._ends = _End.of(reading), _End.of(writing)

    def _close(self) -> None:
        self._writing, self._ends = None, (None, None)

    def _send(self, buf: Any, write: Callable[[int, Any], int] = os.write) -> None:
        data = memoryview(buf)
        writing = self._writing
        assert writing is not None, "Connection checks that it can send"
        while data:
            data = data[write(writing, data) :]

    def __reduce__(self) -> tuple[Callable[..., Connection], tuple[Any, ...]]:
        self._check_closed()  # type: ignore[attr-defined]  # private: "handle is closed"
        if get_spawning_popen() is not None:
            return _inherit, tuple(end and reduction.DupFd(end.descriptor.fd) for end in self._ends)
        return _open, tuple(end and end.handle() for end in self._ends)


class _End:
    """A descriptor that a connection works with."""

    __slots__ = ("__weakref__", "descriptor")

    def __init__(self, fd: int) -> None:
        self.descriptor = Descriptor(fd)
        self.descriptor.user = weakref.ref(self, receipts.orphaned)

    @classmethod
    def of(cls, fd: int | None) -> Self | None:
        return None if fd is None else cls(fd)

    def handle(self) -> tuple[int, ...]:
        """For `_reopened`, once."""
        own = self.descriptor
        return own.fd, own.inode, *receipts.ticket(own)


def _inherit(reading: Any, writing: Any) -> Connection:
    return Connection(reading and reading.detach(), writing and writing.detach())


def _open(reading: tuple[int, ...] | None, writing: tuple[int, ...] | None) -> Connection:
    first = None if reading is None else _reopened(os.O_RDONLY, *reading)
    try:
        return Connection(first, None if writing is None else _reopened(os.O_WRONLY, *writing))
    except BaseException:
        if first is not None:
            os.close(first)
        raise


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
