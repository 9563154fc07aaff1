"""What comes back for a request: read from a connection, within limits.

Rule: the usual reply, which comes with its length and in one piece, is read here; all others by the standard library,
whose parser takes as long as all the rest of a call, and to import as all the rest of a client.
"""

from __future__ import annotations

import io
from typing import Any, NamedTuple

from elsewhere.errors import ElsewhereError, MessageTooLarge, ProtocolError, SocketTimeout
from elsewhere.transport.stream import Stream

__all__ = ["PIECE", "Broken", "Overdue", "Reply", "broken", "receive"]

PIECE = 256 << 10  # bytes that are sent or read at once
USUAL = b"HTTP/1.1 200 "


class Broken(Exception):
    """The connection has ended.

    Attributes:
        never: the far side cannot have seen all of the request.
    """

    def __init__(self, reason: str, *, never: bool) -> None:
        super().__init__(reason)
        self.never = never


class Overdue(Exception):
    """The deadline came first; says where the call was."""


class Reply(NamedTuple):
    """What came back.

    Attributes:
        status: HTTP's, such as 200.
        reason: in words.
        headers: by their names in lower case.
        body: without compression.
        lasts: the connection can be used once more.
    """

    status: int
    reason: str
    headers: dict[str, str]
    body: bytes
    lasts: bool


def receive(stream: Stream, deadline: float | None, limit: int, unsent: Broken | None) -> Reply:
    """The reply to a request.

    Args:
        stream: nobody else reads from it.
        deadline: of `time.monotonic`; None: as long as the connection lives.
        limit: bytes of the largest body.
        unsent: what prevented that the request was sent whole; what to raise, then, if there is no reply.

    Raises:
        Broken, Overdue: there is none.
        ProtocolError: it is no HTTP.
        MessageTooLarge: its body is above the limit.
    """
    source = _Source(stream, deadline)
    try:
        first = source.more()
        found = _usual(source, first, limit) or _unusual(source, first, limit, unsent)
    except SocketTimeout:
        raise Overdue("was sent and not answered") from None
    except ProtocolError:
        raise
    except ElsewhereError as error:
        raise unsent or broken(stream, error, never=False) from error
    body = _expanded(found.headers, found.body, limit)
    # Who refuses a request may not have read its body, and would take that for the next one.
    return found._replace(body=body, lasts=found.lasts and unsent is None and 200 <= found.status < 300)


def broken(stream: Stream, error: ElsewhereError, *, never: bool) -> Broken:
    """The end of a connection, in its own words."""
    return Broken(str(error).removeprefix(f"{stream.address}: "), never=never)


class _Source(io.RawIOBase):
    """A stream as the standard library's parser wants its socket."""

    def __init__(self, stream: Stream, deadline: float | None) -> None:
        self._stream = stream
        self._deadline = deadline
        self._back = b""
        self.ended = False

    def more(self, size: int = PIECE) -> bytes:
        try:
            data = self._stream.recv(min(size, PIECE), None if self._deadline is None else 0.0, self._deadline)
        except RuntimeError:  # who ends it is at it in this moment, and nobody else can be
            raise Broken("closed on this side", never=False) from None
        self.ended = not data
        return data

    def give_back(self, data: bytes) -> None:
        """Read that once more, and then the rest."""
        self._back = data

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self, 64 << 10)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._back:
            data, self._back = self._back[: len(buffer)], self._back[len(buffer) :]
        else:
            data = self.more(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _usual(source: _Source, first: bytes, limit: int) -> Reply | None:
    """The reply, if it is of the usual kind."""
    end = first.find(b"\r\n\r\n")
    if end < 0 or not first.startswith(USUAL):
        return None
    reason, *fields = first[len(USUAL) : end].decode("latin-1").split("\r\n")
    headers: dict[str, str] = {}
    for field in fields:
        name, colon, value = field.partition(":")
        name = name.lower()
        if not (colon and name.isascii() and name.replace("-", "x").isalnum()) or name in headers or "\n" in field:
            return None
        headers[name] = value.strip()
    length = headers.get("content-length", "")
    if "transfer-encoding" in headers or not length.isdecimal() or len(length) > 18:
        return None
    body = _body(source, first[end + 4 :], int(length), limit)
    lasts = len(body) == int(length) and headers.get("connection", "keep-alive").lower() == "keep-alive"
    return Reply(200, reason, headers, body[: int(length)], lasts)


def _body(source: _Source, first: bytes, length: int, limit: int) -> bytes:
    if length > limit:
        raise _too_large(f"{length:,} bytes", length, limit)
    missing = length - len(first)
    if missing <= 0:
        return first
    parts = [first]
    while missing > 0:
        part = source.more(missing)
        if not part:
            raise Broken("the far side closed the connection in the middle of its answer", never=False)
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _unusual(source: _Source, first: bytes, limit: int, unsent: Broken | None) -> Reply:
    """The reply, whatever HTTP allows it to be."""
    from http.client import HTTPException, HTTPResponse, IncompleteRead

    source.give_back(first)
    response = HTTPResponse(source, method="POST")  # type: ignore[arg-type]  # all it asks for
    try:
        response.begin()
        if source.ended:  # the standard library takes that for the end of the headers
            raise IncompleteRead(b"")
        length = response.length
        if length is not None and length > limit:
            raise _too_large(f"{length:,} bytes", length, limit)
        body = response.read() if length is not None else response.read(limit + 1)
    except ElsewhereError:
        raise
    except (HTTPException, ValueError) as error:
        raise unsent or _no_http(error, source.ended) from error
    finally:
        response.close()
    if len(body) > limit:
        raise _too_large(f"more than {limit:,} bytes", limit + 1, limit)
    headers = {name.lower(): value.strip() for name, value in response.headers.items()}
    return Reply(response.status, response.reason, headers, body, not response.will_close)


def _no_http(error: Exception, ended: bool) -> Exception:
    """What the standard library's parser does not like, as an error of ours."""
    from http.client import BadStatusLine, IncompleteRead

    if isinstance(error, ConnectionError):
        return Broken("the far side closed the connection", never=False)
    http = not isinstance(error, BadStatusLine) or str(getattr(error, "line", "")).startswith("HTTP/")
    if isinstance(error, IncompleteRead) or (ended and http):
        return Broken("the far side closed the connection in the middle of its answer", never=False)
    return ProtocolError(f"what came back is no HTTP ({type(error).__name__})")


def _expanded(headers: Any, body: bytes, limit: int) -> bytes:
    """The body without compression."""
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding in {"identity", ""} or not body:
        return body
    if encoding not in {"gzip", "x-gzip"}:
        raise ProtocolError(f"the answer is compressed by {encoding!r:.40}, which was not asked for")
    import zlib

    reader = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        found = reader.decompress(body, limit + 1)
    except zlib.error as error:
        raise ProtocolError(f"the answer is no gzip: {error}") from None
    if len(found) > limit:
        raise _too_large(f"more than {limit:,} bytes without its compression", limit + 1, limit)
    if not reader.eof:
        raise ProtocolError("the answer is no gzip: it ends too early")
    return found


def _too_large(size: str, number: int, limit: int) -> MessageTooLarge:
    text = f"the answer has {size}, and the limit is {limit:,}: connect(max_size=...) sets it"
    return MessageTooLarge(text, size=number, limit=limit)
