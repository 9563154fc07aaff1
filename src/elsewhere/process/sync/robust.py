"""A lock that the kernel frees when its holder ends: ``Lock(robust=True)``.

Rule: it is a lock of an open file description (F_OFD_SETLK), and each process has a description of its own, made by
itself, also after a fork: otherwise the kernel would take two processes for one, and let both in. Threads of one
process are kept apart by a lock of their own, which they have first.
"""

from __future__ import annotations

import fcntl
import os
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

from elsewhere.process.sync import kernel
from elsewhere.process.sync.block import Block, keep_apart
from elsewhere.process.sync.locks import Lock
from elsewhere.sansio.spinning import Spinning

__all__ = ["RobustLock"]

TRY = getattr(fcntl, "F_OFD_SETLK", 37)  # Linux's numbers, on every machine
WAIT = getattr(fcntl, "F_OFD_SETLKW", 38)
TAKE, FREE = (struct.pack("hhqqi4x", kind, os.SEEK_SET, 0, 1, 0) for kind in (fcntl.F_WRLCK, fcntl.F_UNLCK))
FREED, SLEEPERS = 8, 16  # words: how often it was released; does anybody wait for that with a timeout, perhaps?
LOOK = 0.05  # seconds between two looks of who waits with a timeout: the death of a holder changes no word


class RobustLock(Lock):
    """See `Lock`. Only the process that holds it can release it, from any of its threads."""

    _block: Block
    _fd = -1  # this process's own description

    def __init__(self, *, robust: bool = True, ctx: Any = None) -> None:
        self.__setstate__(Block.make("Lock"))

    def __getstate__(self) -> Any:
        return (self._block,)

    def __setstate__(self, state: Any) -> None:
        self._block = state if isinstance(state, Block) else state[0]
        self._spinning = Spinning()
        self._open()
        keep_apart(self)

    def _open(self) -> None:
        self._fd = os.open(f"/proc/self/fd/{self._block.fd}", os.O_RDWR | os.O_CLOEXEC)
        self._threads = threading.Lock()
        self._held = False

    def forked(self) -> None:
        """This process is a fork: what the other holds is not its own."""
        os.close(self._fd)
        self._open()

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        if self._fd >= 0:
            close(self._fd)

    def __repr__(self) -> str:
        return f"<Lock(robust=True, {'held by this process' if self._held else 'not held by this process'})>"

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """Take it; False if that was not possible in the time. Interrupted by Ctrl-C, as everything that waits."""
        deadline = None if timeout is None else time.monotonic() + max(0.0, timeout)
        if not block:
            got = self._threads.acquire(blocking=False)
        else:
            got = self._threads.acquire(timeout=-1 if timeout is None else max(0.0, timeout))
        if not got:
            return False
        try:
            self._held = self._take(block, deadline)
        finally:
            if not self._held:
                fcntl.fcntl(self._fd, TRY, FREE)  # an exception of a signal handler may come with it taken
                self._threads.release()
        return self._held

    def _take(self, block: bool, deadline: float | None) -> bool:
        if block and deadline is None:
            fcntl.fcntl(self._fd, WAIT, TAKE)
            return True
        words = self._block.words
        while True:
            seen = words[FREED]
            try:
                fcntl.fcntl(self._fd, TRY, TAKE)
            except (BlockingIOError, PermissionError):  # the two ways to say that another has it
                now = time.monotonic()
                if not block or deadline is None or now >= deadline:
                    return False
                address, until = self._block.address + 8 * FREED, min(deadline, now + LOOK)
                kernel.sleep(words, FREED, address, seen, SLEEPERS, until, self._spinning)
            else:
                return True

    def release(self) -> None:
        """Let it go.

        Raises:
            ValueError: this process does not hold it.
        """
        if not self._held:
            raise ValueError("release() of a robust Lock that this process does not hold")
        self._held = False
        words = self._block.words
        words[FREED] += 1
        fcntl.fcntl(self._fd, TRY, FREE)
        self._threads.release()
        if words[SLEEPERS]:
            words[SLEEPERS] = 0
            kernel.wake(self._block.address + 8 * FREED, kernel.ALL)

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *exception: object) -> None:
        self.release()
