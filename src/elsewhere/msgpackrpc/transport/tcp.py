"""TCP, which is what the original speaks: what `builder` arguments take."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import threading
import time
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

from elsewhere.errors import ConnectError
from elsewhere.msgpackrpc.address import listeners, targets
from elsewhere.msgpackrpc.error import TimeoutError, TransportError  # noqa: A004 - the original's name
from elsewhere.msgpackrpc.transport.encodings import Encodings
from elsewhere.msgpackrpc.transport.link import TIMED_OUT, Link
from elsewhere.msgpackrpc.transport.peer import Peer
from elsewhere.transport.address import Address
from elsewhere.transport.connecting import connect, tune
from elsewhere.transport.listening import SCARCE

if TYPE_CHECKING:
    from elsewhere.msgpackrpc.future import Future
    from elsewhere.msgpackrpc.server import Server

__all__ = ["ClientTransport", "ServerTransport"]

OVER_THE_LIMIT = "Retry connection over the limit"
TOGETHER = 64  # connections that are accepted before others get their turn
PAUSE = 0.2  # seconds without accepting, when the process has no descriptors left


class ClientTransport:
    """Connects when something is to be sent, and again when the connection has ended since.

    Raises:
        TypeError, ValueError: the limit is no number above 0.
        LookupError: Python knows no such encoding.
    """

    def __init__(
        self, session: Any, address: Any, reconnect_limit: int, encodings: tuple[str | None, str | None]
    ) -> None:
        if not isinstance(reconnect_limit, int) or isinstance(reconnect_limit, bool):
            raise TypeError(f"reconnect_limit is a number of tries, and not {reconnect_limit!r}")
        self._address = address
        self._limit = max(1, reconnect_limit)
        self._encodings = Encodings(*encodings)
        self._closed = False
        self._link: Link | None = None
        self._connecting = threading.Lock()
        self._pid = os.getpid()

    def request(self, method: str, args: list[Any], future: Future) -> None:
        """Send a call.

        Raises:
            TimeoutError, TransportError: it could not be sent.
            Exception: whatever the codec says of arguments that it cannot pack.
        """
        self._connected(future._deadline).request(method, self._encodings.outgoing(args), future)

    def notify(self, method: str, args: list[Any], deadline: float | None) -> None:
        """Send a notification; raises as `request` does."""
        link = self._connected(deadline)
        link.notify(method, self._encodings.outgoing(args), lambda: _left(deadline))

    def attend(self) -> None:
        """Threads wait for what is pending."""
        link = self._link
        if link is not None:
            link.attend_all()

    def close(self) -> None:
        self._closed = True
        link = self._link
        if link is not None and self._pid == os.getpid():
            link.end("this client was closed")

    def _connected(self, deadline: float | None) -> Link:
        if self._pid != os.getpid():
            self._forked()
        link = self._link
        if link is None or link.stale():
            left = _left(deadline)
            if not self._connecting.acquire(timeout=-1 if left is None else max(0.0, left)):
                raise TimeoutError(TIMED_OUT)
            try:
                if self._closed:
                    raise TransportError("this client was closed")
                link = self._link  # perhaps another thread was quicker
                if link is None or link.stale():
                    link = self._connect(link, deadline)
            finally:
                self._connecting.release()
        return link

    def _connect(self, old: Link | None, deadline: float | None) -> Link:
        if old is not None:
            old.end("the far side has closed the connection")
        sock, where = self._socket(deadline)
        self._link = link = Link(sock, self._encodings, str(where))
        if self._closed:  # by another thread, which has not seen this one
            link.end("this client was closed")
        return link

    def _socket(self, deadline: float | None) -> tuple[socket.socket, Address]:
        problem: ConnectError | None = None
        for _ in range(self._limit):
            try:
                for target in targets(self._address, _left(deadline)):
                    return connect(target, _left(deadline)), target
            except ConnectError as error:
                problem = error
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(TIMED_OUT) from problem
        raise TransportError(OVER_THE_LIMIT) from problem

    def _forked(self) -> None:
        """This is a child: the connection is its parent's."""
        self._pid = os.getpid()
        self._connecting = threading.Lock()
        link, self._link = self._link, None
        if link is not None:
            link.forked()


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else deadline - time.monotonic()


class ServerTransport:
    """Listens at one address.

    Attributes:
        address: where, with the port that was found if it was 0.

    Raises:
        LookupError: Python knows no such encoding.
    """

    def __init__(self, address: Any, encodings: tuple[str | None, str | None] = ("utf-8", None)) -> None:
        if not hasattr(address, "unpack"):
            raise TypeError(f"an address is made by Address(host, port), and is not {address!r}")
        self._given = address
        self._encodings = Encodings(*encodings)
        self._listeners: list[Any] = []
        self._peers: set[Peer] = set()
        self.address = ""

    def listen(self, server: Server) -> None:
        """Begin to listen; connections wait until the server starts.

        Raises:
            OSError: the address is in use, is not of this machine, or may not be used.
            ConnectError: the name is not found.
        """
        self._server = server
        self._listeners = listeners(self._given)
        self.address = str(self._listeners[0].address)
        for listener in self._listeners:
            if not listener.address.loopback:
                try:
                    warnings.warn(
                        f"{listener.address} can be reached from other machines, and whoever reaches it may call the "
                        "methods of this server: MessagePack-RPC knows neither encryption nor passwords. "
                        "elsewhere.Service has both; Address('localhost', port) is this machine alone",
                        RuntimeWarning,
                        stacklevel=3,
                    )
                except Warning:  # it is an error in this program
                    self.close()
                    raise
        self._accept_again()

    def close(self) -> None:
        """Listen no more, and end the connections; from any thread."""
        for listener in self._listeners:
            for sock in listener.sockets:
                self._server._loop.forget(sock)
            listener.close()
        self._listeners = []
        for peer in list(self._peers):
            peer.close()

    def closed(self, peer: Peer) -> None:
        self._peers.discard(peer)

    def _accept_again(self) -> None:
        for listener in self._listeners:
            for sock in listener.sockets:
                self._server._loop.watch(
                    sock,
                    selectors.EVENT_READ,
                    partial(self._accept, sock),
                )

    def _accept(self, listener: socket.socket, events: int) -> None:
        for _ in range(TOGETHER):
            try:
                sock, _where = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in SCARCE:
                    self._pause()
                    return
                if listener.fileno() < 0:  # closed by another thread
                    return
                continue  # the connection has gone again
            sock.setblocking(False)
            with contextlib.suppress(OSError):  # gone just now, which its first read will say
                tune(sock)
            peer = Peer(sock, self, self._server, self._encodings)
            self._peers.add(peer)
            peer.watch()
            if not self._listeners:  # closed by another thread, which may not have seen this one
                peer.close()

    def _pause(self) -> None:
        """Those who wait would wake the loop again and again."""
        loop = self._server._loop
        for listener in self._listeners:
            for sock in listener.sockets:
                loop.forget(sock)
        loop.later(PAUSE, self._accept_again)
