"""Hostile input for servers: the bytes of each attack, and what a server should make of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.hostile import payloads
from benchmarks.hostile.payloads import FLOOD, GIGABYTE, MEGABYTE, call, text

Bytes = Iterable[bytes]
EVIL = "evil.example"
REBOUND = {"Host": EVIL, "Origin": f"http://{EVIL}"}  # what a browser says to a name that has been led here


class Target(NamedTuple):
    """Whom an attack is for.

    Attributes:
        port: on loopback.
        secret: a file that nobody outside should come to see.
    """

    port: int
    secret: Path


class Attack(NamedTuple):
    """A row of the table.

    Attributes:
        title: as the table shows it.
        request: the bytes, which may be more than anybody wants to hold at once.
        needs_json: there is no such thing in XML-RPC.
        may_answer: a value is no harm, if it is bounded.
    """

    title: str
    request: Callable[[Target], Bytes]
    needs_json: bool = False
    may_answer: bool = False


def head(target: Target, length: int | str | None, path: str = "/RPC2", **headers: str) -> bytes:
    """The head of a POST; headers by keyword replace those of an honest caller."""
    said = {"Host": f"127.0.0.1:{target.port}", "Content-Type": "text/xml"}
    if length is not None:
        said["Content-Length"] = str(length)
    said |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in said.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def post(target: Target, body: str | bytes, path: str = "/RPC2", **headers: str) -> list[bytes]:
    data = body if isinstance(body, bytes) else body.encode()
    return [head(target, len(data), path, **headers), data]


def sized(value: str) -> str:
    """A call whose answer is short, whatever becomes of the value."""
    return call(value, "size")


def named(method: str) -> str:
    return f"<methodCall><methodName>{method}</methodName><params/></methodCall>"


def json(target: Target, body: str) -> list[bytes]:
    return post(target, body, "/jsonrpc", Content_Type="application/json")


def gzip_bomb(target: Target) -> Bytes:
    return post(target, payloads.zipped(payloads.begun(sized)), Content_Encoding="gzip")


def flood(target: Target) -> Iterator[bytes]:
    yield head(target, GIGABYTE)
    yield from payloads.flood(sized)


def chunks(target: Target) -> Iterator[bytes]:
    """A body that does not say how long it is, and does not end."""
    yield head(target, None, Transfer_Encoding="chunked")
    for piece in payloads.flood(sized):
        yield b"%x\r\n%b\r\n" % (len(piece), piece)


def long_head(target: Target) -> Iterator[bytes]:
    yield head(target, 0)[:-2] + b"X-Padding: "
    yield from (b"x" * MEGABYTE for _ in range(FLOOD // MEGABYTE))


def many_heads(target: Target) -> Iterator[bytes]:
    yield head(target, 0)[:-2]
    for n in range(100_000):
        yield b"X-%d: x\r\n" % n


def multicall(count: int, method: str) -> str:
    one = (
        f"<value><struct><member><name>methodName</name>{text(method)}</member>"
        "<member><name>params</name><value><array><data/></array></value></member></struct></value>"
    )
    return call(f"<value><array><data>{one * count}</data></array></value>", "system.multicall")


ATTACKS = {
    "laughs": Attack("billion laughs", lambda at: post(at, payloads.laughs(sized))),
    "quadratic": Attack("quadratic blow-up: 1 MB that becomes 95 MB", lambda at: post(at, payloads.quadratic(sized))),
    "external": Attack("external entity: a file", lambda at: post(at, payloads.external(call, at.secret))),
    "gzip": Attack("gzip bomb: 250 KB that become 256 MB", gzip_bomb),
    "deep": Attack("arrays in arrays, 100,000 deep", lambda at: post(at, payloads.deep(call))),
    "deep_json": Attack("… in JSON", lambda at: json(at, "[" * payloads.DEEP), needs_json=True),
    "length": Attack("Content-Length of 1 GB, and nothing comes", lambda at: [head(at, GIGABYTE), b"<"]),
    "flood": Attack("Content-Length of 1 GB, and a lot comes", flood),
    "chunks": Attack("chunks without end", chunks),
    "negative": Attack("Content-Length of -1", lambda at: [head(at, -1), named("mark").encode()]),
    "long_head": Attack("a header without end", long_head),
    "many_heads": Attack("100,000 headers", many_heads),
    "multicall": Attack(
        "multicall of 100 calls that answer 1 MB each", lambda at: post(at, multicall(100, "megabyte")), may_answer=True
    ),
    "type": Attack("a form's content type", lambda at: post(at, named("mark"), Content_Type="text/plain")),
    "origin": Attack("a foreign Origin", lambda at: post(at, named("mark"), Origin=f"https://{EVIL}")),
    "host": Attack("DNS rebinding: a foreign Host, and its Origin", lambda at: post(at, named("mark"), **REBOUND)),
    "markup": Attack("markup as method name", lambda at: post(at, named("&lt;script&gt;alert(1)&lt;/script&gt;"))),
    "dotted": Attack("dotted name: `inner.secret`", lambda at: post(at, named("inner.secret"))),
    "class": Attack("`__class__`", lambda at: post(at, named("__class__"))),
    "globals": Attack("`echo.__func__.__globals__.get`", lambda at: post(at, named("echo.__func__.__globals__.get"))),
    "control": Attack("a result with control characters", lambda at: post(at, named("control"))),
    "huge": Attack("a result of 2⁷⁰", lambda at: post(at, named("huge"))),
    "surrogate": Attack("a result with a lone surrogate", lambda at: post(at, named("surrogate"))),
}
