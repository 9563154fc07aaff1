"""A flag that any thread, or a signal's handler, can set, and that `poll` can wait for."""

from __future__ import annotations

import os
from contextlib import suppress
from select import POLLIN, poll

from elsewhere.transport.stream import milliseconds

__all__ = ["Bell", "Flag"]


class Flag:
    """Set once, and never unset: a pipe whose far end is closed, so that it stays readable."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self._open = [self._write]  # taken out by who sets it: `list.pop` is one step, also for a signal's handler

    def fileno(self) -> int:
        """Readable once it is set."""
        return self._read

    def set(self) -> None:
        try:
            write = self._open.pop()
        except IndexError:
            return
        os.close(write)

    @property
    def is_set(self) -> bool:
        return not self._open

    def wait(self, seconds: float | None, other: Flag | None = None) -> bool:
        """Wait until it is set, or the other one is; False if the time is over before."""
        flags = [flag for flag in (self, other) if flag is not None]
        if any(flag.is_set for flag in flags):
            return True
        poller = poll()
        for flag in flags:
            poller.register(flag, POLLIN)
        return bool(poller.poll(None if seconds is None else milliseconds(seconds)))

    def close(self) -> None:
        """Nobody will wait for it any more; it counts as set."""
        self.set()
        read, self._read = self._read, -1
        if read >= 0:
            os.close(read)

    __del__ = close


class Bell:
    """Rung any number of times, heard once."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)

    def fileno(self) -> int:
        return self._read

    def ring(self) -> None:
        with suppress(BlockingIOError):  # it rings loud enough
            os.write(self._write, b"!")

    def hush(self) -> None:
        with suppress(BlockingIOError):
            while os.read(self._read, 512):
                pass

    def close(self) -> None:
        """Nobody will ring it, or hear it, any more."""
        ends, self._read, self._write = (self._read, self._write), -1, -1
        for end in ends:
            if end >= 0:
                os.close(end)

    __del__ = close
