"""One connection: a request out, a reply in. HTTP itself is the standard library's.

Rule: whatever goes wrong says whether the far side may have seen all of the request.
"""

from __future__ import annotations

import contextlib
import io
import math
import select
import time
from http.client import BadStatusLine, HTTPException, HTTPResponse, IncompleteRead
from typing import Any, NamedTuple

from elsewhere.errors import ElsewhereError, MessageTooLarge, ProtocolError, SocketTimeout
from elsewhere.transport.stream import Stream

__all__ = ["Broken", "Line", "Overdue", "Reply"]

PATIENCE = 4.0  # seconds that an idle connection is kept: uvicorn, Apache and Node close theirs after 5
PIECE = 256 << 10  # bytes that are sent or read at once
TURN = 0.2  # seconds that the far side takes no more of a body, until it is looked whether it has answered already


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
        headers: a mapping that does not care for upper and lower case.
        body: without compression.
    """

    status: int
    reason: str
    headers: Any
    body: bytes


class Line:
    """See the module. One thread at a time uses it; `close` may be called by any.

    Args:
        stream: connected.
        limit: bytes of the largest body that is accepted.

    Attributes:
        used: it has brought a reply, at least once.
        lasts: it can be used once more.
    """

    def __init__(self, stream: Stream, limit: int) -> None:
        self._stream = stream
        self._limit = limit
        self._poll = select.poll()
        self._poll.register(stream.fileno(), select.POLLIN)
        self._rested = time.monotonic()
        self._patience = PATIENCE
        self.used = False
        self.lasts = True

    def well(self, now: float) -> bool:
        """Is it still there, as far as one can see, and will be for a while? What an idle one says is its end."""
        stream = self._stream
        return self.lasts and not stream.closed and now - self._rested < self._patience and not self._poll.poll(0)

    def post(self, head: bytes, body: bytes, deadline: float) -> Reply:
        """Send a request and wait for the reply.

        Raises:
            Broken, Overdue: there is none.
            ProtocolError: it is no HTTP.
            MessageTooLarge: its body is above the limit.
        """
        self.lasts = False  # until its end has come
        moment = None if deadline == math.inf else deadline
        reply = self._receive(moment, self._send(head, body, moment))
        self.used = True
        self._rested = time.monotonic()
        return reply

    # ---- out ---------------------------------------------------------------------------------------------------------

    def _send(self, head: bytes, body: bytes, deadline: float | None) -> Broken | None:
        """Send it; what prevented that, if the far side may nevertheless have answered."""
        try:
            if len(body) <= PIECE:
                self._stream.sendall(head + body, _left(deadline))
                return None
            self._stream.sendall(head, _left(deadline))
            return self._send_large(memoryview(body), deadline)
        except SocketTimeout:
            raise Overdue("was still being sent") from None
        except ElsewhereError as error:
            return self._broken(error, never=True)

    def _send_large(self, body: memoryview, deadline: float | None) -> Broken | None:
        """Who refuses a large body may answer, and not read the rest of it."""
        sent = 0
        while sent < len(body):
            if self._poll.poll(0) and not self._stream.pending() and self._answered_early():
                return Broken("the far side answered before it had all of the request", never=True)
            try:
                left = _left(deadline)
                sent += self._stream.send(body[sent : sent + PIECE], TURN if left is None else min(left, TURN))
            except SocketTimeout:
                if deadline is not None and time.monotonic() >= deadline:
                    raise
        return None

    def _answered_early(self) -> bool:
        return self._stream.certificate() is None  # TLS says things of its own

    # ---- in ----------------------------------------------------------------------------------------------------------

    def _receive(self, deadline: float | None, unsent: Broken | None) -> Reply:
        source = _Source(self._stream, deadline)
        response = HTTPResponse(source, method="POST")  # type: ignore[arg-type]  # all it asks for
        try:
            response.begin()
            if source.ended:  # the standard library takes that for the end of the headers
                raise IncompleteRead(b"")
            body = self._body(response)
        except SocketTimeout:
            raise Overdue("was sent and not answered") from None
        except ProtocolError:
            raise
        except (HTTPException, ValueError) as error:
            raise unsent or _no_http(error, source.ended) from error
        except ElsewhereError as error:
            raise unsent or self._broken(error, never=False) from error
        finally:
            response.close()
        reply = Reply(
            response.status, response.reason, response.headers, _expanded(response.headers, body, self._limit)
        )
        # Who refuses a request may not have read its body, and would take that for the next one.
        self.lasts = not response.will_close and unsent is None and 200 <= response.status < 300
        self._listen(response.headers.get("keep-alive", ""))
        return reply

    def _body(self, response: HTTPResponse) -> bytes:
        length, limit = response.length, self._limit
        if length is not None:
            if length > limit:
                raise _too_large(f"{length:,} bytes", length, limit)
            return response.read()
        found = response.read(limit + 1)
        if len(found) > limit:
            raise _too_large(f"more than {limit:,} bytes", limit + 1, limit)
        return found

    def _listen(self, keep_alive: str) -> None:
        """The far side may say for how many seconds it keeps the connection."""
        for part in keep_alive.split(","):
            name, _, value = part.strip().partition("=")
            if name == "timeout" and value.isdecimal() and len(value) < 9:
                self._patience = 0.8 * int(value)

    def _broken(self, error: ElsewhereError, *, never: bool) -> Broken:
        return Broken(str(error).removeprefix(f"{self._stream.address}: "), never=never)

    # ---- the end -----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """End it; who waits for a reply has none."""
        self.lasts = False
        self._stream.close()

    def forked(self) -> None:
        """In a forked child: it is the parent's. Closing a copy of its descriptor tells nobody."""
        self.lasts = False
        with contextlib.suppress(OSError):
            self._stream._sock.close()


class _Source(io.RawIOBase):
    """A stream as the standard library's parser wants its socket."""

    def __init__(self, stream: Stream, deadline: float | None) -> None:
        self._stream = stream
        self._deadline = deadline
        self.ended = False

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self, 64 << 10)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.recv(min(len(buffer), PIECE), 0.0 if self._deadline is not None else None, self._deadline)
        buffer[: len(data)] = data
        self.ended = not data
        return len(data)


def _no_http(error: Exception, ended: bool) -> Exception:
    """What the standard library's parser does not like, as an error of ours."""
    if isinstance(error, ConnectionError):
        return Broken("the far side closed the connection", never=False)
    http = not isinstance(error, BadStatusLine) or str(getattr(error, "line", "")).startswith("HTTP/")
    if isinstance(error, IncompleteRead) or (ended and http):
        return Broken("the far side closed the connection in the middle of its answer", never=False)
    return ProtocolError(f"what came back is no HTTP ({type(error).__name__})")


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())


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
