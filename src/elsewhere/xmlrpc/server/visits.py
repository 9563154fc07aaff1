"""The connections that a server has open, and what each of them is at.

Rule: a connection that was told to end runs no method. So whoever ends one that reads, to make room or as the server
stops, knows that its request was not begun. One whose method runs is never cut off, but after a server's last wait.
"""

from __future__ import annotations

import contextlib
import enum
import socket
import threading
import time

__all__ = ["State", "Visit", "Visits"]


class State(enum.Enum):
    """What a connection is at."""

    WAITS = "for the first byte of a request"
    READS = "a request"
    WORKS = "runs a method, or answers"


class Visit:
    """One connection; its methods that give a bool say whether to go on.

    Args:
        sock: of the connection.
        changed: told when it begins to wait; its state changes under this lock.

    Attributes:
        ended: it was told to end at once.
        last: it is to end after the request that it is at.
        thread: who serves it.
        kept: it may go on after a request, as nobody else waits for the thread.
        since: when it began with what it is at.
    """

    def __init__(self, sock: socket.socket, changed: threading.Condition) -> None:
        self.sock = sock
        self._changed = changed
        self.ended = False
        self.last = False
        self.kept = False
        self.state = State.WAITS
        self.since = time.monotonic()
        self.thread: threading.Thread | None = None

    def take(self, thread: threading.Thread, *, kept: bool) -> None:
        """Serve it in this thread from here on."""
        self.thread, self.kept = thread, kept

    def go(self, state: State) -> bool:
        """Begin with that, unless the connection was told to end."""
        with self._changed:
            if self.ended or (self.last and state is State.WAITS):
                return False
            if state is not self.state:
                self.state, self.since = state, time.monotonic()
            if state is State.WAITS:
                self._changed.notify_all()
            return True

    def end(self) -> None:
        """Wake whoever reads, to find the end; under the lock."""
        self.ended = True
        with contextlib.suppress(OSError):  # the base's, as TLS's own throws away what another thread still uses
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


class Visits:
    """The open connections of a server.

    Args:
        most: so many at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._changed = threading.Condition(threading.Lock())
        self._open: dict[socket.socket, Visit] = {}
        self._stopping = False

    def __len__(self) -> int:
        return len(self._open)

    def enter(self, sock: socket.socket) -> Visit:
        """The visit of a connection, a new one if there is none yet."""
        with self._changed:
            visit = self._open.get(sock)
            if visit is None:
                visit = self._open[sock] = Visit(sock, self._changed)
                visit.last = self._stopping
            return visit

    def leave(self, sock: socket.socket) -> None:
        with self._changed:
            self._open.pop(sock, None)
            self._changed.notify_all()

    def is_of_another(self, sock: socket.socket) -> bool:
        """Does a thread serve it that is not the calling one?"""
        with self._changed:
            visit = self._open.get(sock)
        thread = None if visit is None else visit.thread
        return thread is not None and thread is not threading.current_thread() and thread.is_alive()

    def room(self) -> bool:
        """Wait until there is room for one more connection; False: the server stops.

        With all places taken, the one goes that has waited longest for a request or for the rest of one.
        """
        with self._changed:
            while not self._stopping:
                if len(self._open) < self._most:
                    return True
                self._make_room()
                self._changed.wait()
            return False

    def _make_room(self) -> None:
        idle = [visit for visit in self._open.values() if visit.state is not State.WORKS]
        if idle:  # the same one again, until it has gone
            min(idle, key=lambda visit: visit.since).end()

    def rest(self, seconds: float) -> None:
        """Wait until a connection ends, at most so long."""
        with self._changed:
            if not self._stopping:
                self._changed.wait(seconds)

    def start(self) -> None:
        with self._changed:
            self._stopping = False

    def stop(self) -> None:
        """Each connection ends after the request that it is at; those that wait for one end now."""
        with self._changed:
            self._stopping = True
            for visit in self._open.values():
                visit.last = True
                if visit.state is State.WAITS:
                    visit.end()
            self._changed.notify_all()

    def drain(self, seconds: float) -> int:
        """After `stop`: wait so long for the connections, then cut them off; how many those are.

        The calling thread's own connection is neither waited for nor cut off.
        """
        deadline = time.monotonic() + seconds
        with self._changed:
            while (left := self._others()) and (remaining := deadline - time.monotonic()) > 0:
                self._changed.wait(remaining)
            for visit in left:
                visit.end()
        for visit in left:
            with self._changed:
                self._open.pop(visit.sock, None)
        return len(left)

    def _others(self) -> list[Visit]:
        me = threading.current_thread()
        return [visit for visit in self._open.values() if visit.thread is not me]
