"""A server without manners: it answers each connection as the test says, and keeps what it was sent."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any, Self

from elsewhere.sansio.xmlrpc import answer

BOUND = 30.0  # seconds that anything may take; it takes milliseconds


class Request:
    """A request that came.

    Attributes:
        connection: the number of the connection it came over, from 1.
        head: its first line and headers.
        body: what followed.
    """

    def __init__(self, connection: int, head: str, body: bytes) -> None:
        self.connection = connection
        self.head = head
        self.body = body

    def header(self, name: str) -> str | None:
        found = [line for line in self.head.split("\r\n") if line.lower().startswith(f"{name.lower()}:")]
        return found[0].partition(":")[2].strip() if found else None


class Visitor:
    """A connection from the server's side."""

    def __init__(self, server: RawServer, sock: socket.socket, number: int) -> None:
        self._server = server
        self.sock = sock
        self.number = number
        self._came = b""

    def request(self) -> Request | None:
        """The next request, whole; None when the client has hung up."""
        while b"\r\n\r\n" not in self._came:
            if not self._more():
                return None
        head, _, self._came = self._came.partition(b"\r\n\r\n")
        request = Request(self.number, head.decode(), b"")
        length = int(request.header("Content-Length") or 0)
        while len(self._came) < length:
            if not self._more():
                return None
        request.body, self._came = self._came[:length], self._came[length:]
        self._server.requests.append(request)
        return request

    def _more(self) -> bool:
        try:
            piece = self.sock.recv(65536)
        except OSError:
            return False
        self._came += piece
        return bool(piece)

    def answer(self, value: Any, *headers: str) -> None:
        self.send(answer(value), *headers)

    def send(self, body: bytes, *headers: str, status: str = "200 OK") -> None:
        lines = [f"HTTP/1.1 {status}", "Content-Type: text/xml", f"Content-Length: {len(body)}", *headers]
        self.sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


class RawServer:
    """Listens while it is open; each connection has a thread, which runs `visit` and then closes it.

    Args:
        visit: what is done with a connection.
        path: of a Unix socket; a port of 127.0.0.1 without it.
        tls: the certificate to show; no TLS without it.
    """

    def __init__(
        self, visit: Callable[[Visitor], object], path: str | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self._visit = visit
        self._tls = tls
        self.requests: list[Request] = []
        self.connections = 0
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        if path is None:
            self._listener = socket.create_server(("127.0.0.1", 0))
        else:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(path)
            self._listener.listen()

    @property
    def host(self) -> str:
        return "{}:{}".format(*self._listener.getsockname())

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://{self.host}/RPC2"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def _start(self, work: Callable[..., object], *args: object) -> None:
        thread = threading.Thread(target=work, args=args)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(BOUND)
            self.connections += 1
            self._sockets.append(sock)
            self._start(self._serve, Visitor(self, sock, self.connections))

    def _serve(self, visitor: Visitor) -> None:
        with contextlib.suppress(OSError):
            if self._tls is not None:
                visitor.sock = self._tls.wrap_socket(visitor.sock, server_side=True)
            self._visit(visitor)
        visitor.sock.close()

    def __exit__(self, *exc_info: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join(BOUND)  # from here on no connection comes
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(BOUND)
            assert not thread.is_alive()


def numbered(visitor: Visitor) -> None:
    """Answer each request with the number of its connection, until the client hangs up."""
    while visitor.request() is not None:
        visitor.answer(visitor.number)
