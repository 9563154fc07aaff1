"""A cable to a host that can be cut: what is sent to it is passed on."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
from types import TracebackType
from typing import Self

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset, as a router does that has forgotten a connection


class Relay:
    """See the module; a thread of its own.

    Args:
        address: to listen on.
        to: where it passes things on to.

    Attributes:
        port: that it listens on.
        passed: bytes, up to now.
    """

    def __init__(self, address: str, to: tuple[str, int]) -> None:
        self._to = to
        self._listener = socket.create_server((address, 0))
        self.port: int = self._listener.getsockname()[1]
        self.passed = 0
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._wake, self._waker = socket.socketpair()
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._other: dict[socket.socket, socket.socket] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._waker.send(b"e")
        self._thread.join()
        self._selector.close()
        for sock in (self._listener, self._wake, self._waker):
            sock.close()

    def cut(self) -> None:
        """Break all connections off."""
        self._waker.send(b"c")

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                sock = key.fileobj
                assert isinstance(sock, socket.socket)
                if sock is self._listener:
                    self._accept()
                elif sock is self._wake:
                    word = self._wake.recv(1)
                    for each in list(self._other):
                        self._end(each)
                    if word == b"e":
                        return
                elif sock in self._other:
                    self._pass(sock)

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        try:
            far = socket.create_connection(self._to, 10)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        self._other |= {near: far, far: near}
        for sock in (near, far):
            self._selector.register(sock, selectors.EVENT_READ)

    def _pass(self, sock: socket.socket) -> None:
        try:
            data = sock.recv(1 << 16)
            if data:
                self._other[sock].sendall(data)
        except OSError:
            data = b""
        self.passed += len(data)
        if not data:
            self._end(sock)

    def _end(self, sock: socket.socket) -> None:
        """Of both sides."""
        if sock in self._other:
            for each in (sock, self._other[sock]):
                self._selector.unregister(each)
                self._other.pop(each)
                with contextlib.suppress(OSError):
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                each.close()
