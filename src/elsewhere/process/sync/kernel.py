"""What the kernel does for us: sleep until a word of shared memory changes, and mutexes that end with their holder.

Rule: no wait here is longer than `SLICE` without looking again. A futex that is woken for a process which is killed in
that moment is lost to the others, and a signal may come between Python's look at signals and the system call; both cost
half a second at most, and nobody needs to know who has died.

The mutexes are POSIX's robust ones: when a thread that holds one ends, in whatever way, the kernel marks it, and the
next to come has it and is told. Locks of open file descriptions can do the same (see `robust.py`), but cost two system
calls, 1.5 µs, where these cost 0.3 µs and none; a queue's item costs less than that otherwise.
"""

from __future__ import annotations

import ctypes
import errno
import os
import time
from collections.abc import Callable

from elsewhere.runtime.spin import wait_soon
from elsewhere.sansio.spinning import Spinning

__all__ = ["ALL", "SLICE", "acquire", "consistent", "make_mutex", "sleep", "try_lock", "unlock", "wake"]

SLICE = 0.5  # seconds
ALL = 2**31 - 1  # as many as there are
LOOKS = 20  # at a mutex before its holder, who needs it for a microsecond or two, is taken to be off its core
_NUMBERS = {"x86_64": 202, "aarch64": 98, "riscv64": 98, "ppc64le": 221, "loongarch64": 98}  # futex
_WAIT, _WAKE = 0, 1  # between processes, so without FUTEX_PRIVATE_FLAG
_SHARED = _ROBUST = 1  # PTHREAD_PROCESS_SHARED, PTHREAD_MUTEX_ROBUST
_Pointer, _int = ctypes.c_void_p, ctypes.c_int


class _Time(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_int64), ("nanoseconds", ctypes.c_int64))

    @classmethod
    def of(cls, seconds: float) -> _Time:
        return cls(int(seconds), int(seconds % 1 * 1e9))


def _function(library: ctypes.CDLL, name: str, *arguments: type, result: type = _int) -> Callable[..., int]:
    found = getattr(library, name)
    found.argtypes, found.restype = arguments, result
    return found  # type: ignore[no-any-return]  # ctypes does not say


_waiting = ctypes.CDLL(None)  # lets other threads run meanwhile
_at_once = ctypes.PyDLL(None)  # does not, as it takes no time
_number = _NUMBERS.get(os.uname().machine, -1)
_futex = _function(
    _waiting, "syscall", ctypes.c_long, _Pointer, _int, ctypes.c_uint32, _Pointer, _Pointer, _int, result=ctypes.c_long
)
_timed_lock = _function(_waiting, "pthread_mutex_timedlock", _Pointer, _Pointer)
try_lock = _function(_at_once, "pthread_mutex_trylock", _Pointer)
unlock = _function(_at_once, "pthread_mutex_unlock", _Pointer)
consistent = _function(_at_once, "pthread_mutex_consistent", _Pointer)


def wake(address: int, most: int = 1) -> int:
    """Wake who sleeps on the word; how many that were."""
    return _futex(_number, address, _WAKE, most, None, None, 0)


def sleep(
    words: memoryview, at: int, address: int, seen: int, sleepers: int, deadline: float | None, spinning: Spinning
) -> None:
    """Return when ``words[at]`` is not what was seen, or something may have happened, or it is late.

    The word is that of 8 bytes at ``address``; the kernel compares its low half. Only who really sleeps says so, in
    ``words[sleepers]``: to be woken costs the other side a system call.
    """
    seconds = SLICE if deadline is None else min(SLICE, deadline - time.monotonic())
    if seconds <= 0:
        return

    def really() -> None:
        if _number < 0:  # an unknown machine: a look each millisecond is right everywhere
            time.sleep(min(seconds, 0.001))
            return
        limit = _Time.of(seconds)
        words[sleepers] = 1
        _futex(_number, address, _WAIT, seen & 0xFFFFFFFF, ctypes.addressof(limit), None, 0)

    wait_soon(spinning, lambda: words[at] != seen or None, really)


def make_mutex(address: int) -> None:
    """A mutex for all processes that map this memory; 64 bytes are enough on every machine."""
    attributes = ctypes.create_string_buffer(64)
    _waiting.pthread_mutexattr_init(attributes)
    _waiting.pthread_mutexattr_setpshared(attributes, _SHARED)
    _waiting.pthread_mutexattr_setrobust(attributes, _ROBUST)
    if code := _function(_waiting, "pthread_mutex_init", _Pointer, _Pointer)(address, ctypes.addressof(attributes)):
        raise OSError(code, f"cannot make a lock for several processes: {os.strerror(code)}")


def acquire(mutex: int, code: int, deadline: float | None) -> bool:
    """Go on where `try_lock` has answered with this code, not 0; False when it is late.

    The way to hold one, whatever a signal handler raises between two instructions; to unlock what this thread does not
    hold does nothing::

        code = -1
        try:
            code = try_lock(mutex)
            if code and not acquire(mutex, code, deadline):
                return
            ...
        finally:
            if code:
                consistent(mutex)
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
        left = SLICE if deadline is None else deadline - time.monotonic()
        if left <= 0:
            return False
        if looks < LOOKS:
            os.sched_yield()
            code = try_lock(mutex)
        else:  # the holder is off its core, or stopped, or copies gigabytes
            limit = _Time.of(time.time() + min(left, SLICE))
            code = _timed_lock(mutex, ctypes.addressof(limit))
    return True
