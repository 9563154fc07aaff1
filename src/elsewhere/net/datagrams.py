"""UDP, as programs use it: datagrams, whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
from collections.abc import Callable
from select import POLLIN, POLLOUT, poll
from time import monotonic
from typing import Any, NoReturn

from elsewhere.errors import ConnectError, ConnectionLost, MessageTooLarge, SocketTimeout
from elsewhere.net.connection import Connection, Timeout
from elsewhere.net.limits import DATAGRAM, count, seconds
from elsewhere.transport.address import Address
from elsewhere.transport.connecting import resolve
from elsewhere.transport.stream import Data, milliseconds
from elsewhere.transport.trouble import lost, unreachable

__all__ = ["Datagrams", "checked_size"]

LARGEST = 65_536  # no datagram is larger, so none is cut off by our buffer


def checked_size(size: int, address: str) -> None:
    """Raises `MessageTooLarge` for a datagram that no network takes."""
    if size > DATAGRAM:
        raise MessageTooLarge(
            f"{address}: {size:,} bytes do not fit into a datagram, which holds {DATAGRAM:,}; nothing was sent",
            size=size,
            limit=DATAGRAM,
        )


class Datagrams(Connection):
    """A UDP client, made by ``connect("udp://...")``: `send`, `recv` and `request`.

    UDP may lose, double and reorder datagrams, and says so to nobody. Only what the peer sends is received. One thread
    may receive while others send.

    Attributes:
        address: what was connected to.
        peer: the same, as numbers.
        max_size: bytes of the largest datagram that is received.
    """

    def __init__(self, address: Address, *, timeout: float | None, max_size: int = DATAGRAM) -> None:
        self.address = address
        self.timeout = timeout
        self.max_size = max_size
        self._lock = threading.Lock()  # of who receives
        self._closed = False
        self._targets = resolve(address, socket.SOCK_DGRAM, timeout)
        self._buffer = bytearray(LARGEST)
        self._answered = False  # has the peer ever sent anything?
        self._last = b""
        self._sock = self._next()

    def _next(self) -> socket.socket:
        """A socket to the next of the host's addresses."""
        first: OSError | None = None
        while self._targets:
            family, kind, proto, where = self._targets.pop(0)
            sock = None
            try:
                sock = socket.socket(family, kind, proto)
                sock.setblocking(False)
                sock.connect(where)
            except OSError as error:
                if sock is not None:
                    sock.close()
                first = first or error
            else:
                self.peer = Address("udp", *where[:2])
                return sock
        raise unreachable(first or OSError(errno.EHOSTUNREACH, ""), self.address)

    def send(self, data: Data, timeout: Timeout = ...) -> int:
        """Send one datagram. A full send buffer is waited for.

        Args:
            data: bytes, or anything that holds some; 65,507 at most.
            timeout: seconds to wait for room in the send buffer.

        Returns:
            Its size, in bytes.

        Raises:
            MessageTooLarge: it is above 65,507 bytes; nothing was sent.
            ConnectError: the peer's machine has said that nobody listens there, to this datagram or an earlier one.
            SocketTimeout, ConnectionLost: as for a stream.
        """
        checked_size(_size(data), self._name)
        bound = self._seconds(timeout)
        deadline = None if bound is None else monotonic() + bound
        self._last = bytes(data) if self._targets and not self._answered else b""
        while True:
            try:
                return self._sock.send(data)
            except BlockingIOError:
                if not self._ready(POLLOUT, deadline):
                    text = f"{self._name}: the datagram could not be sent within {bound:g} s (timeout=)"
                    raise SocketTimeout(text, address=self._name, phase="send") from None
            except ConnectionRefusedError as error:  # an answer to an earlier one; this one has not gone
                self._refused(error)
            except OSError as error:
                self._fail(error, "send")

    def sendall(self, data: Data, timeout: Timeout = ...) -> None:
        """The same as `send`: a datagram goes whole or not at all."""
        self.send(data, timeout)

    def recv(self, max_size: int = 0, timeout: Timeout = ...) -> bytes:
        """The next datagram.

        Args:
            max_size: bytes of the largest that is wanted; the connection's if left out.
            timeout: seconds to wait for it.

        Raises:
            MessageTooLarge: one came that is larger; it is thrown away, and both sizes are named.
            SocketTimeout: none came.
            ConnectError: nobody listens there.
        """
        if max_size < 0:
            raise ValueError(f"max_size is at least 1 byte, not {max_size!r}")
        bound = self._seconds(timeout)
        return self._receive(max_size or self.max_size, bound, None if bound is None else monotonic() + bound)

    def request(
        self, data: Data, timeout: float = 1.0, attempts: int = 3, match: Callable[[bytes], bool] | None = None
    ) -> bytes:
        """Send a datagram and wait for the answer; without one, send it again.

        So it may arrive several times: it should do no harm twice. What came before and was not read is thrown away.

        Args:
            data: what is asked.
            timeout: seconds to wait after each sending.
            attempts: how often it is sent, at most.
            match: says whether a datagram is the answer; others are thrown away. Left out, the first one is, though it
                may be a late answer to an earlier request.

        Raises:
            SocketTimeout: no answer, to any of them.
            ConnectError: nobody listens there.
            MessageTooLarge: the request does not fit a datagram, or the answer is above `max_size`.
        """
        wait, times = seconds(timeout), count(attempts, "attempts")
        self._drop_stale()
        for attempt in range(times):
            self.send(data, timeout=wait)
            deadline = None if wait is None else monotonic() + wait
            while True:
                try:
                    answer = self._receive(self.max_size, wait, deadline)
                except SocketTimeout:
                    break
                except ConnectError as error:
                    if attempt:  # somebody may have heard an earlier one
                        raise ConnectionLost(str(error), address=self._name, phase="request") from error
                    raise
                if match is None or match(answer):
                    return answer
        tries = "1 try" if times == 1 else f"{times} tries"
        raise SocketTimeout(
            f"{self._name}: no answer to {tries}, each with {wait:g} s (timeout=, attempts=)",
            address=self._name,
            phase="request",
        )

    def _receive(self, most: int, bound: float | None, deadline: float | None) -> bytes:
        if not self._lock.acquire(blocking=False):
            raise RuntimeError(f"{self._name}: another thread receives on this connection; one may at a time")
        try:
            while True:
                try:  # with MSG_TRUNC the size is the datagram's own
                    size = self._sock.recv_into(self._buffer, 0, socket.MSG_TRUNC)
                except BlockingIOError:
                    if not self._ready(POLLIN, deadline):
                        text = f"{self._name}: no datagram has come within {bound:g} s (timeout=)"
                        raise SocketTimeout(text, address=self._name, phase="recv") from None
                except ConnectionRefusedError as error:
                    self._refused(error)
                except OSError as error:
                    self._fail(error, "recv")
                else:
                    return self._whole(size, most)
        finally:
            self._lock.release()
            if self._closed:
                self._sock.close()

    def _whole(self, size: int, most: int) -> bytes:
        if self._closed and not size:
            self._fail(OSError(errno.EBADF, ""), "recv")
        self._answered = True
        if size > most:
            raise MessageTooLarge(
                f"{self._name}: a datagram of {size:,} bytes came, and at most {most:,} are allowed (max_size=): it is "
                "thrown away",
                size=size,
                limit=most,
            )
        return bytes(memoryview(self._buffer)[:size])

    def _refused(self, error: OSError) -> None:
        """Nobody listens there: try the other family of ``localhost``, if nothing was ever heard of this one."""
        if self._answered or not self._targets or self._closed:
            raise unreachable(error, self.address) from error
        old = self._sock
        self._sock = self._next()
        old.close()
        if self._last:
            with_last, self._last = self._last, b""
            self._sock.send(with_last)

    def _drop_stale(self) -> None:
        while True:
            try:
                self._sock.recv_into(self._buffer, 0, socket.MSG_TRUNC)
            except ConnectionRefusedError:
                continue  # of an earlier one, too
            except BlockingIOError:
                return
            except OSError as error:
                self._fail(error, "recv")

    def _fail(self, error: OSError, phase: str) -> NoReturn:
        if self._closed:
            raise ConnectionLost(f"{self._name}: closed on this side", address=self._name, phase=phase) from None
        if error.errno == errno.EMSGSIZE:
            text = f"{self._name}: the datagram is larger than its way there takes; nothing was sent"
            raise MessageTooLarge(text, limit=DATAGRAM) from error
        raise lost(error, self._name, phase) from error

    def _ready(self, events: int, deadline: float | None) -> bool:
        if self._closed:
            self._fail(OSError(errno.EBADF, ""), "recv" if events == POLLIN else "send")
        poller = poll()
        poller.register(self._sock.fileno(), events)
        return bool(poller.poll(None if deadline is None else milliseconds(deadline - monotonic())))

    # ---- what a stream has, and datagrams have not -------------------------------------------------------------------

    def recv_exactly(self, size: int, timeout: Timeout = ...) -> bytes:
        raise self._no_stream("recv_exactly")

    def recv_until(self, separator: bytes = b"\n", max_size: int = 0, timeout: Timeout = ...) -> bytes:
        raise self._no_stream("recv_until")

    def shutdown(self) -> None:
        raise self._no_stream("shutdown")

    def _no_stream(self, name: str) -> TypeError:
        return TypeError(f"{self._name} has datagrams, not a stream: there is no {name}(), but recv() and request()")

    # ---- the rest ----------------------------------------------------------------------------------------------------

    @property
    def pending(self) -> int:
        return 0

    @property
    def certificate(self) -> dict[str, Any] | None:
        return None

    @property
    def closed(self) -> bool:
        return self._closed

    def fileno(self) -> int:
        return self._sock.fileno()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)  # wakes who receives, who then closes it
        if self._lock.acquire(blocking=False):
            try:
                self._sock.close()
            finally:
                self._lock.release()

    def __repr__(self) -> str:
        return f"<Datagrams {self._name} {'closed' if self._closed else 'open'}>"

    @property
    def _name(self) -> str:
        return str(self.address)


def _size(data: Data) -> int:
    with memoryview(data) as view:
        return view.nbytes
