"""SIGTERM and SIGINT, as long as a server serves in the main thread."""

from __future__ import annotations

import signal
import threading
from select import POLLIN, poll
from time import monotonic
from types import FrameType
from typing import Any, Self

from elsewhere.net.serving.flag import Bell, Flag
from elsewhere.transport.stream import milliseconds

__all__ = ["Signals"]


class Signals:
    """In the main thread, the first such signal sets one flag, and the second another. Elsewhere nothing is done.

    The handlers only set flags: what waits then goes on where it is, and nothing is interrupted halfway.

    Attributes:
        first: ask it to end.
        second: ... at once.
        number: the first signal's; None while there was none.
    """

    def __init__(self) -> None:
        self.first, self.second = Flag(), Flag()
        self.number: signal.Signals | None = None
        self._before: dict[int, Any] = {}
        # Rung by the part of a handler that is written in C. The other runs only between two steps of Python in the
        # main thread: never, if the signal hits another thread, or this one just before it begins to sleep.
        self._bell: Bell | None = None
        self._bell_before = -1

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._bell = Bell()
            self._bell_before = signal.set_wakeup_fd(self._bell.rings, warn_on_full_buffer=False)
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before if before is not None else signal.SIG_DFL)
        self._before.clear()
        if self._bell is not None:
            signal.set_wakeup_fd(self._bell_before)
            self._bell.close()
        self.first.close()
        self.second.close()

    def wait(self, *flags: Flag, seconds: float | None = None) -> None:
        """Wait until one of these is set, or the time is over."""
        deadline = None if seconds is None else monotonic() + seconds
        while not any(flag.is_set for flag in flags):
            left = None if deadline is None else deadline - monotonic()
            if left is not None and left <= 0:
                return
            poller = poll()
            for one in (*flags, self._bell):
                if one is not None:
                    poller.register(one, POLLIN)
            poller.poll(None if left is None else milliseconds(left))
            if self._bell is not None:
                self._bell.hush()

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if self.number is None:
            self.number = signal.Signals(number)
            self.first.set()
        else:
            self.second.set()
