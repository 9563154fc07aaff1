"""The lock of a `Value` or an `Array`: recursive, passable anywhere, and given back when its holder is killed.

Rule: who holds it is what the kernel sees, a robust mutex in shared memory (`runtime/locks/mutex.py`); this side adds
how often, and a turn.

::

    piece:   mutex (48 bytes)   unused   TURN (8 bytes)

TURN grows by one when the lock is taken and when it is given back: it is odd while somebody holds it. So who only looks
at a single number need not take the lock: if TURN was even before and is the same afterwards, nobody held the lock in
the meantime. A holder that was killed leaves it odd, which is right for the next one: what counts are the even ones,
of which none comes again.

Signal handlers and finalizers may run between any two calls, and may want the lock that the code below them is about to
take or to give back. They find the mutex held by their own thread and have it at once, as a recursive lock should be;
`BORROWED` is added to their count, and when that is used up, the mutex stays as it was.

What this process holds is kept in a place that is never freed: memory with a held mutex must not be unmapped, neither
when the last `Value` goes nor at the interpreter's end, or the kernel could not find the mutex to mark it.

multiprocessing's is a semaphore: it travels only while a process is started, and who is killed in it leaves it taken.
"""

from __future__ import annotations

import ctypes
import errno
import os
import threading
import time
import weakref
from typing import Any

from elsewhere.errors import ProtocolError
from elsewhere.runtime.locks import mutex as mutexes
from elsewhere.runtime.locks.mutex import FUTEX, HOLDER, give_up, try_lock, unlock
from elsewhere.shared.pieces import Piece, take

__all__ = ["ORDERED", "RLock", "State", "here"]

SIZE = 64  # bytes: the mutex, and TURN in the last word
TURN = SIZE // 8 - 1
BORROWED = 1 << 40  # in a count: the mutex is held by what was interrupted
SLICE = 0.1  # seconds: how late Ctrl-C may come
ORDERED = os.uname().machine in ("x86_64", "amd64")  # loads are seen in order: a turn tells what it says there


class _Here(threading.local):
    """This thread, as the kernel counts it."""

    def __init__(self) -> None:
        self.thread = threading.get_native_id()


here = _Here()
_held: dict[State, int] = {}  # what threads of this process hold, and how often
ctypes.pythonapi.Py_IncRef(ctypes.py_object(_held))  # never freed: see above


class State:
    """The lock as this process has it.

    Attributes:
        mutex: what the functions of `mutexes` take.
        turn: a memoryview of the one word TURN.
        futex: a memoryview of the futex word, which is the number of the thread that holds the lock.
    """

    __slots__ = ("__weakref__", "futex", "mutex", "piece", "turn")

    def __init__(self, piece: Piece) -> None:
        if piece.size != SIZE:
            raise ProtocolError("a handle of a shared lock has not its size: it was forged or damaged")
        self.piece = piece
        view = piece.create_memoryview()
        self.turn = view.cast("q")[TURN:]
        self.futex = view.cast("i")[FUTEX : FUTEX + 1]
        self.mutex = ctypes.byref((ctypes.c_char * SIZE).from_buffer(view))

    def depth(self) -> int:
        """How often this thread has it; `BORROWED` if only what was interrupted has it, 0 if it has not."""
        return _held.get(self, BORROWED) if self.futex[0] & HOLDER == here.thread else 0

    def wait(self, code: int, depth: int, deadline: float | None) -> bool:
        """Go on where `try_lock` has answered with this code, not 0; this thread had the lock so often before."""
        if depth == BORROWED:
            _held[self] = BORROWED + 1
            self.turn[0] |= 1
        elif depth:
            _held[self] = depth + 1
        elif mutexes.acquire(self.mutex, code, deadline, SLICE):
            _held[self] = 1
            self.turn[0] |= 1
        else:
            return False
        return True

    def interrupted(self, depth: int) -> None:
        """An exception came while the lock was being taken: undo that.

        Args:
            depth: how often this thread had it before; -1 if that was not known yet, so that nothing was counted.
        """
        found = self.depth()
        if depth > 0 and depth != BORROWED:
            _held[self] = depth
        elif found and (depth >= 0 or found == BORROWED):
            if self in _held:
                del _held[self]
                self.turn[0] += 1
            if depth != BORROWED:
                give_up(self.mutex)

    def drop(self, code: int) -> None:
        """Give up the bare mutex, which was tried with this answer; -1 if the answer got lost on its way."""
        if code < 0:
            self.interrupted(-1)
        elif code == errno.EOWNERDEAD:
            _held.pop(self, None)  # a thread of this process may be what died
            give_up(self.mutex)


_states: weakref.WeakValueDictionary[tuple[str, int], State] = weakref.WeakValueDictionary()
_lock = threading.RLock()


class RLock:
    """A recursive lock between processes and threads, freed by the kernel when its holder dies.

    Held by a thread: when that ends, its process may live on, and the lock is free.
    """

    __slots__ = ("__weakref__", "state")

    def __init__(self, piece: Piece | None = None) -> None:
        new = piece is None
        if piece is None:
            piece = take(SIZE)
        key = piece.block.token, piece.offset
        with _lock:
            state = _states.get(key)
            if state is None:
                _unpin()
                state = _states[key] = State(piece)
                if new:
                    mutexes.make(state.mutex)
        self.state = state

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """As multiprocessing's: True if it is held now.

        Args:
            block: wait for it.
            timeout: seconds to wait at most; None is forever.
        """
        state = self.state
        depth = -1
        try:
            code = try_lock(state.mutex)
            if not code:  # from here to the end no signal handler can come in between
                state.turn[0] |= 1
                _held[state] = 1
                return True
            depth = 0 if code == errno.EOWNERDEAD else state.depth()
            deadline = None
            if not block or timeout is not None:
                deadline = time.monotonic() + (max(0.0, timeout or 0.0) if block else 0.0)
            return state.wait(code, depth, deadline)
        except BaseException:
            state.interrupted(depth)
            raise

    def release(self, kind: object = None, error: object = None, traceback: object = None) -> None:
        """Give it back, once for each time it was acquired.

        Args:
            kind: what `with` tells, like the others; not looked at.
            error: see there.
            traceback: see there.

        Raises:
            AssertionError: this thread does not hold it; multiprocessing raises that.
        """
        state = self.state
        depth = _held[state] if state in _held and state.futex[0] & HOLDER == here.thread else None
        if depth == 1:  # from here to the end no signal handler can come in between
            state.turn[0] += 1
            del _held[state]
            unlock(state.mutex)
        elif depth is None:
            raise AssertionError("attempt to release recursive lock not owned by thread")
        elif depth == BORROWED + 1:
            state.turn[0] += 1
            del _held[state]
        else:
            _held[state] = depth - 1

    __enter__, __exit__ = acquire, release

    def __reduce__(self) -> Any:
        return RLock, (self.state.piece,)

    def __repr__(self) -> str:
        held = self.state in _held and self.state.futex[0]
        return f"<{type(self).__name__}({'held here' if held else 'not held here'})>"


def _unpin() -> None:
    """Let go of what threads held that have ended: the kernel has marked it, and it may be another's by now."""
    for state in list(_held):
        thread = state.futex[0] & HOLDER
        if not thread or not os.path.exists(f"/proc/self/task/{thread}"):
            _held.pop(state, None)


def _forked() -> None:
    """In a forked copy: what the parent holds, it does not hold, and its only thread has another number."""
    global _lock
    _lock = threading.RLock()
    here.thread = threading.get_native_id()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
