"""A flag that any thread, or a signal's handler, can set, and that `poll` can wait for."""

from __future__ import annotations

import os
from contextlib import suppress
from select import POLLIN, poll
from typing import Self

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

    def wait(self, seconds: float | None) -> bool:
        """Wait until it is set; False if the time is over before."""
        if self.is_set:
            return True
        poller = poll()
        poller.register(self, POLLIN)
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

    @property
    def rings(self) -> int:
        """The descriptor that rings it when something is written there."""
        return self._write

    def ring(self) -> None:
        with suppress(BlockingIOError):  # it rings loud enough
            os.write(self._write, b"!")

    def hush(self) -> None:
        with suppress(BlockingIOError):
            while os.read(self._read, 512):
                pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nobody will ring it, or hear it, any more."""
        ends, self._read, self._write = (self._read, self._write), -1, -1
        for end in ends:
            if end >= 0:
                os.close(end)

    __del__ = close
