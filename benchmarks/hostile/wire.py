"""Both sides of HTTP as far as an attack needs them: send until somebody answers, and tell what the answer was."""

from __future__ import annotations

import http.client
import json
import select
import socket
import time
from collections.abc import Iterable
from typing import NamedTuple
from xml.parsers import expat

from benchmarks.hostile.servers import HOST

MOST = 300_000_000  # bytes of an answer that are read


class Reply(NamedTuple):
    """What came back.

    Attributes:
        kind: "value", "fault", "broken XML", "HTTP 413", "closed", or "" for nothing within the time.
        body: of the answer.
    """

    kind: str
    body: bytes = b""


def attack(sock: socket.socket, pieces: Iterable[bytes], patience: float) -> Reply:
    """Send, until an answer comes or all is sent; then wait for the answer."""
    end = time.monotonic() + patience
    sock.setblocking(False)
    try:
        for piece in pieces:
            if not _sent(sock, memoryview(piece), end):
                break
    except ConnectionError:
        pass  # an answer may have come before
    return reply(sock, max(0.1, end - time.monotonic()))


def _sent(sock: socket.socket, data: memoryview, end: float) -> bool:
    """False when there is something to read first, or no more time."""
    poll = select.poll()
    poll.register(sock, select.POLLIN | select.POLLOUT)
    while data:
        found = poll.poll(1000 * max(0.0, end - time.monotonic()))
        if not found or found[0][1] & ~select.POLLOUT:
            return False
        data = data[sock.send(data) :]
    return True


def reply(sock: socket.socket, patience: float) -> Reply:
    """Read one answer."""
    sock.settimeout(patience)
    response = http.client.HTTPResponse(sock, method="POST")
    try:
        response.begin()
        body = response.read(MOST)
    except TimeoutError:
        return Reply("")
    except (OSError, http.client.HTTPException):
        return Reply("closed")
    finally:
        response.close()  # or the socket stays open with it
    return Reply(_kind(response.status, response.getheader("Content-Type", ""), body), body)


def _kind(status: int, content: str, body: bytes) -> str:
    if status != http.client.OK:
        return f"HTTP {status}"
    if "json" in content:
        return "fault" if "error" in json.loads(body) else "value"
    faults = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, _: faults.append(name) if name == "fault" else None
    try:
        parser.Parse(body, True)
    except expat.ExpatError:
        return "broken XML"
    return "fault" if faults else "value"


def honest(port: int, method: str, patience: float) -> Reply:
    """What everybody else does: one call on a connection of its own."""
    body = f"<methodCall><methodName>{method}</methodName><params/></methodCall>".encode()
    lines = ["POST /RPC2 HTTP/1.1", f"Host: {HOST}:{port}", "Content-Type: text/xml", f"Content-Length: {len(body)}"]
    try:
        with socket.create_connection((HOST, port), timeout=patience) as sock:
            sock.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode() + body)
            return reply(sock, patience)
    except TimeoutError:
        return Reply("")
    except OSError:
        return Reply("closed")
