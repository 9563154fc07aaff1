"""Many connections that are slow on purpose: each sends a byte a second of a request that is never whole."""

from __future__ import annotations

import contextlib
import itertools
import resource
import select
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.hostile.attacks import Target, post
from benchmarks.hostile.payloads import MEGABYTE
from benchmarks.hostile.servers import HOST

PERIOD = 1.0  # seconds between two bytes of a connection


class Crowd:
    """Half of them are slow in the head of a request, half in its body.

    Args:
        port: whom they are connected to.
        count: how many they are. Those that the server does not accept are there all the same.
    """

    def __init__(self, port: int, count: int) -> None:
        self.port = port
        self.count = count
        self._socks: list[socket.socket] = []
        self._turn = itertools.count()
        self._next = time.monotonic()
        self._ended: set[int] = set()

    def __enter__(self) -> Self:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < self.count + 200:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(self.count + 200, hard), hard))
        head, body = post(Target(self.port, Path()), "x" * MEGABYTE)
        for _ in range(self.count):
            sock = socket.socket()
            self._socks.append(sock)
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                sock.connect((HOST, self.port))
        self._wait_until_connected()
        for n, sock in enumerate(self._socks):
            self._send(n, sock, head if n % 2 else head[:20])
        self._body = body
        self._head = head[20:]
        return self

    def _wait_until_connected(self) -> None:
        """As far as the server lets them; at most two seconds."""
        poll = select.poll()
        waiting = {sock.fileno() for sock in self._socks}
        for fd in waiting:
            poll.register(fd, select.POLLOUT)
        end = time.monotonic() + 2
        while waiting and time.monotonic() < end:
            for fd, _ in poll.poll(100):
                waiting.discard(fd)
                poll.unregister(fd)

    def _send(self, n: int, sock: socket.socket, data: bytes) -> None:
        try:
            sock.send(data)
        except BlockingIOError:
            pass  # not connected yet
        except OSError:
            self._ended.add(n)

    def send_for(self, seconds: float) -> None:
        """Each connection's byte when its time has come, for so long."""
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            if now < self._next:
                time.sleep(min(self._next, end) - now)
                continue
            self._next = max(self._next + PERIOD, now)
            at = next(self._turn)
            for n, sock in enumerate(self._socks):
                data = self._body if n % 2 else self._head
                self._send(n, sock, data[at % len(data) :][:1])

    def closed(self) -> int:
        """How many the server has ended by now."""
        for n, sock in enumerate(self._socks):
            with contextlib.suppress(BlockingIOError):
                try:
                    while sock.recv(65536):
                        pass  # an answer, for instance that it took too long
                    self._ended.add(n)
                except ConnectionError:
                    self._ended.add(n)
        return len(self._ended)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for sock in self._socks:
            sock.close()
