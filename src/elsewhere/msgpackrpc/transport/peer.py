"""One connection of a server."""

from __future__ import annotations

import logging
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from elsewhere.msgpackrpc.transport.encodings import Encodings
from elsewhere.sansio.msgpackrpc import NOTIFY, REQUEST, RESPONSE

if TYPE_CHECKING:
    from elsewhere.msgpackrpc.server import Server
    from elsewhere.msgpackrpc.transport.tcp import ServerTransport

__all__ = ["Peer"]

_log = logging.getLogger("elsewhere.msgpackrpc")
ITEMS = 1 << 22  # of an array or a map: a header of five bytes makes room for as many
MOST = 1 << 20  # bytes of one write
FULL = 1 << 20  # bytes of answers that the far side has not taken: until it has, nothing more of it is read or run


class Peer:
    """See the module. `send_message` may be called from any thread, all else is the loop's."""

    def __init__(self, sock: socket.socket, transport: ServerTransport, server: Server, encodings: Encodings) -> None:
        self._sock = sock
        self._transport = transport
        self._server = server
        self._encodings = encodings
        self._stream = encodings.stream(ITEMS)
        self._wire = self._stream.wire
        self._inbox: deque[list[Any]] = deque()
        self._lock = threading.RLock()  # a signal's handler may close it
        self._out: deque[memoryview] = deque()
        self._waiting = 0  # bytes of that
        self._ended = False  # the far side says no more
        self._closed = False
        self._events = -1  # that the loop was told

    def watch(self) -> None:
        """Tell the loop what it waits for."""
        with self._lock:
            if self._closed:
                return
            runs = bool(self._inbox) and self._waiting <= FULL  # an interrupt has left them: go on at once
            reads = not self._ended and not self._inbox and self._waiting <= FULL
            events = reads * selectors.EVENT_READ | (runs or bool(self._out)) * selectors.EVENT_WRITE
            if events != self._events:
                self._events = events
                self._server._loop.watch(self._sock, events, self._ready)

    # ---- out ---------------------------------------------------------------------------------------------------------

    def send_message(self, message: Any, callback: Callable[[], Any] | None = None) -> None:
        """Send a response or a notification; nothing happens when the connection is gone.

        Args:
            message: as on the wire.
            callback: is called when it is on its way.

        Raises:
            Exception: whatever the codec says of what it cannot pack.
        """
        kind, *rest = message
        with self._lock:
            if kind == RESPONSE:
                msgid, error, result = rest
                outgoing = self._encodings.outgoing
                data = self._wire.response(msgid, outgoing(error), outgoing(result))
            elif kind == NOTIFY:
                data = self._wire.notify(rest[0], self._encodings.outgoing(rest[1]))
            else:
                raise ValueError(f"a server sends responses and notifications, and no message of type {kind!r}")
            self._send(memoryview(data))
        if callback is not None:
            callback()

    def _send(self, data: memoryview) -> None:
        if self._closed:
            return
        if not self._out:
            try:
                data = data[self._sock.send(data) :]
            except BlockingIOError:
                pass
            except OSError:
                self.close()
                return
        if data:
            self._out.append(data)
            self._waiting += len(data)
            self.watch()

    # ---- in ----------------------------------------------------------------------------------------------------------

    def _ready(self, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self._write()
        if events & selectors.EVENT_READ and not self._closed:
            self._read()

    def _write(self) -> None:
        with self._lock:
            while self._out and not self._closed:
                try:
                    sent = self._sock.send(self._out[0][:MOST])
                except BlockingIOError:
                    break
                except OSError:
                    self.close()
                    return
                self._waiting -= sent
                rest = self._out[0][sent:]
                if rest:
                    self._out[0] = rest
                else:
                    self._out.popleft()
        self._dispatch()

    def _read(self) -> None:
        with self._lock:
            if self._closed:
                return
            try:
                data = self._stream.receive(self._sock)
            except BlockingIOError:
                return
            except OSError:
                data = b""
        if data:
            self._inbox.extend(self._stream.take(data))
        else:
            self._ended = True
        self._dispatch()

    def _dispatch(self) -> None:
        try:
            while self._inbox and not self._closed and self._waiting <= FULL:
                self._run(self._inbox.popleft())
        finally:
            if self._inbox or self._closed:
                self.watch()
        if self._inbox or self._closed:
            return
        if self._wire.broken:
            _log.warning("a connection was ended: %s", self._wire.broken)
            self.close()
        elif self._ended and not self._out:
            self.close()
        else:
            self.watch()

    def _run(self, message: list[Any]) -> None:
        try:
            if message[0] == REQUEST:
                self._server.on_request(self, message[1], message[2], message[3])
            elif message[0] == NOTIFY:
                self._server.on_notify(message[1], message[2])
        except Exception:  # noqa: BLE001 - of an on_request of the program's own
            _log.exception("a request ended its connection")
            self.close()

    def close(self) -> None:
        """End the connection."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._out.clear()
            self._server._loop.forget(self._sock)
            self._sock.close()
            self._transport.closed(self)
