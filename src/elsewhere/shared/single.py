"""Single numbers under our lock: read without taking it, written with as few steps as possible.

Rule: what is seen is what multiprocessing would show. Its `value` takes the lock for each access, so a reader waits
while another thread holds it, and never sees what that has half done.

- A number of up to 8 bytes is loaded and stored by one instruction, so a copy of it is never torn.
- Who reads looks at the lock's TURN before and after: if it is even and the same, nobody held the lock meanwhile. If
  not, and if this thread is not the holder itself, the lock is taken as ever.
- Who writes takes the mutex and leaves TURN alone: between two states there is none that could be seen.

On processors that may see loads in another order (`lock.ORDERED`), readers take the lock. What is larger than 8 bytes,
slices, strings and structures are multiprocessing's code, which takes it, too.
"""

from __future__ import annotations

import ctypes
import errno
from typing import Any

from elsewhere.runtime.locks.mutex import try_lock, unlock
from elsewhere.shared.lock import ORDERED, RLock, here

__all__ = ["mixins"]

WORD = 8  # bytes


class _Single:
    """Before multiprocessing's class."""

    _obj: Any
    _lock: RLock

    def __init__(self, obj: Any, lock: RLock) -> None:
        super().__init__(obj, lock)  # type: ignore[call-arg]  # of multiprocessing's class
        state = lock.state
        self._turn, self._futex, self._mutex = state.turn, state.futex, state.mutex


class Number(_Single):
    """`Synchronized` of a simple type."""

    @property
    def value(self) -> Any:
        """The number; waits while another thread or process holds the lock."""
        turn = self._turn
        seen = turn[0]
        if not seen & 1:
            found = self._obj.value
            if turn[0] == seen:
                return found
        elif self._futex[0] == here.thread:
            return self._obj.value
        with self._lock:
            return self._obj.value

    @value.setter
    def value(self, value: Any) -> None:
        if self._turn[0] & 1 and self._futex[0] == here.thread:
            self._obj.value = value
            return
        code = -1  # not known: a signal handler may raise in between
        try:
            code = try_lock(self._mutex)
            if not code:
                self._obj.value = value
                return
        finally:
            if not code:
                unlock(self._mutex)
            elif code != errno.EBUSY:
                self._lock.state.drop(code)
        with self._lock:
            self._obj.value = value


class Numbers(_Single):
    """`SynchronizedArray` of a simple type."""

    def __getitem__(self, index: Any) -> Any:
        if type(index) is int:
            seen = self._turn[0]
            if not seen & 1:
                found = self._obj[index]
                if self._turn[0] == seen:
                    return found
            elif self._futex[0] == here.thread:
                return self._obj[index]
        with self._lock:
            return self._obj[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        if self._turn[0] & 1 and self._futex[0] == here.thread:
            self._obj[index] = value
            return
        if type(index) is int:
            code = -1
            try:
                code = try_lock(self._mutex)
                if not code:
                    self._obj[index] = value
                    return
            finally:
                if not code:
                    unlock(self._mutex)
                elif code != errno.EBUSY:
                    self._lock.state.drop(code)
        with self._lock:
            self._obj[index] = value


def mixins(kind: Any) -> tuple[type, ...]:
    """What goes before multiprocessing's wrapper of this ctypes type."""
    array = issubclass(kind, ctypes.Array)
    element = kind._type_ if array else kind
    if not ORDERED or not issubclass(element, ctypes._SimpleCData) or ctypes.sizeof(element) > WORD:
        return ()
    return (Numbers,) if array else (Number,)
