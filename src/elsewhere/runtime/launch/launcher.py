"""The caller's end of a fork server: asks for workers, tells what became of them, and never waits (but in `close`).

A Launcher has no thread: its owner watches `fileno()` and calls `read()`. All methods may be called from any thread.

"The server died, so its workers are gone" is said only when it is true. The caller holds a pidfd of each worker, which
the worker itself sent before it ran anything of the user's, over a channel that it closes afterwards. So the end of
that channel means that each worker is either known here or never came to be; and `ServerLost` waits for the pidfds of
those that are known, and for the server's own. The kernel kills the workers when their server ends; nobody polls.
"""

import marshal
import os
import select
import signal
import time
import warnings
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Literal, NamedTuple

from elsewhere.errors import WorkerStartError, describe_exit
from elsewhere.runtime.launch import child, servers, wire
from elsewhere.runtime.launch.wire import Channel, Record

# Starts on their way at one time. Each has some 4 descriptors in flight; a user may have no more of them in flight than
# a process may have open (often 1024), and a stopped or starting server must not use them up.
WINDOW = 64


class Started(NamedTuple):
    """The worker is a process of its own, in a defined state, and about to call its entry."""

    key: int
    pid: int


class Exited(NamedTuple):
    """The worker has ended and was reaped. ``status`` as in subprocess: -9 is SIGKILL.

    One that could not be made has the pid 0 and the status None; `Launcher.warnings` says why.
    """

    key: int
    pid: int
    status: int | None


class ServerLost(NamedTuple):
    """The fork server has died, and with it, certainly, all these workers. The Launcher is of no more use."""

    keys: tuple[int, ...]


Event = Started | Exited | ServerLost


