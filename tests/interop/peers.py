"""What the real peers are asked for, and a peer of our own that is nothing but the wire machine and a socket."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

from elsewhere import msgpackrpc
from elsewhere.rpc import Service
from elsewhere.sansio.msgpackrpc import NOTIFY, REQUEST, RESPONSE, Wire
from tests.msgpackrpc.helpers import line_of, program, serving

__all__ = ["BOUND", "Methods", "Peer", "drop_in_client", "line_of", "our_server", "program"]

BOUND = 30.0  # seconds for what takes a moment: only a hang reaches it


class Methods:
    """What every peer calls here; every peer offers the same."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.heard = threading.Semaphore(0)

    def double(self, n: Any) -> Any:
        return n + n

    def echo(self, value: Any) -> Any:
        return value

    def fail(self, text: str) -> Any:
        raise ValueError(text)

    def tell(self, value: Any) -> None:
        self.told.append(value)
        self.heard.release()

    def wait_for_one(self) -> Any:
        assert self.heard.acquire(timeout=BOUND)
        return self.told.pop()


@contextlib.contextmanager
def our_server(kind: str, methods: Methods) -> Iterator[int]:
    """Serves these; gives the port. Kinds: the drop-in, a `Service` on threads, one on a loop."""
    if kind == "drop-in":
        with serving(methods, unpack_encoding="utf-8") as server:
            yield server.at.port
        return
    service = Service(methods, where=kind)
    with service.start("tcp://127.0.0.1:0") as running:
        yield int(running.addresses[0].rpartition(":")[2])


def drop_in_client(port: int) -> msgpackrpc.Client:
    return msgpackrpc.Client(msgpackrpc.Address("127.0.0.1", port), timeout=BOUND, unpack_encoding="utf-8")


class Peer:
    """One connection: the wire machine, a blocking socket, and methods that the far side may call, nested."""

    def __init__(self, sock: socket.socket, methods: dict[str, Callable[..., Any]] | None = None) -> None:
        sock.settimeout(BOUND)
        self.sock = sock
        self.wire = Wire()
        self.methods = methods or {}
        self.notified: list[list[Any]] = []
        self._answers: dict[int, tuple[Any, Any]] = {}

    def call(self, method: str, *args: Any) -> tuple[Any, Any]:
        """The error and the result."""
        msgid, data = self.wire.request(method, list(args), None)
        self.sock.sendall(data)
        while msgid not in self._answers:
            self.step()
        del self.wire.pending[msgid]
        return self._answers.pop(msgid)

    def notify(self, method: str, *args: Any) -> None:
        self.sock.sendall(self.wire.notify(method, list(args)))

    def step(self) -> None:
        """Read once, and answer what is asked."""
        data = self.sock.recv(65536)
        if not data:
            raise EOFError
        for message in self.wire.feed(data):
            if message[0] == RESPONSE:
                self._answers[message[1]] = (message[2], message[3])
            elif message[0] == NOTIFY:
                self.notified.append(message[1:])
            elif message[0] == REQUEST:
                answer: tuple[Any, Any]
                try:
                    answer = (None, self.methods[message[2]](*message[3]))
                except Exception as error:
                    answer = (str(error), None)
                self.sock.sendall(self.wire.response(message[1], *answer))
        assert not self.wire.broken, self.wire.broken
