"""Servers under test, and clients that send whatever they like."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from typing import Any

from elsewhere.xmlrpc.client import ServerProxy, dumps
from elsewhere.xmlrpc.server import SimpleXMLRPCServer

HOST = "127.0.0.1"
BOUND = 40  # seconds, for what takes milliseconds where nothing else runs


@contextlib.contextmanager
def serving(server: Any) -> Iterator[Any]:
    """`serve_forever` in a thread, as long as the block."""
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join(BOUND)
        server.server_close()
        assert not thread.is_alive()


@contextlib.contextmanager
def simple(*functions: Any, kind: Any = SimpleXMLRPCServer, handler: Any = None, **options: Any) -> Iterator[Any]:
    """A server of these functions, that serves."""
    arguments = (handler,) if handler else ()
    server = kind((HOST, 0), *arguments, **{"logRequests": False, **options})
    for function in functions:
        server.register_function(function)
    with serving(server):
        yield server


def port(server: Any) -> int:
    return int(server.server_address[1])


def url(server: Any) -> str:
    return f"http://{HOST}:{port(server)}/RPC2"


def called(server: Any, method: str, *params: Any) -> Any:
    """The outcome of one call, over a connection of its own."""
    with ServerProxy(url(server)) as proxy:
        return getattr(proxy, method)(*params)


def body(method: str, *params: Any) -> bytes:
    return dumps(params, method).encode()


@contextlib.contextmanager
def raw(server: Any, data: bytes = b"") -> Iterator[socket.socket]:
    """A connection that has sent these bytes."""
    with socket.create_connection((HOST, port(server)), BOUND) as sock:
        sock.sendall(data)
        yield sock


def rest(sock: socket.socket) -> bytes:
    """What comes until the server closes."""
    pieces = []
    with contextlib.suppress(ConnectionResetError):
        while piece := sock.recv(65536):
            pieces.append(piece)
    return b"".join(pieces)


@contextlib.contextmanager
def posted(
    server: Any, data: bytes, path: str = "/RPC2", method: str = "POST", **headers: str
) -> Iterator[HTTPResponse]:
    """The answer to a request; an underscore in the name of a header is a dash."""
    connection = HTTPConnection(HOST, port(server), timeout=BOUND)
    try:
        sent = {"Content-Type": "text/xml"} | {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, data, {name: value for name, value in sent.items() if value})
        yield connection.getresponse()
    finally:
        connection.close()


def head(path: str = "/RPC2", method: str = "POST", **headers: object) -> bytes:
    """The head of a request of HTTP/1.1."""
    sent = {"Host": "localhost", "Content-Type": "text/xml"}
    sent |= {name.replace("_", "-"): str(value) for name, value in headers.items()}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items()), "", ""]
    return "\r\n".join(lines).encode()
