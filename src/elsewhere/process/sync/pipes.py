"""`multiprocessing.Pipe`, whose ends may also be arguments of a Pool's calls.

Rule: an end is a `multiprocessing.connection.Connection`, and what it is made of is multiprocessing's choice: a socket
pair where both ends send and receive (`duplex`), else a pipe of the kernel's. A pipe can be opened again through
``/proc/<pid>/fd``, so that an end can travel at any time, without the thread that hands sockets out.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from multiprocessing import connection, reduction
from multiprocessing.context import get_spawning_popen
from typing import TYPE_CHECKING, Any

from elsewhere.process.sync.duplex import pair

if TYPE_CHECKING:
    End = connection.Connection[Any, Any]
    _Connection = connection.Connection[Any, Any]
else:
    _Connection = connection.Connection

__all__ = ["Connection", "Pipe"]


def Pipe(duplex: bool = True) -> tuple[End, End]:  # noqa: N802 - multiprocessing's name
    """Two connected ends.

    Args:
        duplex: both may send and receive; else the first receives what the second sends.

    An end that only receives or only sends, and is an argument of a call, must stay open here until it has arrived.

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

    def _close(self, close: Callable[[int], None] = os.close) -> None:
        writing, self._writing = self._writing, None
        if writing is not None and writing != self._handle:
            close(writing)
        close(self._handle)

    def _send(self, buf: Any, write: Callable[[int, Any], int] = os.write) -> None:
        data = memoryview(buf)
        writing = self._writing
        assert writing is not None, "Connection checks that it can send"
        while data:
            data = data[write(writing, data) :]

    def __reduce__(self) -> tuple[Callable[..., Connection], tuple[Any, ...]]:
        self._check_closed()  # type: ignore[attr-defined]  # private: "handle is closed"
        fds = self._handle if self.readable else None, self._writing
        if get_spawning_popen() is not None:
            return _inherit, tuple(None if fd is None else reduction.DupFd(fd) for fd in fds)
        return _open, (os.getpid(), *(None if fd is None else (fd, _inode(fd)) for fd in fds))


def _inode(fd: int) -> tuple[int, int]:
    found = os.fstat(fd)
    return found.st_dev, found.st_ino


def _inherit(reading: Any, writing: Any) -> Connection:
    return Connection(reading and reading.detach(), writing and writing.detach())


def _open(pid: int, reading: Any, writing: Any) -> Connection:
    first = None if reading is None else _reopened(os.O_RDONLY, pid, *reading)
    try:
        return Connection(first, None if writing is None else _reopened(os.O_WRONLY, pid, *writing))
    except BaseException:
        if first is not None:
            os.close(first)
        raise


def _reopened(way: int, pid: int, number: int, inode: tuple[int, int]) -> int:
    gone = f"process {pid} has closed its end of the pipe: keep it open there until it has arrived"
    path = f"/proc/{pid}/fd/{number}"
    try:
        found = os.stat(path)
        if (found.st_dev, found.st_ino) != inode or not stat.S_ISFIFO(found.st_mode):
            raise FileNotFoundError(gone)
        # Not blocking: if the last other end closes just now, to open would wait for it for ever.
        fd = os.open(path, way | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise FileNotFoundError(gone) from None
    try:
        if _inode(fd) != inode:
            raise FileNotFoundError(gone)
        os.set_blocking(fd, True)
    except BaseException:
        os.close(fd)
        raise
    return fd
