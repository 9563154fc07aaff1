"""A client of HTTP that says what it is told: nothing of ours between the test and the server."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from typing import Any, NamedTuple, Self

from elsewhere.sansio import xmlrpc
from elsewhere.transport.address import Address
from tests.contract.work import PATIENCE

JSON = {"Content-Type": "application/json"}
XML = {"Content-Type": "text/xml"}


class Found(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Plain:
    """One connection."""

    def __init__(self, address: str, context: Any = None) -> None:
        found = Address.parse(address, ("http", "https"))
        if context is not None:
            self.http: Any = http.client.HTTPSConnection(found.host, found.port, timeout=PATIENCE, context=context)
        else:
            self.http = http.client.HTTPConnection(found.host, found.port, timeout=PATIENCE)
        self.port = found.port

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Found:
        self.http.request(method, path, body, {key.replace("_", "-"): value for key, value in headers.items()})
        return self.answer()

    def answer(self) -> Found:
        response = self.http.getresponse()
        return Found(response.status, response.headers, response.read())

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> Found:
        self.http.request("POST", path, body, headers)
        return self.answer()

    def jsonrpc(self, value: Any, **headers: str) -> Found:
        """Post a value, or a body as it is."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.post("/jsonrpc", body, {**JSON, **{key.replace("_", "-"): each for key, each in headers.items()}})

    def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """The whole answer to one call."""
        found = self.jsonrpc({"jsonrpc": "2.0", "method": method, "params": kwargs or list(args), "id": 1})
        assert found.status == 200, found
        return found.json

    def result(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self.call(method, *args, **kwargs)["result"]

    def error(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self.call(method, *args, **kwargs)["error"]

    def xmlrpc(self, method: str, *args: Any) -> Any:
        """The value of an answer, or its fault; for what the standard library's client does not send."""
        found = self.post("/RPC2", xmlrpc.call(method, args), XML)
        assert found.status == 200, found
        try:
            return xmlrpc.parse_answer(found.body)
        except xmlrpc.Fault as fault:
            return fault

    def ended(self) -> bool:
        """The server has closed the connection, or said that it will; waits for it."""
        if self.http.sock is None:
            return True
        try:
            return self.http.sock.recv(1) == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        self.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Bytes:
    """A connection for bytes that no client of HTTP would send."""

    def __init__(self, address: str) -> None:
        found = Address.parse(address, ("http",))
        self.sock = socket.create_connection((found.host, found.port), timeout=PATIENCE)

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def rest(self) -> bytes:
        """All that comes until the server closes the connection."""
        found = b""
        with contextlib.suppress(ConnectionError):
            while data := self.sock.recv(65536):
                found += data
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()
