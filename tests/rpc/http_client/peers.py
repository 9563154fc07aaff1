"""Peers that speak HTTP over raw sockets, in all their moods: nothing of ours, and no server that would mend anything.

with HttpPeer() as peer:                    # speaks JSON-RPC, politely
    connect(peer.address)

with HttpPeer(mood) as peer: ...            # a mood is a function that gets each connection
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tests.rpc.peers import Peer

OURS = "Elsewhere-Version: 1\r\n"


class Asked(NamedTuple):
    """A request as it came."""

    line: str
    headers: dict[str, str]  # by lower case names
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Conversation:
    """One connection of a peer."""

    def __init__(self, peer: HttpPeer, sock: socket.socket, number: int) -> None:
        self.peer = peer
        self.sock = sock
        self.number = number  # of the connection, from 0
        self._read = b""

    def requests(self) -> Iterator[Asked]:
        """What the client asks for, until it goes."""
        while True:
            head = self._until(b"\r\n\r\n")
            if head is None:
                return
            line, *fields = head.decode().split("\r\n")
            headers = {}
            for field in fields:
                name, _, value = field.partition(":")
                assert name.lower() not in headers
                headers[name.lower()] = value.strip()
            size = int(headers["content-length"])
            while len(self._read) < size:
                if not self._more():
                    return
            body, self._read = self._read[:size], self._read[size:]
            found = Asked(line, headers, body)
            self.peer.asked.append(found)
            yield found

    def next(self) -> Asked:
        return next(self.requests())

    def _until(self, mark: bytes) -> bytes | None:
        while mark not in self._read:
            if not self._more():
                return None
        found, self._read = self._read.split(mark, 1)
        return found

    def _more(self) -> bool:
        data = self.sock.recv(1 << 20)
        self._read += data
        return bool(data)

    def send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self.sock.sendall(data)

    def reply(
        self, body: bytes | str, status: str = "200 OK", kind: str = "application/json", *, extra: str = ""
    ) -> None:
        data = body.encode() if isinstance(body, str) else body
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n{extra}\r\n"
        self.send(head.encode() + data)

    def answer(self, asked: Asked, result: Any, *, extra: str = "") -> None:
        self.reply(json.dumps({"jsonrpc": "2.0", "result": result, "id": asked.json.get("id")}), extra=extra)

    def until_gone(self) -> None:
        """Say nothing more; tell when the client has gone."""
        with contextlib.suppress(OSError):
            while self._more():
                pass
        self.peer.gone.set()


class HttpPeer(Peer):
    """See the module.

    Attributes:
        executed: what was called, in order, without what begins with ``rpc.``.
        asked: requests that came.
        gone: a client has closed a connection while it was waited for that.
    """

    def __init__(
        self, mood: Callable[[Conversation], Any] | None = None, *, ours: bool = False, path: str | None = None
    ) -> None:
        super().__init__(mood or polite, ours=ours, path=path)  # type: ignore[arg-type]  # conversations of its own kind
        self.asked: list[Asked] = []
        self.gone = threading.Event()

    def __enter__(self):
        super().__enter__()
        self.url = self.address.replace("tcp://", "http://")
        self.address = f"jsonrpc+{self.address}" if self._path else f"{self.url}/"
        return self

    def _serve(self, sock: socket.socket, number: int) -> None:
        with contextlib.closing(sock):
            try:
                self.mood(Conversation(self, sock, number))  # type: ignore[arg-type]
            except (OSError, StopIteration):
                return
            except BaseException as error:
                self.errors.append(error)


def outcome(peer: HttpPeer, one: Any) -> dict[str, Any] | None:
    """What a polite peer answers to one request."""
    method, params = one["method"], one.get("params", [])
    args = list(params.values()) if isinstance(params, dict) else params
    if not method.startswith("rpc."):
        peer.executed.append((method, *args))
    told: dict[str, Any] = {"jsonrpc": "2.0", "id": one.get("id")}
    if method == "double":
        told["result"] = args[0] * 2
    elif method in {"echo", "safe", "a.b.c", "call", "submit"}:
        told["result"] = args[0] if args else None
    elif method == "args":
        told["result"] = params
    elif method == "fail":
        told["error"] = args[0]
    elif method == "rpc.methods" and peer.ours:
        told["result"] = [{"name": "safe", "signature": "()", "doc": "", "idempotent": True}, {"name": "double"}]
    else:
        told["error"] = {"code": -32601, "message": f"{method!r} method not found"}
    return told if "id" in one else None


def execute(conversation: Conversation, asked: Asked) -> None:
    """What a polite peer does with a request."""
    peer = conversation.peer
    found = asked.json
    extra = OURS if peer.ours else ""
    answers = [outcome(peer, one) for one in (found if isinstance(found, list) else [found])]
    told = [each for each in answers if each is not None]
    if not told:
        conversation.send(f"HTTP/1.1 204 No Content\r\n{extra}\r\n".encode())
    else:
        conversation.reply(json.dumps(told[::-1] if isinstance(found, list) else told[0]), extra=extra)


def polite(conversation: Conversation) -> None:
    for asked in conversation.requests():
        execute(conversation, asked)


def once(first: Callable[[Conversation], Any]) -> Callable[[Conversation], Any]:
    """A mood: the first connection goes wrong, the others are well."""
    return lambda conversation: first(conversation) if conversation.number == 0 else polite(conversation)
