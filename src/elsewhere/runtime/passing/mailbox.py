"""Where receipts arrive: a pipe of this process, and the address that handles say of it.

Rule: a receipt is written at once or not at all, into nothing but the pipe that the ticket names. Whoever writes it
finds the pipe through /proc, and needs no connection.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import stat
from array import array
from collections import deque
from typing import NamedTuple

__all__ = ["RECEIPT", "Mailbox", "Ticket", "deliver", "place"]

RECEIPT = 8  # bytes; far below what a pipe takes in one piece
UNREAD = 4096  # receipts: half of what fits a pipe of the usual 64 KiB
GETPIPE_SZ = getattr(fcntl, "F_GETPIPE_SZ", 1032)  # Linux's number, on every machine


class Ticket(NamedTuple):
    """What a handle says of its sender, and of the receipt: which number to write, into which pipe of the sender's."""

    pid: int
    space: int
    serial: int
    fd: int
    inode: int


class Mailbox:
    """Where receipts arrive.

    Attributes:
        arrived: serials that were read; whoever has dealt with one removes it.
        most: half as many as fit.
    """

    __slots__ = ("arrived", "inode", "most", "reader", "writer")

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.inode = os.fstat(self.writer).st_ino
        # A user who has very many pipes gets small ones.
        self.most = min(UNREAD, fcntl.fcntl(self.writer, GETPIPE_SZ) // RECEIPT // 2)
        self.arrived: deque[int] = deque()

    def read(self) -> bool:
        """Take what has come into `arrived`; False if somebody has closed the pipe behind our back, as daemons do."""
        try:
            if os.fstat(self.reader).st_ino != self.inode:
                return False
            while data := os.read(self.reader, RECEIPT << 9):
                whole = len(data) // RECEIPT * RECEIPT  # each is written in one piece; the rest is no receipt
                self.arrived.extend(array("Q", data[:whole]))
        except BlockingIOError:
            pass
        except OSError:
            return False
        return True

    def whole(self) -> bool:
        """Is it still what this object has made?"""
        try:
            return os.fstat(self.reader).st_ino == os.fstat(self.writer).st_ino == self.inode
        except OSError:
            return False

    def poll(self, seconds: float) -> None:
        """Return when there is something to read, or after so many seconds."""
        if (reader := self.reader) >= 0:  # else it was closed just now
            poll = select.poll()
            poll.register(reader, select.POLLIN)
            poll.poll(1000 * seconds)

    def close(self) -> None:
        fds, self.reader, self.writer = (self.reader, self.writer), -1, -1
        for fd in fds:
            with contextlib.suppress(OSError):
                if os.fstat(fd).st_ino == self.inode:
                    os.close(fd)


def deliver(ticket: Ticket) -> bool:
    """Write the receipt into the sender's pipe, unless that is gone; False if this process has no descriptor left."""
    path = f"/proc/{ticket.pid:d}/fd/{ticket.fd:d}"
    try:
        if not _is_pipe(os.stat(path), ticket):
            return True
        fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if _is_pipe(os.fstat(fd), ticket):
                os.write(fd, ticket.serial.to_bytes(RECEIPT, "little"))
        finally:
            os.close(fd)
    except OSError as error:  # it has ended, or has all receipts and has closed the pipe
        return error.errno not in (errno.EMFILE, errno.ENFILE)
    return True


def _is_pipe(found: os.stat_result, ticket: Ticket) -> bool:
    return stat.S_ISFIFO(found.st_mode) and found.st_ino == ticket.inode and found.st_uid == os.geteuid()


_place: tuple[int, int] | None = None


def place() -> tuple[int, int]:
    """What /proc calls this process, and the space of such numbers: those of another cannot be looked up here.

    Not getpid(), which may count in a space that this /proc does not show.
    """
    global _place
    if _place is None:
        try:
            _place = int(os.readlink("/proc/self")), os.stat("/proc/self/ns/pid").st_ino
        except (OSError, ValueError):
            _place = os.getpid(), 0
    return _place


def _forked() -> None:
    global _place
    _place = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
