"""Mutexes in shared memory that end with their holder: POSIX's robust ones.

Rule: whoever gets one puts right at once what a dead holder has left (`consistent`), so that no mutex is ever lost.

When a thread that holds one ends, in whatever way, the kernel marks it, and the next to come has it and is told. Locks
of open file descriptions can do the same, but cost two system calls, 1.5 µs, where these cost 0.2 µs and none.

A mutex excludes threads, also those of one process. While it is free its futex word is 0; while it is held that word
has the thread's number in the kernel, which is the one thing that tells exactly who holds it: a number in Python may
be used again when a thread has ended.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

__all__ = [
    "FUTEX", "HOLDER", "SIZE", "SLICE", "Time",
    "acquire", "consistent", "function", "give_up", "make", "try_lock", "unlock",
]  # fmt: skip

if sys.platform != "linux":
    raise ImportError("locks in shared memory that end with their holder need Linux; use multiprocessing's here")

SIZE = 48  # bytes: the largest `pthread_mutex_t` of 64-bit Linux; 40 on x86-64
SLICE = 0.5  # seconds that a wait lasts before it looks again, for signals above all
LOOKS = 20  # at a mutex before its holder, who needs it for a microsecond or two, is taken to be off its core
HOLDER = 0x3FFFFFFF  # the bits of the futex word that are the thread's number: FUTEX_TID_MASK
_SHARED = _ROBUST = 1  # PTHREAD_PROCESS_SHARED, PTHREAD_MUTEX_ROBUST
_Pointer, _int = ctypes.c_void_p, ctypes.c_int


class Time(ctypes.Structure):
    """A `timespec`."""

    _fields_ = (("seconds", ctypes.c_int64), ("nanoseconds", ctypes.c_int64))

    @classmethod
    def of(cls, seconds: float) -> Time:
        return cls(int(seconds), int(seconds % 1 * 1e9))


def function(library: ctypes.CDLL, name: str, *arguments: type, result: type = _int) -> Callable[..., int]:
    """A function of the C library, as an object of its own."""
    found = library[name]
    found.argtypes, found.restype = arguments, result
    return found


_waiting = ctypes.CDLL(None)  # lets other threads run meanwhile
_at_once = ctypes.PyDLL(None)  # does not, as it takes no time
# Those that cost something take what `ctypes.byref` gives, and without `argtypes`: it is looked at first then.
try_lock: Callable[[Any], int] = _at_once["pthread_mutex_trylock"]
unlock: Callable[[Any], int] = _at_once["pthread_mutex_unlock"]
consistent: Callable[[Any], int] = _at_once["pthread_mutex_consistent"]
if hasattr(_waiting, "pthread_mutex_clocklock"):  # who sets the clock does not make waits longer then
    _clock_lock: Any = _waiting["pthread_mutex_clocklock"]

    def _timed_lock(mutex: Any, seconds: float) -> int:
        limit = Time.of(time.monotonic() + seconds)
        code: int = _clock_lock(mutex, time.CLOCK_MONOTONIC, ctypes.byref(limit))
        return code

else:
    _late_lock: Any = _waiting["pthread_mutex_timedlock"]

    def _timed_lock(mutex: Any, seconds: float) -> int:
        limit = Time.of(time.time() + seconds)
        code: int = _late_lock(mutex, ctypes.byref(limit))
        return code


def _attributes() -> Any:
    made = ctypes.create_string_buffer(64)
    _at_once.pthread_mutexattr_init(made)
    _at_once.pthread_mutexattr_setpshared(made, _SHARED)
    _at_once.pthread_mutexattr_setrobust(made, _ROBUST)
    return made


_kind = _attributes()


def make(mutex: Any) -> None:
    """Make one, free, for all processes that map this memory.

    Args:
        mutex: what `ctypes.byref` gives for its `SIZE` bytes; so for all functions here.

    Raises:
        OSError: this system has no such mutexes.
    """
    if code := _at_once.pthread_mutex_init(mutex, _kind):
        raise OSError(code, f"cannot make a lock for several processes: {os.strerror(code)}")


def _find_futex() -> int:
    """Which of its words of 4 bytes is the futex word: the first that has the holder's number."""
    memory = (ctypes.c_int * (SIZE // 4))()
    mutex = ctypes.byref(memory)
    make(mutex)
    try_lock(mutex)
    found = list(memory).index(threading.get_native_id())
    unlock(mutex)
    return found


FUTEX = _find_futex()


def acquire(mutex: Any, code: int, deadline: float | None, slice_: float = SLICE) -> bool:
    """Go on where `try_lock` has answered with this code, not 0; False when it is late.

    Args:
        mutex: see `make`.
        code: the answer.
        deadline: of `time.monotonic`; None waits for ever.
        slice_: seconds between two looks at signals: that is how late Ctrl-C may come.

    The way to hold one, whatever a signal handler raises between two instructions::

        code = -1
        try:
            code = try_lock(mutex)
            if code and not acquire(mutex, code, deadline):
                return
            ...
        finally:
            if code:
                give_up(mutex)
            else:
                unlock(mutex)
    """
    looks = 0
    while code:
        if code == errno.EOWNERDEAD:  # what it guards is right after each single store
            consistent(mutex)
            return True
        if code not in (errno.EBUSY, errno.ETIMEDOUT):
            raise OSError(code, f"a lock between processes cannot be used: {os.strerror(code)}")
        looks += 1
        left = slice_ if deadline is None else deadline - time.monotonic()
        if left <= 0:
            return False
        if looks < LOOKS:
            os.sched_yield()
            code = try_lock(mutex)
        else:  # the holder is off its core, or stopped, or copies gigabytes
            code = _timed_lock(mutex, min(left, slice_))
    return True


def give_up(mutex: Any) -> None:
    """Unlock it if this thread holds it, perhaps after a holder that died: an exception may have come in between."""
    try:
        consistent(mutex)  # else a dead holder's, once unlocked, would be lost for ever; does nothing otherwise
    finally:  # here too an exception may come in between
        unlock(mutex)
