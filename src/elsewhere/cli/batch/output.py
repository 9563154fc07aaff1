"""Where rows go, such that a row that was written stays written.

A regular file is only ever appended to, by whole lines, each handed to the system at once and to the disk within a
second (`SYNC_EVERY`). A line is trusted only with its line break: what a kill or a full disk left of one is cut off
before the next is appended. Whatever else has to change in a file is changed in a copy, which is on the disk before
it takes the file's name (`replace`): at every moment there is the old file or the new one. A lock keeps a second
command from writing the same file; the kernel drops it when its holder dies, however that was.

What is no regular file (stdout, a pipe, /dev/null) takes the same bytes, and promises nothing.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import stat
import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO

from elsewhere.cli.ending import Problem, ReaderGone, WrongUsage

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # Windows has none

__all__ = ["Appender", "Stream", "cannot_write", "claim", "open_plain", "replace", "truncate"]

SYNC_EVERY = 1.0  # seconds: the most work that a power cut takes


def cannot_write(path: str, error: OSError) -> Problem:
    """The one sentence for every way in which writing fails."""
    cure = {
        errno.ENOSPC: " Free some space first.",
        errno.EDQUOT: " Free some space first.",
        errno.EFBIG: " The file is as large as the system allows.",
    }.get(error.errno or 0, "")
    return Problem(f"{path} cannot be written: {error.strerror}.{cure}")


class Stream:
    """Rows to stdout, a device, a pipe."""

    def __init__(self, fd: int, name: str) -> None:
        self._fd = fd
        self._name = name

    def write(self, line: bytes) -> None:
        """All of `line`, now.

        Raises:
            ReaderGone: whoever read it went away.
            Problem: it cannot be written.
        """
        try:
            _write_all(self._fd, line)
        except BrokenPipeError:
            raise ReaderGone from None
        except OSError as error:
            raise cannot_write(self._name, error) from None

    def close(self) -> None:
        """Nothing was held back; stdout stays open."""
        if self._fd > 2:
            os.close(self._fd)
            self._fd = -1


class Appender:
    """Rows to the end of a regular file that is claimed.

    Args:
        fd: from `claim` or `replace`.
        path: what it is called in sentences.
    """

    def __init__(self, fd: int, path: str) -> None:
        self._fd = fd
        self._path = path
        self._size = os.fstat(fd).st_size
        self._unsynced = threading.Event()
        self._closing = threading.Event()
        self._failure: OSError | None = None
        # A thread, because a disk may take its time for a sync, and rows come meanwhile.
        self._thread = threading.Thread(target=self._sync_now_and_then, name="elsewhere-fsync", daemon=True)
        self._thread.start()

    def write(self, line: bytes) -> None:
        """Append all of `line`, or nothing.

        Raises:
            Problem: the disk is full, or gone.
        """
        try:
            if self._failure is not None:
                raise self._failure
            _write_all(self._fd, line)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._size)  # a line that did not fit leaves no piece of itself
            raise cannot_write(self._path, error) from None
        self._size += len(line)
        self._unsynced.set()

    def close(self) -> None:
        """Everything is on the disk when this returns.

        Raises:
            Problem: or it is not.
        """
        if self._closing.is_set():
            return
        self._closing.set()
        self._thread.join()
        try:
            if self._failure is None:
                os.fsync(self._fd)
        except OSError as error:
            self._failure = error
        finally:
            os.close(self._fd)
        if self._failure is not None:
            raise cannot_write(self._path, self._failure) from None

    def _sync_now_and_then(self) -> None:
        while not self._closing.wait(SYNC_EVERY):
            if self._unsynced.is_set():
                self._unsynced.clear()
                try:
                    os.fsync(self._fd)
                except OSError as error:  # the system has forgotten the rows it could not write: the run must end
                    self._failure = error
                    return


def open_plain(path: str) -> Stream | None:
    """`path` as a `Stream`, if it exists and is no regular file.

    Raises:
        WrongUsage: it cannot be written.
    """
    try:
        if stat.S_ISREG(os.stat(path).st_mode):
            return None
        return Stream(os.open(path, os.O_WRONLY | os.O_CLOEXEC), path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise WrongUsage(f"Rows cannot be written to {path}: {error.strerror}.") from None


def claim(path: str) -> int:
    """Open the regular file `path` for appending, made if it is not there, and lock it against other commands.

    Raises:
        WrongUsage: it cannot be opened, or another command is writing it.
    """
    try:
        made = not os.path.exists(path)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        if made:
            _sync_folder(path)
    except OSError as error:
        raise WrongUsage(f"Rows cannot be written to {path}: {error.strerror}.") from None
    # Whoever replaces a file holds the lock of the new one before it takes the name; an old one counts for nothing.
    if not _lock(fd) or not os.path.samestat(os.fstat(fd), os.stat(path)):
        os.close(fd)
        raise WrongUsage(f"Another command is writing {path} just now: wait for it, or choose another file.")
    return fd


def truncate(fd: int, size: int, path: str) -> None:
    """Cut the file's end off, for good."""
    try:
        os.ftruncate(fd, size)
        os.fsync(fd)
    except OSError as error:
        raise cannot_write(path, error) from None


def replace(path: str, fill: Callable[[BinaryIO], None]) -> int:
    """Put what `fill` writes in the place of `path`, at once and for good.

    Returns:
        The new file, open for appending and locked.

    Raises:
        Problem: it cannot be written; then `path` is as it was.
    """
    copy = path + ".new"  # always the same name, so that what a kill leaves is used up by the next try
    fd = -1
    try:
        fd = os.open(copy, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o666)
        _lock(fd)
        with contextlib.suppress(OSError):  # not there yet
            os.fchmod(fd, stat.S_IMODE(os.stat(path).st_mode))
        with open(fd, "wb", closefd=False) as file:
            fill(file)
        os.fsync(fd)
        os.replace(copy, path)
        _sync_folder(path)
    except BaseException as error:
        if fd >= 0:
            os.close(fd)
        with contextlib.suppress(OSError):
            os.unlink(copy)
        if isinstance(error, OSError):
            raise cannot_write(path, error) from None
        raise
    return fd


def _write_all(fd: int, line: bytes) -> None:
    view = memoryview(line)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:  # somebody who has the same pipe or terminal has made it so
            select.select([], [fd], [])


def _lock(fd: int) -> bool:
    """Is it ours now? Where a file system knows no locks, nobody's claim can be told, and ours is as good."""
    if fcntl is not None:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            pass
    return True


def _sync_folder(path: str) -> None:
    """A new name in a folder is on the disk only when the folder is."""
    with contextlib.suppress(OSError), _opened(os.path.dirname(path) or ".") as fd:
        os.fsync(fd)


@contextlib.contextmanager
def _opened(folder: str) -> Iterator[int]:
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)
