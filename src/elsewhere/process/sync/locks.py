"""multiprocessing's locks and semaphores, on POSIX semaphores without a name.

Rule: the semaphores are `multiprocessing.synchronize`'s own, with its speed and its behaviour; only where they live is
ours: in a `Block`, not under a name in ``/dev/shm``. So they travel as blocks do, no resource tracker is needed, and
nothing is left of them when the last process that has them is gone, however it ended.

A semaphore knows no holder: one whose holder is killed stays taken, as in multiprocessing. ``Lock(robust=True)`` is
for who needs it otherwise.
"""

from __future__ import annotations

import _multiprocessing  # type: ignore[import-not-found]  # private: no stubs on some systems
import ctypes
import multiprocessing.synchronize as theirs
import os
from multiprocessing.util import register_after_fork
from typing import Any, Self

from elsewhere.process.sync.block import Block

__all__ = ["BoundedSemaphore", "Lock", "RLock", "Semaphore"]

if "CS_GNU_LIBC_VERSION" not in os.confstr_names:  # musl's sem_close() takes only what its sem_open() gave
    raise ImportError("elsewhere.Lock, Semaphore, Condition, Event and Barrier need glibc; use multiprocessing's here")

MOST: int = theirs.SEM_VALUE_MAX  # type: ignore[attr-defined]  # not in the stubs
MUTEX, SEMAPHORE = theirs.RECURSIVE_MUTEX, theirs.SEMAPHORE  # type: ignore[attr-defined]  # not in the stubs
PLACE = 64  # bytes: a semaphore needs 32, and has a line of the processor's cache alone

_library = ctypes.CDLL(None, use_errno=True)


class _Semaphore(_multiprocessing.SemLock):  # type: ignore[misc]  # the stubs have it on some systems only
    """The standard library's, keeping the memory it lies in mapped: its methods may outlive the lock they are of."""

    __slots__ = ("words",)
    words: memoryview


class _InBlock(theirs.SemLock):
    """What makes a `multiprocessing.synchronize.SemLock` live in a block."""

    _place: tuple[Block, int, int, int]

    def _make(self, kind: int, value: int, most: int, block: Block | None = None, place: int = 1) -> None:
        if not 0 <= value <= most:
            raise ValueError(f"a semaphore counts from 0 to {most}; it cannot begin with {value}")
        if block is None:
            block = Block.make("Semaphore")
        if _library.sem_init(ctypes.c_void_p(block.address + place * PLACE), 1, ctypes.c_uint(value)):
            raise OSError(ctypes.get_errno(), "cannot make a semaphore for several processes")
        self.__setstate__((block, place, kind, most))

    def __getstate__(self) -> Any:
        return self._place

    def __setstate__(self, state: Any) -> None:
        block, place, kind, most = self._place = state
        self._is_fork_ctx = False
        semaphore: Any = _Semaphore._rebuild(block.address + place * PLACE, kind, most, None)
        semaphore.words = block.words
        self._semlock = semaphore
        self._make_methods()  # type: ignore[attr-defined]  # private: `acquire` and `release`
        register_after_fork(self, _forget_holder)


def _forget_holder(lock: _InBlock) -> None:
    lock._semlock._after_fork()


class Lock(_InBlock, theirs.Lock):
    """`multiprocessing.Lock`, which may also be an argument of a Pool's calls.

    A process that is killed while it holds the lock leaves it locked for ever, as in multiprocessing.

    Args:
        robust: the kernel frees it when its holder ends, also by SIGKILL; only the process that holds it can release
            it then, and it costs some 3 µs instead of 0.1. False by default.
        ctx: taken and not used, as contexts of multiprocessing pass it.
    """

    def __new__(cls, *, robust: bool = False, ctx: Any = None) -> Self:  # noqa: ARG004 - as __init__
        if not robust or cls is not Lock:
            return super().__new__(cls)
        from elsewhere.process.sync.robust import RobustLock

        return super().__new__(RobustLock)  # type: ignore[return-value]  # Lock itself was asked for

    def __init__(self, *, robust: bool = False, ctx: Any = None) -> None:
        self._make(SEMAPHORE, 1, 1)


class RLock(_InBlock, theirs.RLock):
    """`multiprocessing.RLock`, which may also be an argument of a Pool's calls.

    A process that is killed while it holds the lock leaves it locked for ever, as in multiprocessing.

    Args:
        ctx: taken and not used, as contexts of multiprocessing pass it.
    """

    def __init__(self, *, ctx: Any = None) -> None:
        self._make(MUTEX, 1, 1)


class Semaphore(_InBlock, theirs.Semaphore):
    """`multiprocessing.Semaphore`, which may also be an argument of a Pool's calls.

    What a process has acquired when it is killed is not released, as in multiprocessing.

    Args:
        value: how many may acquire it before the next one waits.
        ctx: taken and not used, as contexts of multiprocessing pass it.

    Raises:
        ValueError: the value is negative, or too large for the system.
    """

    def __init__(self, value: int = 1, *, ctx: Any = None) -> None:
        self._make(SEMAPHORE, value, MOST)


class BoundedSemaphore(_InBlock, theirs.BoundedSemaphore):
    """`multiprocessing.BoundedSemaphore`, which may also be an argument of a Pool's calls.

    What a process has acquired when it is killed is not released, as in multiprocessing.

    Args:
        value: how many may acquire it before the next one waits; to release it more often is a ValueError.
        ctx: taken and not used, as contexts of multiprocessing pass it.

    Raises:
        ValueError: the value is negative, or too large for the system.
    """

    def __init__(self, value: int = 1, *, ctx: Any = None) -> None:
        self._make(SEMAPHORE, value, value)
