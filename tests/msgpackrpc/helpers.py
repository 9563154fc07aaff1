"""Servers and clients of the drop-in, and raw peers that say what a test wants."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import msgpack

from elsewhere import msgpackrpc

BOUND = 20.0  # seconds for what takes a moment: only a hang reaches it


class Services:
    """What the tests call."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.told = threading.Event()
        self.threads: set[int] = set()
        self.held: list[Any] = []

    def double(self, n: Any) -> Any:
        self.threads.add(threading.get_ident())
        return n + n

    def echo(self, value: Any = None, *more: Any) -> Any:
        return [value, *more] if more else value

    def tell(self, value: Any) -> None:
        self.heard.append(value)
        self.told.set()

    def fail(self, text: str) -> None:
        raise ValueError(text)

    def unpackable(self) -> Any:
        return object

    def large(self, size: int) -> bytes:
        return b"x" * size

    def never(self) -> Any:
        result = msgpackrpc.server.AsyncResult()
        self.held.append(result)
        return result

    def _secret(self) -> str:
        return "secret"


@contextlib.contextmanager
def serving(dispatcher: Any, *addresses: Any, **options: Any) -> Iterator[Any]:
    """A server in a thread, at a free port unless addresses are given; `server.at` is the first as an `Address`."""
    server: Any = msgpackrpc.Server(dispatcher, **options)
    failure: list[BaseException] = []

    def run() -> None:
        try:
            server.start()
        except BaseException as error:
            failure.append(error)

    try:
        for address in addresses or [msgpackrpc.Address("127.0.0.1", 0)]:
            server.listen(address)
        server.at = msgpackrpc.Address("127.0.0.1", int(server.addresses[0].rpartition(":")[2]))
        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield server
        finally:
            server.stop()
            thread.join(BOUND)
            assert not thread.is_alive()
            if failure:
                raise failure[0]
    finally:
        server.close()


@contextlib.contextmanager
def client_of(server: Any, **options: Any) -> Iterator[msgpackrpc.Client]:
    with msgpackrpc.Client.open(server.at, **{"unpack_encoding": "utf-8", "timeout": BOUND, **options}) as client:
        yield client


class Raw:
    """A connection that sends and takes values of MessagePack, and whatever bytes."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(BOUND)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self._unpacker = msgpack.Unpacker(raw=False, unicode_errors="surrogateescape", strict_map_key=False)

    def send(self, *messages: Any, **options: Any) -> None:
        self.sock.sendall(b"".join(msgpack.packb(message, **options) for message in messages))

    def take(self) -> Any:
        """The next value; EOFError at the end."""
        while True:
            for value in self._unpacker:
                return value
            data = self.sock.recv(65536)
            if not data:
                raise EOFError
            self._unpacker.feed(data)

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


@contextlib.contextmanager
def raw_client(at: Any) -> Iterator[Raw]:
    with socket.create_connection(at.unpack(), BOUND) as sock:
        yield Raw(sock)


class RawServer:
    """Listens; each `accept` gives the next client's connection."""

    def __init__(self) -> None:
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.sock.settimeout(BOUND)
        self.at = msgpackrpc.Address(*self.sock.getsockname())
        self._open: list[Raw] = []

    def accept(self) -> Raw:
        raw = Raw(self.sock.accept()[0])
        self._open.append(raw)
        return raw

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.sock.close()
        for raw in self._open:
            raw.sock.close()


@contextlib.contextmanager
def program(*command: str | Path, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A program, with what it starts; killed at the end."""
    child = subprocess.Popen(
        [*map(str, command)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, process_group=0, **options
    )
    try:
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()


def process(source: str, *args: str, python: str = sys.executable, **options: Any) -> Any:
    """The same for a program in Python."""
    return program(python, "-c", source, *args, **options)


def line_of(child: subprocess.Popen[str]) -> str:
    """What it prints next; "" at its end."""
    assert child.stdout is not None
    return child.stdout.readline().rstrip("\r\n")
