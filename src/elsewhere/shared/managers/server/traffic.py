"""The connections of a manager's server: who may, and bytes in and out.

Rule: nothing of a peer is unpickled before it has proved that it has the key, and no peer that is slow, stopped or gone
keeps another waiting.
"""

from __future__ import annotations

import abc
import collections
import heapq
import itertools
import os
import select
import socket
import struct
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import connection
from typing import Any

from elsewhere.runtime.spin import wait_soon
from elsewhere.sansio.spinning import Spinning
from elsewhere.shared.managers import wire

from .lanes import Lane
from .locks import Acquirable, Call
from .references import References

__all__ = ["Client", "Traffic"]

PATIENCE = 20  # seconds for a peer to prove that it has the key
SERVED = [(-1, 0)]  # what a look gives that has found something and dealt with it
STREAK = 32  # calls of one client before the others are asked for
PIECE = 1 << 20  # bytes offered to a socket at once, of those that had to wait
READ, WRITE = 1, 4  # EPOLLIN and POLLIN, EPOLLOUT and POLLOUT


class Client:
    """A process at the other end of a connection, and what it has here."""

    __slots__ = ("held", "inbox", "lanes", "out", "parked", "references", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock: socket.socket | None = sock
        self.inbox = wire.Inbox()
        self.out = bytearray()  # what its socket had no room for
        self.references: collections.Counter[str] = collections.Counter()
        self.held: set[Acquirable] = set()
        self.parked: dict[int, Call] = {}
        self.lanes: dict[Any, Lane] = {}

    def gone(self) -> bool:
        """Has its connection ended?"""
        return self.sock is None


class Traffic(abc.ABC):
    """The part of the server that has the sockets and the clock."""

    authkey: bytes
    references: References

    def __init__(self, accepts: socket.socket) -> None:
        self.stop_event = threading.Event()
        self.thread = 0  # that serves
        self._accepts = accepts
        self._accepts.listen(1024)
        self._clients: dict[int, Client] = {}
        self._timers: list[tuple[float, int, Call]] = []
        self._order = itertools.count()
        self._finished: deque[Any] = deque()  # by other threads: functions to be called in this one
        self._spinning = Spinning()
        self._last: Client | None = None
        self._streak = 0
        self.creator = -1  # a descriptor that is readable when the creator wants an end, or has come to one

    def run(self) -> None:
        """Serve until somebody asks for an end."""
        self.thread = threading.get_ident()
        self._woken, self._wake = socket.socketpair()
        self._poll = select.epoll() if hasattr(select, "epoll") else select.poll()
        self._unit = 1.0 if hasattr(select, "epoll") else 1000.0
        self._accepts.setblocking(False)
        self._woken.setblocking(False)
        self._wake.setblocking(False)
        for sock in (self._accepts, self._woken):
            self._poll.register(sock.fileno(), READ)
        if self.creator >= 0:
            self._poll.register(self.creator, READ)
        with suppress(KeyboardInterrupt, SystemExit):
            while not self.stop_event.is_set():
                self._serve_once()

    def _guarded(self, function: Callable[..., None], *args: Any) -> None:
        """What goes wrong with one client is told, and is not the end of the others."""
        try:
            function(*args)
        except Exception:  # noqa: BLE001 - a bug in here, or a peer that has the key and talks nonsense
            traceback.print_exc()

    def _look(self) -> list[tuple[int, int]]:
        """Mostly it is the client of the last time who has something to say; others are asked for in between."""
        client = self._last
        if client is not None and client.sock is not None and self._streak < STREAK:
            self._streak += 1
            try:
                data = client.sock.recv(wire.CHUNK)
            except OSError:
                data = b""  # nothing yet; an end is seen by who polls
            if data:
                self._guarded(self._take, client, data)
                return SERVED
        self._streak = 0
        return self._poll.poll(0)

    def _serve_once(self) -> None:
        references = self.references
        timeout = references.settle() if references.dropped or references.lingering else None
        if self._timers:
            left = max(0.0, self._timers[0][0] - time.monotonic())
            timeout = left if timeout is None else min(timeout, left)
        wait = None if timeout is None else timeout * self._unit
        ready = wait_soon(self._spinning, self._look, lambda: self._poll.poll(wait), gives_way=True)
        for fd, mask in ready:
            client = self._clients.get(fd)
            if client is not None:
                self._last = client
                if mask & WRITE:
                    self._write_rest(client)
                if mask & ~WRITE and client.sock is not None:
                    try:
                        self._read(client)
                    except Exception:  # noqa: BLE001 - see _guarded
                        traceback.print_exc()
            elif fd == self.creator:
                self.stop_event.set()
            elif fd == self._accepts.fileno():
                self._accept()
            elif fd == self._woken.fileno():
                with suppress(BlockingIOError):
                    self._woken.recv(4096)
        while self._finished:
            self._guarded(self._finished.popleft())
        if self._timers:
            self._expire()

    @abc.abstractmethod
    def serve(self, client: Client, kind: int, number: int, body: bytes) -> None:
        """A call."""

    @abc.abstractmethod
    def note(self, client: Client, kind: int, number: int, body: bytes) -> None:
        """What is not answered."""

    def soon(self, function: Any) -> None:
        """Have the serving thread call it; from any thread."""
        self._finished.append(function)
        with suppress(OSError):  # full: it is awake anyway
            self._wake.send(b"\0")

    def _accept(self) -> None:
        try:
            sock, _ = self._accepts.accept()
        except OSError:
            return
        if not wire.same_user(sock):
            sock.close()
            return
        threading.Thread(target=self._admit, args=(sock,), daemon=True, name="elsewhere-admit").start()

    def _admit(self, sock: socket.socket) -> None:
        """Each proves to the other that it has the key; a thread for it, since a peer may take its time."""
        try:
            sock.setblocking(True)
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", PATIENCE, 0))
            with connection.Connection(os.dup(sock.fileno())) as prove:
                connection.deliver_challenge(prove, self.authkey)
                connection.answer_challenge(prove, self.authkey)
            hello = sock.recv(len(wire.HELLO), socket.MSG_WAITALL)
            if hello != wire.HELLO:
                raise EOFError("a peer that is none of ours")
            sock.setblocking(False)
        except Exception:  # noqa: BLE001 - whatever a stranger does, it is the end of its connection and of nothing else
            sock.close()
        else:
            self.soon(lambda: self._join(sock))

    def _join(self, sock: socket.socket) -> None:
        self._clients[sock.fileno()] = Client(sock)
        self._poll.register(sock.fileno(), READ)

    def _read(self, client: Client) -> None:
        assert client.sock is not None
        try:
            data = client.sock.recv(wire.CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._leave(client)
            return
        self._take(client, data)

    def _take(self, client: Client, data: bytes) -> None:
        for kind, number, body in client.inbox.feed(data):
            if kind <= wire.CALL_BY_VALUE:
                self.serve(client, kind, number, body)
            else:
                self.note(client, kind, number, body)

    def hears(self, client: Client) -> bool:
        """Is somebody there? What a process that has ended had said before is taken in first."""
        if client.sock is None:
            return False
        poll = select.poll()
        poll.register(client.sock, getattr(select, "POLLRDHUP", select.POLLHUP))
        if not poll.poll(0):
            return True
        while not client.gone():
            self._read(client)
        return False

    def _leave(self, client: Client) -> None:
        """Its process has ended, or its part in this manager: all that it has here is given back."""
        sock, client.sock = client.sock, None
        if sock is None:
            return
        del self._clients[sock.fileno()]
        self._poll.unregister(sock.fileno())
        sock.close()
        for call in list(client.parked.values()):
            self.withdraw(call)
        for held in list(client.held):
            held.give_up(client)
        for lane in client.lanes.values():
            lane.close()
        self.references.ended(client)
        for ident, count in client.references.items():
            self.references.give_back(ident, count)

    def write(self, client: Client, data: bytes) -> None:
        """Send, as far as there is room; the rest when there is."""
        if client.sock is None:
            return
        if client.out:
            client.out += data
            return
        try:
            sent = client.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            return  # it has gone, and its end is being read
        if sent < len(data):
            client.out += memoryview(data)[sent:]
            self._poll.modify(client.sock.fileno(), READ | WRITE)

    def _write_rest(self, client: Client) -> None:
        assert client.sock is not None
        try:
            with memoryview(client.out) as view:
                sent = client.sock.send(view[:PIECE])
        except OSError:  # no room after all; or it has gone, and its end is being read
            return
        del client.out[:sent]
        if not client.out:
            self._poll.modify(client.sock.fileno(), READ)

    def park(self, call: Call, timeout: float | None) -> None:
        """Keep it until it is answered or its time is up."""
        call.client.parked[call.number] = call
        if timeout is not None:
            call.deadline = time.monotonic() + timeout
            heapq.heappush(self._timers, (call.deadline, next(self._order), call))

    def withdraw(self, call: Call) -> None:
        del call.client.parked[call.number]
        if call.place is not None:
            call.place.withdraw(call)

    def _expire(self) -> None:
        now = time.monotonic()
        while self._timers and (self._timers[0][0] <= now or self._timers[0][2].deadline is None):
            deadline, _, call = heapq.heappop(self._timers)
            if call.deadline == deadline and call.place is not None and call.number in call.client.parked:
                call.place.expire(call)
