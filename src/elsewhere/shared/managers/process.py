"""The manager's process, as its creator sees it: the interface of `multiprocessing.Process`, on a fork server.

Rule: it ends with its creator, however that ends; nobody but the creator waits for it.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
import time
from contextlib import suppress
from typing import Any, Literal

from elsewhere.errors import WorkerStartError
from elsewhere.runtime.launch import Exited, Launcher, ServerLost, Started

__all__ = ["ServerProcess"]


class ServerProcess:
    """See the module."""

    def __init__(
        self, method: Literal["forkserver", "spawn", "fork"], fds: list[int], inherited: Any, entry: str, name: str
    ) -> None:
        self.name = name
        self.daemon = True
        self._pid: int | None = None
        self._creator = os.getpid()
        self._status: int | None = None
        self._ended = False
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._launcher = Launcher(method, inherited=inherited, entry=entry)
        try:
            self._launcher.start(0, fds)
        except BaseException:
            self._launcher.close()
            raise

    @property
    def pid(self) -> int | None:
        """Known as soon as the manager is started."""
        if self._pid is None and self._creator == os.getpid():
            self._look()
        return self._pid

    @property
    def ident(self) -> int | None:
        """Its pid."""
        return self.pid

    @property
    def exitcode(self) -> int | None:
        """None while it runs; -9 if SIGKILL has ended it."""
        self._look()
        return self._status

    def is_alive(self) -> bool:
        self._look()
        return not self._ended

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has ended."""
        end = None if timeout is None else time.monotonic() + timeout
        while not self._look():
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                return
            fd = self._launcher.fileno()
            if fd >= 0:
                poll = select.poll()
                poll.register(fd, select.POLLIN)
                # Bounded, as another thread may read the event instead.
                poll.poll(100 if left is None else min(left * 1000, 100))

    def control(self, sock: socket.socket) -> None:
        """Take over the creator's end of the socket that it was started with."""
        self._control = sock

    def ask_to_end(self) -> None:
        """An orderly end; it does not wait, whatever state the process is in."""
        if self._control is not None:
            with suppress(OSError):
                self._control.send(b"\0", socket.MSG_DONTWAIT)

    def terminate(self) -> None:
        """SIGTERM."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self._signal(signal.SIGKILL)

    def _signal(self, signum: int) -> None:
        if not self._look():
            self._launcher.signal(0, signum)

    def close(self) -> None:
        """Kill it if it runs, and keep nothing open."""
        if self._creator == os.getpid():
            self._launcher.close()
            self._ended = True
            self._let_go()

    def _let_go(self) -> None:
        if self._control is not None:
            self._control.close()

    def _look(self) -> bool:
        """Has it ended?"""
        if self._creator != os.getpid():
            raise AssertionError("can only test a child process: this manager was started by another process")
        with self._lock:
            if self._ended:
                return True
            for event in self._launcher.read():
                if isinstance(event, Started):
                    self._pid = event.pid
                elif isinstance(event, Exited):
                    self._status, self._ended = event.status, True
                elif isinstance(event, ServerLost):
                    self._status, self._ended = -signal.SIGKILL, True
            if self._ended:
                self._launcher.close()
                self._let_go()
            return self._ended

    def failed(self) -> WorkerStartError:
        """Why it never became a server, in words."""
        self.join(5)
        more = "".join(f"; {text}" for text in self._launcher.warnings)
        return WorkerStartError(f"the manager's process ended before it could serve (status {self._status}){more}")
