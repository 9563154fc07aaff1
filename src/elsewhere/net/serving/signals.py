"""SIGTERM and SIGINT, as long as a server serves in the main thread."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Self

from elsewhere.net.serving.flag import Flag

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

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before if before is not None else signal.SIG_DFL)
        self._before.clear()
        self.first.close()
        self.second.close()

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if self.number is None:
            self.number = signal.Signals(number)
            self.first.set()
        else:
            self.second.set()
