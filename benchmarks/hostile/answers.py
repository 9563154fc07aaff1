"""Hostile answers for clients: a server that is nothing but a socket, and the bytes that it answers with."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from benchmarks.hostile import payloads
from benchmarks.hostile.payloads import FLOOD, GIGABYTE, MEGABYTE, answer, text
from benchmarks.hostile.servers import HOST

Bytes = Iterable[bytes]


class Answer(NamedTuple):
    """A row of the table.

    Attributes:
        title: as the table shows it.
        bytes: what is answered, given the path of a file that nobody should read.
        stalls: the connection stays open afterwards, and nothing more comes.
    """

    title: str
    bytes: Callable[[Path], Bytes]
    stalls: bool = False


def ok(body: str | bytes, **headers: str) -> list[bytes]:
    data = body if isinstance(body, bytes) else body.encode()
    return [head(len(data), **headers), data]


def head(length: int | None, **headers: str) -> bytes:
    said = {"Content-Type": "text/xml"}
    if length is not None:
        said["Content-Length"] = str(length)
    said |= {name.replace("_", "-"): value for name, value in headers.items()}
    return "\r\n".join(["HTTP/1.1 200 OK", *(f"{name}: {value}" for name, value in said.items()), "", ""]).encode()


def flood(secret: Path) -> Iterator[bytes]:
    yield head(GIGABYTE)
    yield from payloads.flood(answer)


def chunks(secret: Path) -> Iterator[bytes]:
    yield head(None, Transfer_Encoding="chunked")
    for piece in payloads.flood(answer):
        yield b"%x\r\n%b\r\n" % (len(piece), piece)


def long_head(secret: Path) -> Iterator[bytes]:
    yield head(0)[:-2] + b"X-Padding: "
    yield from (b"x" * MEGABYTE for _ in range(FLOOD // MEGABYTE))


FAULT = (
    "<methodResponse><fault><value><struct><member><name>faultString</name>"
    f"{text('no code')}</member></struct></value></fault></methodResponse>"
)
PAGE = "<!doctype html><title>Welcome</title><p>Nothing to call here."

ANSWERS = {
    "drop": Answer("the connection ends after the request", lambda _: []),
    "silence": Answer("no answer at all", lambda _: [], stalls=True),
    "laughs": Answer("billion laughs", lambda _: ok(payloads.laughs(answer))),
    "quadratic": Answer("quadratic blow-up: 1 MB that becomes 95 MB", lambda _: ok(payloads.quadratic(answer))),
    "external": Answer("external entity: a file", lambda secret: ok(payloads.external(answer, secret))),
    "gzip": Answer(
        "gzip bomb: 250 KB that become 256 MB",
        lambda _: ok(payloads.zipped(payloads.begun(answer)), Content_Encoding="gzip"),
    ),
    "deep": Answer("arrays in arrays, 100,000 deep", lambda _: ok(payloads.deep(answer))),
    "length": Answer("Content-Length of 1 GB, and nothing comes", lambda _: [head(GIGABYTE), b"<"], stalls=True),
    "flood": Answer("Content-Length of 1 GB, and a lot comes", flood),
    "chunks": Answer("chunks without end", chunks),
    "long_head": Answer("a header without end", long_head),
    "half": Answer("half of an answer", lambda _: ok(answer(text("x"))[:60])),
    "fault": Answer("a fault without a code", lambda _: ok(FAULT)),
    "page": Answer("a page for a browser", lambda _: ok(PAGE, Content_Type="text/html")),
}


class Attacker:
    """The server, in a thread of its own, with one for each connection."""

    def __init__(self, answer: Answer, secret: Path) -> None:
        self.answer = answer
        self.secret = secret
        self.requests = 0
        self._listener = socket.create_server((HOST, 0))
        self.url = f"http://{HOST}:{self._listener.getsockname()[1]}/RPC2"
        self._socks: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return  # the end
            self._socks.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError), sock.makefile("rb") as stream:
            if self._read(stream):
                self.requests += 1
                for piece in self.answer.bytes(self.secret):
                    sock.sendall(piece)
                if not self.answer.stalls:
                    sock.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _read(stream: object) -> bool:
        """One request; False if there was none."""
        length = 0
        readline = stream.readline  # type: ignore[attr-defined]  # it is a file
        first = line = readline()
        while line not in {b"\r\n", b""}:
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
            line = readline()
        stream.read(length)  # type: ignore[attr-defined]  # it is a file
        return bool(first)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        for sock in self._socks:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for sock in self._socks:
            sock.close()
