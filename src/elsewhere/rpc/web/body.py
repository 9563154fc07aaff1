"""Bodies on their way in, within limits, and answers on their way out.

Rule: no more is held than the limits allow, whatever a header claims or a compressed body expands to. What is turned
away is answered before the rest of its body has come.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import zlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from elsewhere.rpc.web.guard import Headers, Refused

if TYPE_CHECKING:
    from elsewhere.rpc.serving.engine import Engine
    from elsewhere.rpc.serving.loop.team import Team

__all__ = ["Bodies", "Body", "Gone", "aside", "send", "send_refusal"]

LARGE = 64 << 10  # bytes of a body from which on it is decoded beside the loop
EXPANDED = 20 << 20  # bytes that a compressed body may have: as much as the standard library's own limit
WORTH = 1400  # bytes of an answer from which on it is compressed, for who takes that: as in the standard library
BUDGET = 4  # bodies of the largest size that may be on their way in together
LINGER = 1.0  # seconds, and ...
MOST = 1 << 20  # ... bytes, for which a client that is turned away is listened to, so that it comes to read why
TEXT = [(b"content-type", b"text/plain; charset=utf-8"), (b"x-content-type-options", b"nosniff")]
HeaderList = list[tuple[bytes, bytes]]
Body = bytes | bytearray
T = TypeVar("T")


class Gone(Exception):
    """The client has gone before its request was whole."""


class Bodies:
    """Reads bodies.

    Args:
        limit: bytes of each.
        engine: of the service; its threads decode what is large.
    """

    def __init__(self, limit: int, engine: Engine) -> None:
        self._limit = limit
        self._engine = engine
        self._held = 0

    async def decoded(self, headers: Headers, receive: Any, parse: Callable[[Body], T]) -> T:
        """What `parse` makes of the body of a request, or raises; beside the loop, if that may take long.

        Raises:
            Refused: the body is too large, or compressed in a way that is not known.
            Gone: the client has gone.
        """
        body = await self._read(headers, receive)
        if len(body) < LARGE and b"content-encoding" not in headers:
            return parse(body)
        work = partial(_parsed, parse, [body], headers, self._limit)
        del body
        return await aside(self._engine.aside, work)

    async def _read(self, headers: Headers, receive: Any) -> Body:
        """The body of a request, as it came.

        Raises:
            Refused: it is too large, or there are too many at once.
            Gone: the client has gone.
        """
        length = headers.get(b"content-length")
        limit = self._limit if length is not None else self._limit // 2  # who does not say how much comes gets less
        if length is not None and length.isdigit() and int(length) > self._limit:
            raise self._too_large(f"{int(length):,} bytes")
        message = await receive()
        if message["type"] == "http.request" and not message.get("more_body"):
            found: bytes = message.get("body", b"")
            if len(found) > self._limit:
                raise self._too_large(f"{len(found):,} bytes")
            return found
        whole = bytearray()
        try:
            while True:
                if message["type"] != "http.request":
                    raise Gone
                part = message.get("body", b"")
                whole += part
                self._held += len(part)
                if len(whole) > limit:
                    raise Refused(413, f"the body has more than {limit:,} bytes, the most without a Content-Length")
                if self._held > BUDGET * self._limit:
                    raise Refused(503, "too much is on its way to this service", [(b"retry-after", b"1")])
                if not message.get("more_body"):
                    return whole
                message = await receive()
        finally:
            self._held -= len(whole)

    def _too_large(self, size: str) -> Refused:
        return Refused(413, f"the body has {size}, above the limit of {self._limit:,}: Service(max_size=...) sets it")


def _parsed(parse: Callable[[Body], T], bodies: list[Body], headers: Headers, limit: int) -> T:
    """Parse the one body, which is not kept meanwhile in both its forms."""
    return parse(expanded(bodies.pop(), headers, min(limit, EXPANDED)))


def expanded(body: Body, headers: Headers, most: int) -> Body:
    """A body without its compression.

    Raises:
        Refused: it is compressed in a way that is not known here, or larger than `most` without.
    """
    encoding = headers.get(b"content-encoding", b"identity").strip().lower()
    if encoding == b"identity":
        return body
    if encoding not in {b"gzip", b"x-gzip"}:
        raise Refused(415, "a body may be compressed by gzip, and in no other way", [(b"accept-encoding", b"gzip")])
    reader = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        found = reader.decompress(body, most + 1)
    except zlib.error as error:
        raise Refused(400, f"the body is no gzip: {error}") from None
    if len(found) > most:
        raise Refused(413, f"without its compression the body has more than {most:,} bytes, the most that is taken")
    if not reader.eof:
        raise Refused(400, "the body is no whole gzip: it ends too early")
    if reader.unused_data:
        raise Refused(400, "the body is no gzip: something follows it")
    return found


async def aside(team: Team, work: Callable[[], T]) -> T:
    """Do something in a thread, and wait for what it returns or raises."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(how: Callable[[Any], None], outcome: Any) -> None:
        if not done.done():  # who waited may have been cancelled
            how(outcome)

    def run() -> None:
        how: Any
        outcome: Any
        try:
            how, outcome = done.set_result, work()
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            how, outcome = done.set_exception, error
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, how, outcome)

    team.submit(run)
    return await done


async def send(
    send_: Any, engine: Engine, status: int, body: bytes, extra: HeaderList, headers: Headers | None = None
) -> None:
    """Send an answer; compressed, where it is large and the client takes that."""
    out = [(b"content-length", b"%d" % len(body)), *extra]
    if headers is not None and len(body) >= WORTH and _takes_gzip(headers, engine):
        whole = body
        body = await aside(engine.aside, lambda: _compressed(whole)) if len(whole) >= LARGE else _compressed(whole)
        out = [(b"content-length", b"%d" % len(body)), (b"content-encoding", b"gzip"), *extra]
    await send_({"type": "http.response.start", "status": status, "headers": out})
    await send_({"type": "http.response.body", "body": body})


def _takes_gzip(headers: Headers, engine: Engine) -> bool:
    return b"gzip" in headers.get(b"accept-encoding", b"") and not engine.closing  # which has threads for it


def _compressed(body: bytes) -> bytes:
    return gzip.compress(body, 1, mtime=0)


async def send_refusal(receive: Any, send_: Any, refused: Refused) -> None:
    """Say why a request is turned away, and end its connection.

    A connection that is closed while the client still sends is reset, and the client may lose what it was told. So it
    is listened to for a moment more.
    """
    body = f"{refused}\n".encode()
    head = [(b"content-length", b"%d" % len(body)), *TEXT, *refused.headers, (b"connection", b"close")]
    await send_({"type": "http.response.start", "status": refused.status, "headers": head})
    await send_({"type": "http.response.body", "body": body, "more_body": True})
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER):
            heard = 0
            while heard < MOST:
                message = await receive()
                heard += len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body"):
                    break
    await send_({"type": "http.response.body", "body": b""})
