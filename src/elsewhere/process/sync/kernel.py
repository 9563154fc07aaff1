"""What the kernel does for us: sleep until a word of shared memory changes.

Rule: no wait here is longer than `SLICE` without looking again. A futex that is woken for a process which is killed in
that moment is lost to the others, and a signal may come between Python's look at signals and the system call; both cost
half a second at most, and nobody needs to know who has died.
"""

from __future__ import annotations

import ctypes
import os
import time

from elsewhere.runtime.locks.mutex import SLICE, Time, function
from elsewhere.runtime.spin import wait_soon
from elsewhere.sansio.spinning import Spinning

__all__ = ["ALL", "SLICE", "sleep", "wake"]

ALL = 2**31 - 1  # as many as there are
_NUMBERS = {"x86_64": 202, "aarch64": 98, "riscv64": 98, "ppc64le": 221, "loongarch64": 98}  # futex
_WAIT, _WAKE = 0, 1  # between processes, so without FUTEX_PRIVATE_FLAG
_Pointer, _int = ctypes.c_void_p, ctypes.c_int


_waiting = ctypes.CDLL(None)  # lets other threads run meanwhile
_number = _NUMBERS.get(os.uname().machine, -1)
_futex = function(
    _waiting, "syscall", ctypes.c_long, _Pointer, _int, ctypes.c_uint32, _Pointer, _Pointer, _int, result=ctypes.c_long
)


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
        limit = Time.of(seconds)
        words[sleepers] = 1
        _futex(_number, address, _WAIT, seen & 0xFFFFFFFF, ctypes.addressof(limit), None, 0)

    wait_soon(spinning, lambda: words[at] != seen or None, really)
