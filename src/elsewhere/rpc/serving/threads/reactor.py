"""The one thread that accepts connections, watches those that are parked, and sees which owners are busy for long.

Rule: it runs no method and never waits for a peer. It sleeps in epoll: without a limit when nothing goes on; 2 ms at a
time while a method runs that may take long, 20 ms while connections are owned; until the next time limit else.

::

    accept ─> parked ──readable──> queue ─> an owner reads, runs, answers, lingers ──nothing came──> parked
                                     ^             │ a method runs for 2 ms
                                     └─────────────┘ the rest goes to the next owner
"""

from __future__ import annotations

import logging
import math
import os
import queue
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from elsewhere.rpc.serving.arrivals import Arrival, Entrance, Source
from elsewhere.rpc.serving.deadlines import Deadline, Deadlines
from elsewhere.rpc.serving.engine import Engine
from elsewhere.rpc.serving.threads.connection import LINGER, Connection
from elsewhere.rpc.serving.threads.owner import LOOK, Owner
from elsewhere.rpc.serving.threads.secure import Secure
from elsewhere.transport.connecting import tune

if TYPE_CHECKING:
    from elsewhere.rpc.web.listening.serving import Web

__all__ = ["Reactor"]

_log = logging.getLogger("elsewhere.rpc")
SLOWLY = 0.02  # seconds between two looks at owners whose methods have all proven to be quick: each look costs them one
PUSH = 0.02  # seconds that an owner waits for the kernel to take a large answer, before the reactor sends the rest
EAGER = 4  # threads that are started as soon as there is something to do; more, when it waits for a look
STAY = 10.0  # seconds that a thread without work stays; the last one stays longer
PATIENCE = 2.0  # seconds for threads that were told to end
OVERFLOW = 8  # abandoned threads and those that wait for their callers may be this many times the threads
READABLE = select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR


