"""Blocks of anonymous shared memory in this process's address space.

Rule: memory is mapped and unmapped here and nowhere else, and only when the last object that could reach it is gone:
a `Mapping` goes with its last reference, and every exporter holds one.

Not Python's own mmap: it keeps a copy of the descriptor for each block, and 4,000 blocks would need 4,000 of the 1,024
descriptors that a process usually has. ctypes is imported when the first large buffer appears: 5 ms that programs
without one save.
"""

from __future__ import annotations

import mmap
import os
from typing import Any

__all__ = ["Mapping", "make_block", "supported"]

MADV_REMOVE = 9  # Linux: the pages go back to the system at once, wherever else they are mapped


class _System:
    """The system's calls, by ctypes."""

    def __init__(self) -> None:
        import ctypes

        library = ctypes.CDLL(None, use_errno=True)
        address, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
        self.mmap, self.munmap, self.madvise = library.mmap, library.munmap, library.madvise
        self.mmap.restype = address
        self.mmap.argtypes = [address, size, number, number, number, ctypes.c_long]
        self.munmap.argtypes = [address, size]
        self.madvise.argtypes = [address, size, number]
        self.errno = ctypes.get_errno
        self.char = ctypes.c_char
        self.arrays: dict[int, Any] = {}  # by size, of which there are few; making a type takes 20 µs

    def array(self, size: int) -> Any:
        found = self.arrays.get(size)
        if found is None:
            found = self.arrays[size] = self.char * size
        return found


_system: _System | None = None


def _loaded() -> _System:
    global _system
    if _system is None:
        _system = _System()
    return _system


def supported() -> bool:
    """Can this system have such blocks? Linux can; elsewhere large buffers travel in the messages."""
    return hasattr(os, "memfd_create") and hasattr(os, "posix_fallocate")


class Mapping:
    """One block's memory here.

    Args:
        fd: the block; not closed, and not needed any more afterwards.
        size: bytes, a multiple of the page size.

    Raises:
        OSError: it cannot be mapped.
    """

    __slots__ = ("_system", "address", "size")

    def __init__(self, fd: int, size: int) -> None:
        self.size = size
        self.address = 0
        self._system = _loaded()
        protection, flags = mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)
        address = self._system.mmap(None, size, protection, flags, fd, 0)
        if address is None or address == 2**64 - 1 or address == 2**32 - 1:
            error = self._system.errno()
            raise OSError(error, f"cannot map {size:,} bytes of shared memory: {os.strerror(error)}")
        self.address = address

    def exporter(self) -> Any:
        """A new object whose buffer is the whole block; its end is the end of every view that was made from it."""
        exporter = self._system.array(self.size).from_address(self.address)
        exporter.mapping = self
        return exporter

    def purge(self) -> None:
        """Give the memory back to the system, also under the mappings of others: nobody needs what is in it."""
        self._system.madvise(self.address, self.size, MADV_REMOVE)

    def __del__(self) -> None:
        if self.address:
            self._system.munmap(self.address, self.size)


def make_block(size: int) -> int:
    """A descriptor of new memory, all of it really there: no later access to it can fail.

    Raises:
        MemoryError: the system has not got so much.
        OSError: no more descriptors.
    """
    fd = os.memfd_create("elsewhere-block", os.MFD_CLOEXEC)
    try:
        os.posix_fallocate(fd, 0, size)
    except OSError as error:
        os.close(fd)
        raise MemoryError(f"the system has no {size:,} bytes of shared memory: {error}") from error
    except BaseException:
        os.close(fd)
        raise
    return fd
