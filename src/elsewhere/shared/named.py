"""Shared memory where there is no Linux: a mapped file of the user's, or Windows' named memory.

Rule: what `block.py` promises of memory without a name is not promised here, and these are the differences:

- it has a name: on macOS a file in the folder for temporary files, readable by the user alone; its creator removes it
  with its last view, or as it ends. A creator that is killed leaves the file.
- nothing is on its way by itself: the creator keeps the array until it was opened elsewhere, and is needed until then.
- nothing seals it against resizing.

`ELSEWHERE_NAMED_MEMORY=1` in the environment takes it on Linux too, which is how it is tested.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import re
import stat
import sys
import tempfile
import threading
import weakref
from typing import Any

from elsewhere.errors import ProtocolError
from elsewhere.runtime.memory import headroom

__all__ = ["Named", "attach", "wanted"]

NAME = "elsewhere-shared-"
TOKEN = re.compile(r"[0-9a-f]{32}")
ZEROS = bytes(1 << 20)


def wanted() -> bool:
    """Is there nothing better here?"""
    return sys.platform != "linux" or bool(os.environ.get("ELSEWHERE_NAMED_MEMORY"))


class Named:
    """Shared memory in this process.

    Args:
        memory: mapped.
        token: the random part of its name.
        folder: where its file is; "" if it has none.
    """

    __slots__ = ("__weakref__", "folder", "memory", "token")

    def __init__(self, memory: mmap.mmap, token: str, folder: str) -> None:
        self.memory = memory
        self.token = token
        self.folder = folder
        _known[token] = self

    @classmethod
    def new(cls, size: int) -> Named:
        """Zeros, at least `size` bytes of them.

        Raises:
            MemoryError: there is not enough memory; says the sizes.
            OSError: the folder for temporary files is full, or not writable.
        """
        size = max(1, -(-size // mmap.PAGESIZE)) * mmap.PAGESIZE
        headroom.require(size)
        token = os.urandom(16).hex()
        with _lock:
            if sys.platform == "win32":
                return cls(_windows(size, token), token, "")
            folder = tempfile.gettempdir()
            path = os.path.join(folder, NAME + token)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            try:
                _fill(fd, size)
                made = cls(mmap.mmap(fd, size), token, folder)
            except BaseException:
                os.unlink(path)
                raise
            finally:
                os.close(fd)
        weakref.finalize(made, _remove, path, os.getpid())
        return made

    @property
    def address(self) -> int:
        """Where it is mapped."""
        return ctypes.addressof(ctypes.c_char.from_buffer(self.memory))

    def exporter(self) -> Any:
        """A new object whose buffer is the whole block, and which keeps it."""
        exporter: Any = (ctypes.c_char * len(self.memory)).from_buffer(self.memory)
        exporter.block = self
        return exporter

    def __reduce__(self) -> Any:
        return attach, (self.token, self.folder, len(self.memory))


_known: weakref.WeakValueDictionary[str, Named] = weakref.WeakValueDictionary()  # of this process, by token
_lock = threading.RLock()


def attach(token: str, folder: str, size: int) -> Named:
    """The memory that a handle means: what its pickle calls.

    Raises:
        FileNotFoundError: its creator has let go of it, or has ended.
        ProtocolError: what is there is not what the handle says.
    """
    if not (isinstance(token, str) and TOKEN.fullmatch(token) and isinstance(folder, str) and type(size) is int):
        raise ProtocolError("this pickle is no handle of elsewhere's shared memory: it was forged or damaged")
    if size <= 0 or size % mmap.PAGESIZE:
        raise ProtocolError("a handle of shared memory says a size that none has: it was forged or damaged")
    with _lock:
        found = _known.get(token)
        if found is None:
            if sys.platform == "win32":
                return Named(_windows(size, token), token, "")
            return Named(_opened(os.path.join(folder, NAME + token), size), token, folder)
        if len(found.memory) != size:
            raise ProtocolError("a handle of shared memory says another size than it has: it was forged")
        return found


def _windows(size: int, token: str) -> mmap.mmap:
    """Memory by name, which the system frees with its last user; zeros where nobody has it any more."""
    made: mmap.mmap = mmap.mmap(-1, size, tagname=NAME + token)  # type: ignore[call-arg, unused-ignore]  # Windows'
    return made


def _opened(path: str, size: int) -> mmap.mmap:
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"shared memory is gone: the process that made it has ended, or let go of it before it was opened here "
            f"({path}). Keep the array there until it has arrived"
        ) from None
    try:
        found = os.fstat(fd)
        if found.st_uid != os.geteuid() or not stat.S_ISREG(found.st_mode) or found.st_size != size:
            raise ProtocolError(f"{path} is not the shared memory that its handle says: it was not opened")
        return mmap.mmap(fd, size)
    finally:
        os.close(fd)


def _fill(fd: int, size: int) -> None:
    """All of it is really there, so that no later access can fail."""
    written = 0
    while written < size:
        written += os.write(fd, ZEROS[: size - written])


def _remove(path: str, creator: int) -> None:
    if os.getpid() == creator:  # not in a fork of it
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _forked() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
