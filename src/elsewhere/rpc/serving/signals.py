"""What `Service.serve` does in the main thread: wait for a signal.

Rule: a handler does nothing but put the signal's number where it is waited for, with what may be called from one. The
second signal ends the patience for calls that run.
"""

from __future__ import annotations

import queue
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from elsewhere.rpc.serving.server import Running

__all__ = ["serve_until_signal"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Again(BaseException):
    """A second signal came."""


def serve_until_signal(server: Running, drain: float) -> int:
    """Say where it serves, and close it when a signal comes; its number, or 0 if the server was closed otherwise.

    Outside the main thread, where no signal arrives, it waits until the server is closed.
    """
    print("serving at " + ", ".join(server.addresses), file=sys.stderr, flush=True)  # noqa: T201 - what a program shows
    told: queue.SimpleQueue[int] = queue.SimpleQueue()
    with _handled(told):
        try:
            server.when_closed(lambda: told.put(0))
            signum = told.get()
            if signum:
                server.close(drain)
        except _Again:
            server.close(0.0)
            signum = signal.SIGINT
        except BaseException:
            server.close(0.0)
            raise
    return int(signum)


@contextmanager
def _handled(told: queue.SimpleQueue[int]) -> Iterator[None]:
    """While this lasts, signals are put into the queue; the second one raises `_Again`."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    seen: list[int] = []

    def handle(signum: int, frame: FrameType | None) -> None:
        seen.append(signum)
        if len(seen) == 2:
            raise _Again
        told.put(signum)

    before: dict[signal.Signals, Any] = {signum: signal.signal(signum, handle) for signum in SIGNALS}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, signal.SIG_DFL if handler is None else handler)