class Launcher:
    """Starts workers by way of a fork server, which it shares with others except for "fork".

    Attributes:
        warnings: what the user should hear once, in sentences; grows while `read` is called.
    """

    warnings: list[str]
    _closed = True  # until __init__ is through

    def __init__(
        self,
        method: Literal["forkserver", "spawn", "fork"] = "forkserver",
        preload: tuple[str, ...] = (),
        inherited: object = None,
        *,
        entry: str = "",
    ) -> None:
        if not hasattr(os, "fork"):
            raise WorkerStartError('where="processes" needs Linux or macOS; use where="threads"')
        if method not in ("forkserver", "spawn", "fork"):
            raise ValueError(f"method must be 'forkserver', 'spawn' or 'fork', not {method!r}")
        if inherited is not None and method != "fork":
            raise ValueError(f"only a worker started by 'fork' inherits objects, not one by {method!r}")
        self.warnings = []
        self._method = method
        self._preload = tuple(preload) if method == "forkserver" else ()
        self._asked: dict[int, None] = {}  # every key that has not ended, in order
        self._queue: deque[tuple[int, list[int] | None, int]] = (
            deque()
        )  # key, a start's fds or None, a signal or whether it outlives us
        self._unanswered: set[int] = set()  # starts on their way; at most WINDOW
        self._alive: dict[int, tuple[int, int | None]] = {}  # key → pid, pidfd
        self._events: list[Event] = []
        self._greeted = self._done = self._lost = self._told = False
        self._dying: set[int] = set()  # pidfds to see end before ServerLost
        self._unseen: list[int] = []  # pids without one
        with servers.gate:
            self._open(inherited, entry or child.ENTRY)

    def _open(self, inherited: object, entry: str) -> None:
        sock, self._server = (
            servers.fork(inherited) if self._method == "fork" else servers.connect(self._method, self._preload)
        )
        self._channel = Channel(sock)
        # Readable when the channel is, when it has room again for what waits, and when a lost worker's end is known.
        self._epoll: select.epoll | None = select.epoll() if hasattr(select, "epoll") else None
        self._writing = False
        if self._epoll is not None:
            self._epoll.register(sock, select.EPOLLIN)
        self._closed = False
        servers.abandoned.add(self)
        self._channel.post(wire.HELLO, payload=marshal.dumps((entry, servers.search_path())))

    def __repr__(self) -> str:
        state = "closed" if self._closed else "lost" if self._lost else f"{len(self._asked)} workers"
        return f"<Launcher {self._method} {state}>"

    def fileno(self) -> int:
        """A descriptor that is readable when `read` has something to do; -1 once closed."""
        if self._closed:
            return -1
        return self._channel.fileno() if self._epoll is None else self._epoll.fileno()

    def start(self, key: int, fds: Sequence[int], *, outlives: bool = False) -> None:
        """Ask for a worker. It gets duplicates of the descriptors; the caller may close its own at once.

        Its stdout and stderr are what the caller's descriptors 1 and 2 are now. It ends with the caller, unless it
        `outlives` one that does not `close` its Launcher: then its server stays for it.
        """
        if len(fds) > wire.MAX_START_FDS:
            raise ValueError(f"a worker can be given {wire.MAX_START_FDS} descriptors, not {len(fds)}")
        with servers.gate:
            if self._closed or self._told:
                raise WorkerStartError("this launcher is closed" if self._closed else "its fork server has died")
            if key in self._asked:
                raise ValueError(f"worker {key} exists")
            if self._queue or len(self._unanswered) >= WINDOW:
                self._queue.append((key, [os.dup(fd) for fd in fds], int(outlives)))
            else:
                self._send_start(key, fds, outlives=outlives)
            self._asked[key] = None
            self._watch()

    def signal(self, key: int, signum: int) -> None:
        """Send a worker a signal; nothing happens if it is gone."""
        with servers.gate:
            if self._closed or key not in self._asked:
                return
            if key in self._alive or key in self._unanswered:
                self._channel.post(wire.SIGNAL, key, number=signum)
            else:
                self._queue.append((key, None, signum))
            self._watch()

    def read(self) -> list[Event]:
        """What happened since the last time. After `close`: what had happened before."""
        with servers.gate:
            if not self._closed:
                self._advance()
            events, self._events = self._events, []
            return events

    def close(self, timeout: float = 1.0) -> None:
        """Kill the workers that are left, and return when they are gone, or after the timeout."""
        deadline = time.monotonic() + timeout
        with servers.gate:
            if self._closed:
                return
            self._drop_queue()
            self._channel.post(wire.BYE)
        while (left := deadline - time.monotonic()) > 0 and (fd := self._awaited()) >= 0:
            poll = select.poll()
            poll.register(fd, select.POLLIN)
            poll.poll(left * 1000)
        with servers.gate:
            finished = self._done or self._told
            if not finished:
                self._kill()
            self._dispose()
        if self._method == "fork":
            self._server.end(timeout if finished else 0.0)

    def _awaited(self) -> int:
        """What `close` waits for; -1 when there is no need to."""
        with servers.gate:
            if self._closed:
                return -1
            self._advance()
            return -1 if self._done or self._told else self.fileno()

    def _send_start(self, key: int, fds: Sequence[int], *, outlives: bool) -> None:
        flags, stdio = wire.OUTLIVES if outlives else 0, []
        for fd, flag in ((1, wire.HAS_STDOUT), (2, wire.HAS_STDERR)):
            with suppress(OSError):
                if os.get_inheritable(fd):  # else stdout was closed, and some socket has got its number
                    flags |= flag
                    stdio.append(fd)
        self._channel.post(wire.START, key, flags=flags, fds=[*stdio, *fds])
        self._unanswered.add(key)

    def _send_queued(self) -> None:
        while self._queue:
            key, fds, number = self._queue[0]
            if fds is None:
                self._channel.post(wire.SIGNAL, key, number=number)
            elif len(self._unanswered) >= WINDOW:
                break
            else:
                self._send_start(key, fds, outlives=bool(number))
                wire.close_all(fds)
            self._queue.popleft()

    def _drop_queue(self) -> None:
        for _, fds, _ in self._queue:
            wire.close_all(fds or ())
        self._queue.clear()

    def _watch(self) -> None:
        """Wait for room in the socket exactly while something waits for it."""
        if self._epoll is not None and not self._lost and self._writing != self._channel.pending:
            self._writing = self._channel.pending
            self._epoll.modify(self._channel, select.EPOLLIN | (select.EPOLLOUT if self._writing else 0))

    def _advance(self) -> None:
        if not self._lost:
            self._channel.flush()
            for record in self._channel.receive():
                self._take(record)
            if self._channel.eof and not self._done:
                self._lose()
            else:
                self._send_queued()
                self._watch()
        if self._lost and not self._told:
            self._bury()

    def _take(self, record: Record) -> None:
        key = record.key
        self._greeted = True
        if record.kind == wire.STARTED:
            self._unanswered.discard(key)
            self._alive[key] = record.pid, record.fds[0] if record.fds else None
            self._events.append(Started(key, record.pid))
        elif record.kind == wire.EXITED:
            self._unanswered.discard(key)
            self._forget(key)
            status = None if record.flags & wire.UNKNOWN else record.number
            self._events.append(Exited(key, record.pid, status))
        elif record.kind == wire.WARNING:
            self._warn(record.payload.decode())
        elif record.kind == wire.DONE:
            self._done = True

    def _forget(self, key: int) -> None:
        self._asked.pop(key, None)
        _, pidfd = self._alive.pop(key, (0, None))
        if pidfd is not None:
            os.close(pidfd)

    def _warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)

    def _lose(self) -> None:
        """The server's end is closed: find out when it and the workers have ended."""
        self._lost = True
        servers.forget(self._server)
        self._drop_queue()
        processes = list(self._alive.values())
        if not self._server.gone():
            with suppress(OSError, AttributeError):
                processes.append((self._server.pid, os.pidfd_open(self._server.pid)))
        self._alive.clear()
        if self._epoll is not None:
            self._epoll.unregister(self._channel)
        for pid, pidfd in processes:
            if pidfd is None or self._epoll is None:
                self._unseen.append(pid)
            else:
                self._dying.add(pidfd)
                self._epoll.register(pidfd, select.EPOLLIN)

    def _bury(self) -> None:
        poll = select.poll()
        for pidfd in self._dying:
            poll.register(pidfd, select.POLLIN)
        for pidfd, _ in poll.poll(0):
            self._dying.discard(pidfd)
            if self._epoll is not None:
                self._epoll.unregister(pidfd)
            os.close(pidfd)
        if self._dying:
            return
        for pid in self._unseen:
            _see_end(pid)
        self._told = True
        if self._server.gone() and self._server.status is not None:
            during = f" (preload={self._preload!r})" if self._preload and not self._greeted else ""
            self._warn(f"the fork server {describe_exit(self._server.status)}{during}")
        self._events.append(ServerLost(tuple(self._asked)))
        self._asked.clear()

    def _kill(self) -> None:
        """The server does not answer (stopped, perhaps). A pidfd hits the right process, whoever sends."""
        for _, pidfd in self._alive.values():
            if pidfd is not None:
                with suppress(OSError):
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)

    def _dispose(self) -> None:
        if self._closed:
            return
        self._closed = True
        servers.abandoned.discard(self)
        self._drop_queue()
        for key in list(self._alive):
            self._forget(key)
        wire.close_all(list(self._dying))
        self._dying.clear()
        self._asked.clear()
        if self._epoll is not None:
            self._epoll.close()
        self._channel.close()

    def abandon(self) -> None:
        """In a fork of the caller: close what is the parent's, touch nothing it has. (epoll_ctl would.)"""
        self._dispose()

    def __del__(self) -> None:
        if not self._closed:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)
            self._dispose()


def _see_end(pid: int) -> None:
    """Without pidfds (macOS, old kernels): kill it if nothing else has, and wait until the pid is free, 1 s at most.

    The pid is still that worker's: only its parent could have reaped it, and that has just died.
    """
    for _ in range(500):
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            return
        time.sleep(0.002)