class Reactor:
    """Serves connections on threads.

    Args:
        engine: of the service.
        arrivals: where connections come from.

    Attributes:
        web: serves the connections of HTTP; None if there are none.
    """

    web: Web | None = None

    def __init__(self, engine: Engine, arrivals: Source) -> None:
        self.engine = engine
        self.connections: dict[int, Connection] = {}
        self._arrivals = arrivals
        self._poll = select.epoll()
        self._entrance = Entrance(
            arrivals,
            watch=lambda fd: self._poll.register(fd, select.EPOLLIN),
            unwatch=self._poll.unregister,
            later=self.later,
            welcome=self._greet,
            closing=lambda: engine.closing,
        )
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll.register(self._wake, select.EPOLLIN)
        self._deadlines = Deadlines()
        self._ready: queue.SimpleQueue[Connection | None] = queue.SimpleQueue()
        self._lock = threading.Lock()  # of the four numbers and the list below
        self._active = 0  # connections that wait for an owner or have one
        self._idle = 0  # owners that wait for a connection
        self._lent = 0  # owners that do not count: they wait for their callers, or were abandoned
        self._number = 0
        self._owners: list[Owner] = []
        self._until = math.inf  # it sleeps no longer than that
        self._stopping = False
        self.empty = threading.Event()  # set, when the service closes, once there is no connection any more
        self._thread = threading.Thread(target=self._run, name="elsewhere-rpc-reactor", daemon=True)

    def start(self) -> None:
        """Accept from now on."""
        self._entrance.open()
        try:
            self._thread.start()
        except RuntimeError:
            self._close()
            raise

    # ---- its thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._until = math.inf  # before the look: who adds something after it wakes this thread
                now = time.monotonic()
                left = self._look(now)
                self._until = now + left
                for fd, event in self._poll.poll(-1 if left == math.inf else max(0.0, left)):
                    self._surely(partial(self._happened, fd, event))
                for work in self._deadlines.due(time.monotonic()):
                    self._surely(work)
        except BaseException:  # what goes on without it would hang
            _log.critical("the server is ended by a bug in elsewhere", exc_info=True)
            raise

    def _surely(self, work: Callable[[], object]) -> None:
        """Whatever goes wrong with one connection, the others are served."""
        try:
            work()
        except Exception:  # noqa: BLE001 - see above
            _log.critical("a bug in elsewhere", exc_info=True)

    def _happened(self, fd: int, event: int) -> None:
        connection = self.connections.get(fd)
        if connection is not None:
            self._moved(connection, event)
        elif fd in self._entrance:
            self._entrance.accept(fd)
        elif fd == self._wake:
            os.eventfd_read(fd)

    def _moved(self, connection: Connection, event: int) -> None:
        if event & select.EPOLLOUT:
            connection.push()
        if not event & READABLE:
            return
        if connection.wants()[0]:
            if connection.claim():
                self.enqueue(connection)
        elif not event & select.EPOLLIN:
            connection.end("it was reset")

    def _look(self, now: float) -> float:
        """Look at the owners; for how long may it sleep?"""
        left = self._deadlines.next() - now
        if not self._active:
            return left
        closely = False
        for owner in self._owners:
            closely |= owner.look(now)
        waiting = self._ready.qsize()
        if waiting > self._idle:
            self._start_owners(1 + (waiting - self._idle) // 8)
        # Also if as many owners seem to be idle: one that has just found a connection counts as idle for a moment more.
        return min(left, LOOK if closely or waiting else SLOWLY)

    # ---- new connections ---------------------------------------------------------------------------------------------

    def stop_accepting(self) -> None:
        """Look at the listeners no more."""
        self._entrance.close()

    def _greet(self, arrival: Arrival) -> None:
        sock, label, context, _ = arrival
        limits, web = self.engine.limits, self.web
        count = len(self.connections) + (0 if web is None else web.count)
        if count >= limits.connections or self.engine.closing:
            self._entrance.warn("%s is turned away: there are %d connections", label, count)
            sock.close()
            self._arrivals.gone()
            return
        if web is not None and arrival.web:
            web.take(arrival)
            return
        sock.setblocking(True)
        tune(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(LINGER))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(PUSH))
        connection = Connection(self, sock, label, None if context is None else Secure(context))
        self.connections[connection.fd] = connection
        self._poll.register(connection.fd, select.EPOLLIN | select.EPOLLONESHOT)
        if context is not None or not connection.session.authorized:
            connection.expect(limits.handshake, lambda: self._look_whether_it_knows(connection))
        if limits.idle is not None:
            connection.expect(limits.idle, lambda: self._look_whether_it_lives(connection))

    def _look_whether_it_knows(self, connection: Connection) -> None:
        if connection.secure is not None and not connection.secure.ready:
            connection.end("no TLS handshake in time")
        elif not connection.session.authorized:
            connection.end("no token in time")

    def _look_whether_it_lives(self, connection: Connection) -> None:
        idle = self.engine.limits.idle
        if idle is None:
            return
        left = connection.since + idle - time.monotonic()
        if left <= 0.0 and connection.parked and not connection.session.running:
            connection.end(f"nothing came for {idle:g} s")
        else:
            connection.expect(left if left > 0.0 else idle, lambda: self._look_whether_it_lives(connection))

    # ---- what connections ask for ------------------------------------------------------------------------------------

    def watch(self, connection: Connection) -> None:
        """Watch it for what it wants; it holds its lock."""
        reading, writing = connection.wants()
        events = (select.EPOLLIN if reading else 0) | (select.EPOLLOUT if writing else 0)
        if events or connection.parked:
            self._poll.modify(connection.fd, events | select.EPOLLONESHOT)

    def enqueue(self, connection: Connection) -> None:
        """It belongs to the next owner that is free."""
        with self._lock:
            self._active += 1
            self._ready.put(connection)
            start = self._ready.qsize() > self._idle and len(self._owners) - self._lent < min(EAGER, self._most)
        if start:
            self._start_owners(1)
        self.look_before(time.monotonic() + SLOWLY)

    def gone(self, connection: Connection) -> None:
        """It is being closed."""
        self._poll.unregister(connection.fd)
        self.connections.pop(connection.fd, None)
        self._arrivals.gone()
        if self.engine.closing and not self.connections:
            self.empty.set()

    def later(self, seconds: float, work: Callable[[], object]) -> Deadline:
        """Call `work` in this thread after so many seconds."""
        entry = self._deadlines.add(time.monotonic() + seconds, work)
        self.look_before(entry.when)
        return entry

    def look_before(self, when: float) -> None:
        """It is not to sleep for longer than that."""
        if when < self._until and threading.current_thread() is not self._thread:
            with self._lock:
                if not self._stopping:
                    os.eventfd_write(self._wake, 1)

    # ---- owners ------------------------------------------------------------------------------------------------------

    @property
    def _most(self) -> int:
        return self.engine.limits.threads

    def _start_owners(self, count: int) -> None:
        for _ in range(count):
            with self._lock:
                if self._stopping or len(self._owners) - min(self._lent, OVERFLOW * self._most) >= self._most:
                    return
                self._number += 1
                owner = Owner(self, self._number)
                try:
                    owner.thread.start()  # under the lock, so that `stop` finds none that has not begun
                except RuntimeError as error:  # the system has no more of them; those that there are go on
                    _log.error("no thread can be started for now: %s", error)
                    return
                self._owners = [*self._owners, owner]  # the reactor goes through it without the lock

    def next_ready(self) -> Connection | None:
        """Wait for a connection; None if the thread is to end."""
        while True:
            with self._lock:
                self._idle += 1
                alone = len(self._owners) - self._lent <= 1
            try:
                return self._ready.get(timeout=None if alone else STAY)
            except queue.Empty:
                pass
            finally:
                with self._lock:
                    self._idle -= 1
            with self._lock:
                if not self._ready.qsize() and self._idle:
                    return None

    def left(self) -> None:
        """An owner has left its connection."""
        with self._lock:
            self._active -= 1

    def may_linger(self) -> bool:
        """May an owner wait for the next message, or is it needed elsewhere?"""
        return self._ready.qsize() <= self._idle and not self.engine.closing

    def lend(self, count: int) -> None:
        """So many owners more count no longer."""
        with self._lock:
            self._lent += count

    def thread_ended(self, owner: Owner) -> None:
        """An owner's thread leaves."""
        with self._lock:
            self._owners = [each for each in self._owners if each is not owner]
            if owner.abandoned:
                self._lent -= 1

    # ---- the end -----------------------------------------------------------------------------------------------------

    def drain(self, seconds: float) -> bool:
        """Let what runs end, and refuse what comes; True if all of it has ended in time. `engine.closing` is set."""
        self.later(0.0, self._dismiss)
        return self.empty.wait(seconds)

    def _dismiss(self) -> None:
        """In this thread, which alone lets connections in: from here on there are no more."""
        for connection in list(self.connections.values()):
            connection.session.methods = {}
            if connection.claim():
                self.enqueue(connection)
        if not self.connections:
            self.empty.set()

    def mine(self) -> bool:
        """Is the calling thread one that runs methods?"""
        return any(owner.thread is threading.current_thread() for owner in self._owners)

    def hurry(self) -> None:
        """`drain` is to wait no longer."""
        self.empty.set()

    def stop(self) -> None:
        """End everything now. Threads whose methods do not end are left to themselves."""
        for connection in list(self.connections.values()):
            connection.end("the service has ended")
        with self._lock:
            self._stopping = True
            owners = self._owners
        for _ in owners:
            self._ready.put(None)
        os.eventfd_write(self._wake, 1)
        patience = time.monotonic() + PATIENCE
        for thread in [self._thread, *(owner.thread for owner in owners if not owner.token and not owner.call)]:
            if thread is not threading.current_thread():
                thread.join(max(0.0, patience - time.monotonic()))
        self._close()

    def _close(self) -> None:
        for connection in list(self.connections.values()):  # of an owner that is stuck in a method
            connection.close()
        self._poll.close()
        os.close(self._wake)


def _timeval(seconds: float) -> bytes:
    return struct.pack("ll", int(seconds), int(seconds % 1 * 1e6))
