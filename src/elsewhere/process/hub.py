"""Who of our processes has started and who has ended: the caller's end of the fork server, shared by all of them.

Rule: one Launcher for each start method, open only while a process of it lives, so that who runs none holds nothing.
A report may be read by whoever waits for another; it is kept here until its own process asks. So nobody sleeps for
longer than `LOOK` on a report that a second thread, or a signal handler of the same thread, may have read meanwhile.
"""

from __future__ import annotations

import itertools
import os
import select
import signal
import threading
import warnings
from collections.abc import Sequence

from elsewhere.errors import WorkerStartError
from elsewhere.process import defaults
from elsewhere.runtime.launch import Exited, Launcher, ServerLost, Started

__all__ = ["ENTRY", "Hub", "hub"]

ENTRY = "elsewhere.process.child:enter"
LOOK = 0.05  # seconds
UNKNOWN = 255  # the exit code of a process whose own is not known, as in multiprocessing


class Hub:
    """The processes of one start method.

    Args:
        method: "forkserver" or "spawn".
        preload: modules that the fork server imports.
    """

    def __init__(self, method: str, preload: tuple[str, ...]) -> None:
        self._method = method
        self._preload = preload
        self._launcher: Launcher | None = None
        self.lock = threading.RLock()  # a signal handler may end a process while its thread waits for another
        self._keys = itertools.count()
        self._alive: set[int] = set()
        self._started: dict[int, int] = {}
        self._ended: dict[int, int | None] = {}

    def start(self, fds: Sequence[int], *, outlives: bool) -> tuple[int, int]:
        """Start a process, which may go on when this one is killed, and return its key here and its pid.

        Raises:
            WorkerStartError: the fork server could not make it, or has died twice.
        """
        with self.lock:
            for _ in range(2):  # the server may have died since it was last asked; nobody has run anything then
                launcher = self._open()
                key = next(self._keys)
                self._alive.add(key)  # before: what a signal handler ends meanwhile must not close the Launcher
                try:
                    launcher.start(key, fds, outlives=outlives)
                    while key not in self._started and key not in self._ended:
                        self._read(LOOK)
                except BaseException:
                    self._alive.discard(key)  # nobody will ask after it
                    raise
                finally:
                    self._close_if_idle()
                for text in launcher.warnings:
                    warnings.warn(text, RuntimeWarning, stacklevel=6)  # where `start` was called
                if key in self._started:
                    return key, self._started.pop(key)
                del self._ended[key]
        raise WorkerStartError("the process could not be started: the fork server gave none")

    def status(self, key: int) -> int:
        """The exit code of a process that has ended, as its parent, the fork server, has seen it."""
        with self.lock:
            while key not in self._ended:
                self._read(LOOK)
            status = self._ended.pop(key)
            self._close_if_idle()
            return UNKNOWN if status is None else status

    def _open(self) -> Launcher:
        if self._launcher is None:
            self._launcher = Launcher("spawn" if self._method == "spawn" else "forkserver", self._preload, entry=ENTRY)
        return self._launcher

    def _read(self, seconds: float) -> None:
        """Note what has happened; if nothing has, after so many seconds at most."""
        launcher = self._launcher
        events = [] if launcher is None else launcher.read()
        if launcher is None or (not events and launcher.fileno() < 0):  # closed at this process's end; so are they
            self._ended.update(dict.fromkeys(self._alive, -signal.SIGKILL))
            self._alive.clear()
            return
        if not events:
            poll = select.poll()
            poll.register(launcher.fileno(), select.POLLIN)
            poll.poll(seconds * 1000)
            events = launcher.read()
        for event in events:
            if isinstance(event, Started):
                self._started[event.key] = event.pid
            elif isinstance(event, Exited):
                self._ended[event.key] = event.status
                self._alive.discard(event.key)
            elif isinstance(event, ServerLost):
                self._ended.update(dict.fromkeys(event.keys, -signal.SIGKILL))  # the kernel has sent it to all of them
                self._alive.difference_update(event.keys)
                self.abandon()

    def _close_if_idle(self) -> None:
        if not self._alive:
            self.abandon()

    def abandon(self) -> None:
        """Close our end, without a word to the server: it kills what it has for us, which is nothing any more."""
        launcher, self._launcher = self._launcher, None
        if launcher is not None:
            launcher.abandon()


_hubs: dict[tuple[str, tuple[str, ...]], Hub] = {}
_lock = threading.Lock()


def hub(method: str) -> Hub:
    """The hub of a start method."""
    key = method, defaults.preload() if method == "forkserver" else ()
    with _lock:
        if key not in _hubs:
            _hubs[key] = Hub(*key)
        return _hubs[key]


def _forget() -> None:
    """In a forked copy of this process the processes are the parent's, and so is who may hold a lock."""
    global _lock
    _lock = threading.Lock()
    for each in _hubs.values():
        each.abandon()
    _hubs.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
