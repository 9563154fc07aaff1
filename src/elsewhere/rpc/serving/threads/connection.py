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

from elsewhere.rpc.serving.methods.results import Data
from elsewhere.rpc.serving.session import Session
from elsewhere.rpc.serving.threads.secure import Secure
from elsewhere.sansio.claims import HEAD
from elsewhere.sansio.large import LARGE, begins
from elsewhere.sansio.msgpackrpc import Message

if TYPE_CHECKING:
    from elsewhere.rpc.serving.deadlines import Deadline
    from elsewhere.rpc.serving.threads.reactor import Reactor

__all__ = ["LINGER", "Connection"]

_log = logging.getLogger("elsewhere.rpc")
READ = 64 << 10  # bytes of a usual read
LINGER = 0.005  # seconds that an owner waits for the next message, before the connection is parked
PIECES = 512  # that go in one system call; the kernel takes 1,024
AFTER_LARGE = 8  # messages that are looked at before they are read, which is a system call each
MOST = 16 << 20  # bytes of a read while a large message comes


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
        talks: its last messages came so quickly that it is worth waiting for the next one.
    """

    __slots__ = (
        "_closed", "_lock", "_met", "_most", "_moved", "_stalls", "_timers", "ended", "fd", "finished", "inbox",
        "label", "large", "out", "outbox", "parked", "reactor", "secure", "session", "since", "sock", "talks",
    )  # fmt: skip

    def __init__(self, reactor: Reactor, sock: socket.socket, label: str, secure: Secure | None) -> None:
        self.reactor = reactor
        self.sock = sock
        self.fd = sock.fileno()
        self.label = label
        self.secure = secure
        self.session = Session(reactor.engine, self, pieces=True)
        self.inbox: list[Message] = []
        self.out: list[bytes] = []
        self.outbox: deque[memoryview] | None = None
        self.large = 0
        self.parked = True
        self.finished = False
        self.ended = ""
        self.since = self._moved = time.monotonic()
        self.talks = self._closed = False
        self._stalls = False  # it is watched whether the outbox gets shorter
        self._timers: tuple[Deadline, ...] = ()
        self._most = reactor.engine.limits.calls
        self._met = False  # was it owned before?
        self._lock = threading.Lock()

    def meet(self) -> None:
        """It has a new owner."""
        self.talks = self._met and time.monotonic() - self.since < LINGER
        self._met = True

    # ---- reading, by its owner ---------------------------------------------------------------------------------------

    def read(self, wait: bool) -> bool | None:
        """Fill the inbox; True if something came, None if nothing did in time, False if nothing more will."""
        wire = self.session.wire
        size = READ if wire.missing < READ else min(wire.missing, MOST)
        flags = 0 if wait and (self.talks or wire.missing) else socket.MSG_DONTWAIT
        try:
            if wire.exact and not flags:  # a large value comes best in one piece
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
            return self._finish()
        if self.secure is None:
            return self._received(wire.feed(data))
        messages: list[Message] = []
        for piece in self._decrypted(self.secure, data):
            messages += wire.feed(piece)
        return self._received(messages)

    def _received(self, messages: list[Message]) -> bool:
        wire = self.session.wire
        messages.reverse()
        self.inbox = messages
        if wire.broken:
            self.ended = self.ended or wire.broken  # once what came before is answered
            _log.warning("%s: the connection is ended: %s", self.label, wire.broken)
        return True

    def _decrypted(self, secure: Secure, data: bytes) -> list[bytes]:
        try:
            with secure.sending:
                pieces, answer = secure.opened(data)
                self._send_raw(answer)
        except OSError as error:  # ssl.SSLError is one
            self.ended = self.ended or f"TLS failed: {getattr(error, 'reason', None) or error}"
            _log.warning("%s: %s", self.label, self.ended)
            return []
        if secure.ended:
            self._finish()
        return pieces

    def _finish(self) -> bool:
        self.finished = True
        self.session.fell_silent()
        return False

    # ---- sending, by anybody -----------------------------------------------------------------------------------------

    def post(self, data: Data) -> None:
        """Send it; what the kernel does not take goes later."""
        self._send(data, socket.MSG_DONTWAIT)

    def flush(self, *, patient: bool = False) -> None:
        """Send the answers that were collected.

        Args:
            patient: by its owner: wait a moment, if they are large, for the kernel to take them all.
        """
        out = self.out
        if len(out) == 1 and self.secure is None:
            self._send_raw(out.pop())
            return
        self.out = []
        if out and max(map(len, out)) < LARGE:
            self.post(b"".join(out))
        elif out:
            self._send(tuple(out), 0 if patient else socket.MSG_DONTWAIT)

    def _send(self, data: Data, flags: int) -> None:
        if self.secure is not None:
            with self.secure.sending:
                self._send_raw(self.secure.sealed(b"".join(data) if isinstance(data, tuple) else data), flags)
            return
        self._send_raw(data, flags)

    def _send_raw(self, data: Data, flags: int = socket.MSG_DONTWAIT) -> None:
        with self._lock:
            if self._closed or not data:
                return
            if self.outbox is not None:
                self.outbox += _rest(data, 0)
                return
            try:
                if isinstance(data, tuple):
                    sent = self.sock.sendmsg(data[:PIECES], (), flags)
                else:
                    sent = self.sock.send(data, flags)
                    if sent == len(data):
                        return
            except BlockingIOError:
                sent = 0
            except OSError:
                return  # who reads will see why
            rest = _rest(data, sent)
            if not rest:
                return
            self.outbox = rest
            self._moved = time.monotonic()
            self.reactor.watch(self)
            watched, self._stalls = self._stalls, True
        if not watched:
            self.expect(self.reactor.engine.limits.send, self._look_whether_it_reads)

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
        with self._lock:
            self._stalls = self.outbox is not None and not self._closed
        if not self._stalls:
            return
        left = self._moved + limit - time.monotonic()
        if left > 0.0:
            self.expect(left, self._look_whether_it_reads)
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
        return self.outbox is None and len(self.session.running) < self._most

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
        elif not left or left == self._most - 1:
            self.settle()

    def later(self, seconds: float, work: Callable[[], object]) -> Deadline:
        """Call it then, in the reactor's thread."""
        return self.reactor.later(seconds, work)

    def expect(self, seconds: float, work: Callable[[], object]) -> None:
        """`later`, if it is still open then: else what is looked for would keep it for so long."""
        entry = self.later(seconds, work)
        self._timers = (*(each for each in self._timers if each.work is not None), entry)
        if self._closed:
            entry.cancel()

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
        for timer in self._timers:
            timer.cancel()
        _log.debug("%s: closed: %s", self.label, self.ended or "the peer has closed it")
        self.session.lost()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "parked" if self.parked else "owned"
        return f"<Connection of {self.label}, {state}>"


def _rest(data: Data, sent: int) -> deque[memoryview]:
    """What is left of it when so many bytes were sent."""
    rest: deque[memoryview] = deque()
    for piece in data if isinstance(data, tuple) else (data,):
        if sent < len(piece):
            rest.append(memoryview(piece)[sent:])
        sent = max(0, sent - len(piece))
    return rest
