"""A peer that speaks plain MessagePack-RPC over a bare socket: nothing of ours between the test and the server."""

from __future__ import annotations

import contextlib
import itertools
import socket
from typing import Any, Self

import msgpack

from elsewhere.transport.address import Address
from tests.contract.work import PATIENCE

HELLO = {"version": 1, "features": ["call", "cancel", "methods"]}


class Raw:
    """One connection."""

    def __init__(self, address: str, *, sock: socket.socket | None = None) -> None:
        found = Address.parse(address)
        if sock is None:
            if found.scheme == "unix":
                sock = socket.socket(socket.AF_UNIX)
                sock.connect(found.name)
            else:
                sock = socket.create_connection((found.host, found.port))
        sock.settimeout(PATIENCE)
        self.sock = sock
        self._unpacker = msgpack.Unpacker(strict_map_key=False)
        self._ids = itertools.count(1)
        self._early: dict[int, list[Any]] = {}

    def send(self, *messages: Any) -> None:
        self.sock.sendall(b"".join(msgpack.packb(message) for message in messages))

    def write(self, data: bytes) -> None:
        self.sock.sendall(data)

    def receive(self) -> Any:
        """The next message; EOFError at the end."""
        while True:
            for message in self._unpacker:
                return message
            data = self.sock.recv(1 << 20)
            if not data:
                raise EOFError
            self._unpacker.feed(data)

    def request(self, method: str, *params: Any) -> int:
        msgid = next(self._ids)
        self.send([0, msgid, method, list(params)])
        return msgid

    def answer(self, msgid: int) -> tuple[Any, Any]:
        """Error and result of that one; others are kept."""
        while msgid not in self._early:
            message = self.receive()
            assert message[0] == 1, message
            self._early[message[1]] = message
        return tuple(self._early.pop(msgid)[2:])

    def call(self, method: str, *params: Any) -> tuple[Any, Any]:
        return self.answer(self.request(method, *params))

    def hello(self, **more: Any) -> tuple[Any, Any]:
        return self.call("rpc.hello", {**HELLO, **more})

    def ended(self) -> bool:
        """Has the server closed it, or does it within the patience? What it sent before is thrown away."""
        with contextlib.suppress(ConnectionError):
            while self.sock.recv(65536):
                pass
        return True

    def close(self) -> None:
        self.sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
