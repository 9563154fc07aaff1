"""One connection of a server on threads.

Rule: at any moment it is owned by one thread, or waits in the queue of those that are ready, or is *parked*: then the
reactor's epoll watches it, and it has no buffers. Only who owns it closes it. Sending never waits: what the kernel does
not take at once is the outbox, which the reactor empties; while there is one, nothing is read.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from elsewhere.rpc.serving.session import Session
from elsewhere.rpc.serving.threads.secure import Secure
from elsewhere.sansio.claims import HEAD
from elsewhere.sansio.large import begins
from elsewhere.sansio.msgpackrpc import Message

if TYPE_CHECKING:
    from elsewhere.rpc.serving.deadlines import Deadline
    from elsewhere.rpc.serving.threads.reactor import Reactor

__all__ = ["Connection"]

_log = logging.getLogger("elsewhere.rpc")
READ = 64 << 10  # bytes of a usual read
AFTER_LARGE = 8  # messages that are looked at before they are read, which is a system call each
LARGE = 16 << 20  # ... of one while a large message comes


class Connection:
    """A peer's connection.

    Attributes:
        sock: blocks; a read gives up after the server's linger.
        label: the peer's address, for texts.
        session: what the service knows of the peer.
        secure: its TLS, or None.
        inbox: messages that were decoded and not looked at, the last one first.
        out: answers of them, to be sent together.
        large: so many messages are looked at before they are read: lately there were large ones.
        outbox: what the kernel has not taken yet; None if there is nothing.
        parked: the reactor's.
        finished: the peer sends no more; calls that run are still answered.
        ended: why it is to be closed now; "" while it is well.
        since: when it was last heard of.
    """

    __slots__ = (
        "_closed", "_lock", "_moved", "ended", "fd", "finished", "inbox", "label", "large", "out", "outbox", "parked",
        "reactor", "secure", "session", "since", "sock",
    )  # fmt: skip

    def __init__(self, reactor: Reactor, sock: socket.socket, label: str, secure: Secure | None) -> None:
        self.reactor = reactor
        self.sock = sock
        self.fd = sock.fileno()
        self.label = label
        self.secure = secure
        self.session = Session(reactor.engine, self)
        self.inbox: list[Message] = []
        self.out: list[bytes] = []
        self.outbox: deque[memoryview] | None = None
        self.large = 0
        self.parked = True
        self.finished = False
        self.ended = ""
        self.since = self._moved = time.monotonic()
        self._closed = False
        self._lock = threading.Lock()

    # ---- reading, by its owner ---------------------------------------------------------------------------------------

    def read(self, wait: bool) -> bool | None:
        """Fill the inbox; True if something came, None if nothing did in time, False if nothing more will."""
        wire = self.session.wire
        size = READ if wire.missing < READ else min(wire.missing, LARGE)
        flags = 0 if wait else socket.MSG_DONTWAIT
        try:
            if wire.exact and wait:  # a large value comes best in one piece
                self.large, flags = AFTER_LARGE, socket.MSG_WAITALL
            elif self.large and not wire.missing and self.secure is None:  # ... and apart from what is before it
                self.large -= 1
                size = begins(self.sock.recv(HEAD, flags | socket.MSG_PEEK)) or READ
            data = self.sock.recv(size, flags)
        except BlockingIOError:
            return None
        except OSError as error:
            self.ended = self.ended or f"it was reset ({error.strerror or error})"
            return False
        if not data:
            self._finish()
            return False
        self._take(data)
        return True

    def _take(self, data: bytes) -> None:
        wire, pieces = self.session.wire, [data]
        if self.secure is not None:
            pieces = self._decrypted(self.secure, data)
        messages: list[Message] = []
        for piece in pieces:
            messages += wire.feed(piece)
        messages.reverse()
        self.inbox = messages
        if wire.broken:
            self.ended = self.ended or wire.broken  # once what came before is answered
            _log.warning("%s: the connection is ended: %s", self.label, wire.broken)

    def _decrypted(self, secure: Secure, data: bytes) -> list[bytes]:
        try:
            pieces, answer = secure.opened(data)
        except OSError as error:  # ssl.SSLError is one
            self.ended = self.ended or f"TLS failed: {getattr(error, 'reason', None) or error}"
            _log.warning("%s: %s", self.label, self.ended)
            return []
        if answer:
            self._send_raw(answer)
        if secure.ended:
            self._finish()
        return pieces

    def _finish(self) -> None:
        self.finished = True
        self.session.fell_silent()

    # ---- sending, by anybody -----------------------------------------------------------------------------------------

    def post(self, data: bytes) -> None:
        """Send it; what the kernel does not take goes later."""
        if self.secure is not None:
            with self.secure.sending:
                self._send_raw(self.secure.sealed(data))
            return
        self._send_raw(data)

    def flush(self) -> None:
        """Send the answers that were collected."""
        out, self.out = self.out, []
        if out:
            self.post(out[0] if len(out) == 1 else b"".join(out))

    def _send_raw(self, data: bytes) -> None:
        with self._lock:
            if self._closed or not data:
                return
            if self.outbox is not None:
                self.outbox.append(memoryview(data))
                return
            try:
                sent = self.sock.send(data, socket.MSG_DONTWAIT)
            except BlockingIOError:
                sent = 0
            except OSError:
                return  # who reads will see why
            if sent == len(data):
                return
            self.outbox = deque([memoryview(data)[sent:]])
            self._moved = time.monotonic()
            self.reactor.watch(self)
        self.later(self.reactor.engine.limits.send, self._look_whether_it_reads)

    def push(self) -> None:
        """The reactor has heard that the kernel takes more of the outbox."""
        with self._lock:
            outbox = self.outbox
            if self._closed or outbox is None:
                return
            try:
                while outbox:
                    sent = self.sock.send(outbox[0], socket.MSG_DONTWAIT)
                    self._moved = time.monotonic()
                    if sent < len(outbox[0]):
                        outbox[0] = outbox[0][sent:]
                    else:
                        outbox.popleft()
            except BlockingIOError:
                pass
            except OSError as error:
                self.ended = self.ended or f"it was reset ({error.strerror or error})"
                outbox.clear()
            if not outbox:
                self.outbox = None
        self.settle()

    def _look_whether_it_reads(self) -> None:
        """In the reactor: the outbox has been there for a while."""
        limit = self.reactor.engine.limits.send
        if self.outbox is not None and not self._closed:
            left = self._moved + limit - time.monotonic()
            if left > 0.0:
                self.later(left, self._look_whether_it_reads)
            else:
                _log.warning("%s has not read its answers for %g s", self.label, limit)
                self.end("it does not read its answers")

    # ---- whose it is -------------------------------------------------------------------------------------------------

    def park(self) -> None:
        """Its owner leaves it."""
        self.session.wire.rest()
        self.since = time.monotonic()
        with self._lock:
            self.parked = True
        self.settle()

    def settle(self) -> None:
        """If it is parked: close it, or have its inbox looked into, or let the reactor watch it."""
        with self._lock:
            if self._closed:
                return
            over = bool(self.ended) or (self.outbox is None and not self.session.running and self._drained())
            if not self.parked or not (over or (self.inbox and self.welcome())):
                self.reactor.watch(self)
                return
            self.parked = False
        if over:
            self.close()
        else:
            self.reactor.enqueue(self)

    def _drained(self) -> bool:
        return not self.inbox and (self.finished or self.reactor.engine.closing)

    def welcome(self) -> bool:
        """May more of it be looked at?"""
        return self.outbox is None and len(self.session.running) < self.reactor.engine.limits.calls

    def wants(self) -> tuple[bool, bool]:
        """Is the reactor to watch it for reading, for writing?"""
        return self.parked and not self.finished and self.welcome(), self.outbox is not None

    def claim(self) -> bool:
        """Take it, if it is parked: who does owns it."""
        with self._lock:
            if not self.parked or self._closed:
                return False
            self.parked = False
            return True

    def eased(self) -> None:
        """A call that was under way has ended: it may be read again, or be closed."""
        if not self.parked:
            return
        left = len(self.session.running)
        if not left and self.reactor.engine.closing:
            if self.claim():  # what came meanwhile is refused before it is closed
                self.reactor.enqueue(self)
        elif not left or left == self.reactor.engine.limits.calls - 1:
            self.settle()

    def later(self, seconds: float, work: Callable[[], object]) -> Deadline:
        """Call it then, in the reactor's thread."""
        return self.reactor.later(seconds, work)

    # ---- the end -----------------------------------------------------------------------------------------------------

    def end(self, reason: str) -> None:
        """End it: its owner closes it, if it has one."""
        with self._lock:
            if self._closed:
                return
            self.ended = self.ended or reason
            mine, self.parked = self.parked, False
            if not mine:
                with contextlib.suppress(OSError):
                    self.sock.shutdown(socket.SHUT_RDWR)  # its owner's read comes back
        if mine:
            self.close()

    def close(self) -> None:
        """Close it, by its owner."""
        if self.secure is not None:
            self._send_raw(self.secure.farewell())
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self.outbox = None
            self.reactor.gone(self)
            self.sock.close()
        _log.debug("%s: closed: %s", self.label, self.ended or "the peer has closed it")
        self.session.lost()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "parked" if self.parked else "owned"
        return f"<Connection of {self.label}, {state}>"
