"""What `Service.serve` does in the main thread: wait for a signal.

Rule: it waits in `poll`, for the byte that Python's own handler writes in C: no signal can come just between a look and
the sleep. Handlers themselves do nothing, so that no exception ever comes up halfway. The second signal ends the
patience for calls that run.
"""

from __future__ import annotations

import contextlib
import select
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from elsewhere.rpc.serving.server import Running

__all__ = ["serve_until_signal"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve_until_signal(server: Running, drain: float) -> int:
    """Say where it serves, and close it when a signal comes; its number, or 0 if the server was closed otherwise.

    Outside the main thread, where no signal arrives, it waits until the server is closed.
    """
    near, far = socket.socketpair()
    signum = 0
    with near, far:
        far.setblocking(False)
        server.when_closed(lambda: _wake(far))
        try:
            with _handled(far):
                print("serving at " + ", ".join(server.addresses), file=sys.stderr, flush=True)  # noqa: T201 - it is wanted
                signum = _told(near)
                if signum:
                    closing = threading.Thread(target=server.close, args=(drain,), name="elsewhere-rpc-close")
                    closing.start()
                    if _told(near):
                        server.hurry()
                    closing.join()
        except BaseException:  # of another signal's handler: who called has nothing to close it by
            server.close(0.0)
            raise
    return signum


def _wake(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):  # nobody waits any more
        sock.send(b"\0")


def _told(sock: socket.socket) -> int:
    """The first signal's number; 0 if the server is closed."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    while True:
        poll.poll()
        signum = sock.recv(1)[0]
        if signum == 0 or signum in SIGNALS:  # others have handlers of their own, and write here too
            return signum


@contextmanager
def _handled(sock: socket.socket) -> Iterator[None]:
    """While this lasts, signals are written into the socket."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(signum: int, frame: FrameType | None) -> None:
        """It is in the socket already."""

    pipe = signal.set_wakeup_fd(sock.fileno(), warn_on_full_buffer=False)
    before: dict[signal.Signals, Any] = {signum: signal.signal(signum, handle) for signum in SIGNALS}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, signal.SIG_DFL if handler is None else handler)
        signal.set_wakeup_fd(pipe)
