"""One connection of HTTP: uvicorn's protocol, and a look at it now and then.

Rule: uvicorn reads and writes; here is only seen how fast, and how much. Who sends a head or a body too slowly, or a
head that is too long, or does not read, is cut off.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import struct
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from elsewhere.rpc.web.listening.serving import Web

__all__ = ["Watched"]

_log = logging.getLogger("elsewhere.rpc.http")
RESET = struct.pack("ii", 1, 0)
RATE = 1024  # bytes of a body a second, at least: a modem is faster
HEAD = 64 << 10  # bytes of a request's head, of which the parser would take any number
AHEAD = 1 << 20  # bytes that may come while a request is answered; whole requests of them make uvicorn stop reading


def _is_wanted(record: logging.LogRecord) -> bool:
    """A stranger's nonsense, of which uvicorn warns, is no warning."""
    if record.levelno == logging.WARNING:
        record.levelno, record.levelname = logging.DEBUG, "DEBUG"
    return _log.isEnabledFor(record.levelno)


_log.addFilter(_is_wanted)


class Watched(asyncio.Protocol):
    """A connection.

    Args:
        web: whose.
        inner: uvicorn's protocol.
        label: the client's address, for texts.
    """

    __slots__ = (
        "_before",
        "_body",
        "_coming",
        "_cycle",
        "_got",
        "_head",
        "_inner",
        "_label",
        "_stuck",
        "_transport",
        "_web",
    )

    def __init__(self, web: Web, inner: Any, label: str) -> None:
        self._web = web
        self._inner = inner
        self._label = label
        self._transport: Any = None
        self._head: float | None = time.monotonic()  # since when a head is being sent; None if none is
        self._cycle: Any = None  # the request whose body is being sent, or which is answered
        self._before: Any = None  # the request before that, which may not be answered yet
        self._body = 0.0  # since when the body is being sent ...
        self._coming = False  # ... and there is more of it
        self._got = 0  # bytes of a head, of a body, or of what comes after it
        self._stuck: tuple[float, int] | None = None  # since when how many bytes wait for the client to read
        inner.logger = _log
        inner.access_log = False

    # ---- asyncio's ---------------------------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._inner.connection_made(transport)
        self._web.came(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._inner.connection_lost(error)
        before = self._before
        if before is not None and not before.response_complete:  # uvicorn tells only the last of several
            before.disconnected = True
            before.message_event.set()
        self._web.went(self)

    def data_received(self, data: bytes) -> None:
        inner = self._inner
        self._web.tick()
        inner.data_received(data)
        cycle = inner.cycle
        if cycle is None or cycle.response_complete:
            if self._head is None or self._cycle is not None:
                self._head, self._cycle, self._got = self._head or time.monotonic(), None, 0
            self._got += len(data)
            if self._got > HEAD:
                self.end(f"the head of its request has more than {HEAD} bytes")
        elif cycle is not self._cycle or self._coming:
            if cycle is not self._cycle:
                self._before = self._cycle
                self._cycle, self._head, self._body, self._got = cycle, None, time.monotonic(), 0
            self._coming = cycle.more_body
            self._got = self._got + len(data) if self._coming else 0
        else:
            self._got += len(data)
            if self._got > AHEAD:
                self.end("it sends more before it has its answer")

    def eof_received(self) -> None:
        self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    # ---- seen from time to time --------------------------------------------------------------------------------------

    def look(self, now: float, head: float, sending: float) -> None:
        """End it if the client is too slow.

        Args:
            now: by the monotonic clock.
            head: seconds for the head of a request.
            sending: seconds in which a client has to read something.
        """
        waiting = self._transport.get_write_buffer_size()
        if not waiting:
            self._stuck = None
        elif self._stuck is None or waiting < self._stuck[1]:
            self._stuck = now, waiting
        elif now - self._stuck[0] > sending:
            self.end(f"it has not read its answer for {sending:g} s")
            return
        cycle = self._inner.cycle
        if self._head is not None:
            if now - self._head > head:
                self.end(f"no request came within {head:g} s")
        elif self._inner.flow.read_paused or getattr(self._inner, "pipeline", None):  # it is not the client's fault
            self._body, self._got = now, 0
        elif cycle is not None and cycle.more_body and not cycle.response_complete:
            took = now - self._body
            if took > head and self._got < RATE * took:
                self.end(f"its body came at less than {RATE} bytes a second")

    def dismiss(self) -> None:
        """The service closes: a request that is under way may end."""
        self._inner.shutdown()

    def end(self, reason: str) -> None:
        """End it now, with what the kernel has still to send: else it would keep that for who does not read."""
        _log.debug("%s: closed: %s", self._label, reason)
        known = self._transport.get_extra_info("socket")
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(known.fileno())) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._transport.abort()
