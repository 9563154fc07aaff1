"""The least that 32 clients take, to measure a server alone: one thread, sockets, bytes that were made before."""

from __future__ import annotations

import re
import selectors
import socket

HOST = "127.0.0.1"
COUNT = 32
VALUE = b"<value><int>21</int></value>"
BODY = b"<methodCall><methodName>double</methodName><params><param>%b</param></params></methodCall>" % VALUE
RESULT = b"42"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class One:
    """A connection; another when the server has closed it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.sock: socket.socket | None = None
        self._found = b""
        self.request = (
            b"POST /RPC2 HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s"
            % (HOST.encode(), port, len(BODY), BODY)
        )

    def send(self, selector: selectors.BaseSelector) -> None:
        if self.sock is None:
            self.sock = socket.create_connection((HOST, self.port))
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(self.sock, selectors.EVENT_READ, self)
        self.sock.sendall(self.request)

    def read(self, selector: selectors.BaseSelector) -> bool:
        """Is there a whole answer now?"""
        assert self.sock is not None
        data = self.sock.recv(65536)
        if not data and not self._found:  # it was idle for too long, between two measurements
            self._end(selector)
            self.send(selector)
            return False
        self._found += data
        head, _, body = self._found.partition(b"\r\n\r\n")
        length = LENGTH.search(head + b"\r\n")
        if not data or length is None or len(body) < int(length[1]):
            assert data, "closed before the answer"
            return False
        assert RESULT in body
        self._found = b""
        if head.startswith(b"HTTP/1.0") or b"connection: close" in head.lower():
            self._end(selector)
        return True

    def _end(self, selector: selectors.BaseSelector) -> None:
        assert self.sock is not None
        selector.unregister(self.sock)
        self.sock.close()
        self.sock = None


class Lean:
    """32 of them."""

    def __init__(self, port: int) -> None:
        self.selector = selectors.DefaultSelector()
        self.all = [One(port) for _ in range(COUNT)]

    def calls(self, n: int) -> None:
        """So many calls in all, one at a time on each connection."""
        sent = answered = 0
        for one in self.all[:n]:
            one.send(self.selector)
            sent += 1
        while answered < n:
            for key, _ in self.selector.select(30):
                if key.data.read(self.selector):
                    answered += 1
                    if sent < n:
                        key.data.send(self.selector)
                        sent += 1
