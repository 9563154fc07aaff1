"""The lock of a `Value` or an `Array`: recursive, passable anywhere, and given back when its holder is killed.

Rule: between processes the kernel holds it, as a lock on one byte of the block's open file (an open-file-description
lock): when its holder ends, however, the file is closed and the lock is free. Between the threads of a process, which
share that file, it is a `threading.RLock`; there is one for each place, also if the lock was passed here several times.

multiprocessing's is a semaphore: it travels only while a process is started, and who is killed in it leaves it taken.
"""

from __future__ import annotations

import fcntl
import os
import struct
import threading
import time
import weakref
from typing import Any

from elsewhere.shared.pieces import Piece, take

__all__ = ["RLock"]

FLOCK = struct.Struct("hhqqi4x")  # struct flock: what, whence, start, length, pid
SETLK, SETLKW = getattr(fcntl, "F_OFD_SETLK", 37), getattr(fcntl, "F_OFD_SETLKW", 38)
PAUSES = 0.0001, 0.005  # seconds between two tries to get it in time: at first, and at most


class _State:
    """The lock as this process has it."""

    __slots__ = ("__weakref__", "asking", "depth", "give", "piece", "take", "thread")

    def __init__(self, piece: Piece) -> None:
        self.piece = piece
        self.take = FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, piece.offset, 1, 0)
        self.give = FLOCK.pack(fcntl.F_UNLCK, os.SEEK_SET, piece.offset, 1, 0)
        self.reset()

    def reset(self) -> None:
        """Held by nobody here."""
        self.thread = threading.RLock()
        self.depth = 0
        self.asking = 0  # a signal handler that takes and gives it back may run in the middle of that

    def failed(self) -> None:
        """It was asked for in vain; or was got just when a signal handler raised."""
        self.asking -= 1
        if not self.depth and not self.asking:
            fcntl.fcntl(self.piece.block.descriptor.fd, SETLK, self.give)
        self.thread.release()

    def acquire_by(self, deadline: float) -> bool:
        """Get it from the other processes in time; the kernel knows no timeout for it."""
        pause, most = PAUSES
        while True:
            try:
                fcntl.fcntl(self.piece.block.descriptor.fd, SETLK, self.take)
            except (BlockingIOError, PermissionError):
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                time.sleep(min(pause, left))
                pause = min(2 * pause, most)
            else:
                return True


_states: weakref.WeakValueDictionary[tuple[str, int], _State] = weakref.WeakValueDictionary()
_lock = threading.RLock()


class RLock:
    """A recursive lock between processes and threads, freed by the kernel when its holder dies."""

    __slots__ = ("__weakref__", "_state")

    def __init__(self, piece: Piece | None = None) -> None:
        if piece is None:
            piece = take(0)
        key = piece.block.token, piece.offset
        with _lock:
            state = _states.get(key)
            if state is None:
                state = _states[key] = _State(piece)
        self._state = state

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """As multiprocessing's: True if it is held now.

        Args:
            block: wait for it.
            timeout: seconds to wait at most; None is forever.
        """
        if not block or timeout is not None:
            return self._acquire_in_time(max(0.0, timeout or 0.0) if block else 0.0)
        state = self._state
        state.thread.acquire()
        if state.depth:
            state.depth += 1
            return True
        state.asking += 1
        try:
            fcntl.fcntl(state.piece.block.descriptor.fd, SETLKW, state.take)
        except BaseException:  # a signal handler's too
            state.failed()
            raise
        state.depth += 1
        state.asking -= 1
        return True

    def _acquire_in_time(self, timeout: float) -> bool:
        state = self._state
        deadline = time.monotonic() + timeout
        if not state.thread.acquire(timeout=timeout):
            return False
        state.asking += 1
        try:
            got = bool(state.depth) or state.acquire_by(deadline)
        except BaseException:
            state.failed()
            raise
        if got:
            state.depth += 1
            state.asking -= 1
        else:
            state.failed()
        return got

    def release(self) -> None:
        """Give it back, once for each time it was acquired.

        Raises:
            AssertionError: this thread does not hold it; multiprocessing raises that.
        """
        state = self._state
        if not state.depth or not state.thread._is_owned():  # type: ignore[attr-defined]  # threading.Condition asks it, too
            raise AssertionError("attempt to release recursive lock not owned by thread")
        state.depth -= 1
        if not state.depth and not state.asking:
            fcntl.fcntl(state.piece.block.descriptor.fd, SETLK, state.give)
        state.thread.release()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *details: object) -> None:
        self.release()

    def __reduce__(self) -> Any:
        return RLock, (self._state.piece,)

    def __repr__(self) -> str:
        state = self._state
        return f"<{type(self).__name__}({'held here' if state.depth else 'not held here'})>"


def _forked() -> None:
    """In a forked copy: what the parent holds, it does not hold."""
    global _lock
    _lock = threading.RLock()
    for state in list(_states.values()):
        state.reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
