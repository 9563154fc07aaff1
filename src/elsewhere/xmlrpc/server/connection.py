"""A connection as the two files that the standard library's request handler reads and writes: every wait ends.

What a client may take its time with is given as a `Pace`. What a handler reads ends where the request ends, so that one
that asks for too little, or for too much, never reads into the next request.
"""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Callable
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = ["Incoming", "Outgoing", "Pace", "Wire"]

HEAD = 128 << 10  # bytes of a request's first line and headers; the standard library allows 64 KiB for each line
LINGER = 1.0  # seconds to hear a client out that is sent away
PIECE = 1 << 20  # bytes that are read at once of what is thrown away


class Pace:
    """How long one side may be waited for.

    Args:
        seconds: all waits together; None is for ever.
        rate: bytes; each so many that come or go allow for another second. 0: they allow for nothing.
    """

    def __init__(self, seconds: float | None, rate: float = 0) -> None:
        self._seconds = seconds
        self._rate = rate
        self._moved = 0
        self._waited = 0.0

    def move(self, sock: socket.socket, operation: Callable[[Any], int], data: Any) -> int:
        """Receive or send, for as long as is left.

        Raises:
            TimeoutError: that was too long.
        """
        left = None
        if self._seconds is not None:
            left = self._seconds - self._waited + (self._moved / self._rate if self._rate else 0)
            if left <= 0:
                raise TimeoutError("the client is too slow")
        sock.settimeout(left)
        began = time.monotonic()
        try:
            moved = operation(data)
        finally:
            self._waited += time.monotonic() - began
        self._moved += moved
        return moved


class Wire(io.RawIOBase):
    """A socket as a file without buffer.

    Args:
        sock: stays open when this is closed.

    Attributes:
        reading, writing: how long may be waited for the client; to be set anew whenever that changes.
        broken: the connection is of no more use: it broke, or the client was too slow.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.reading = self.writing = Pace(None)
        self.broken = False

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._sock.fileno()

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        return self._moved(self.reading, self._sock.recv_into, buffer)

    def write(self, data: ReadableBuffer, /) -> int:
        if self.broken:  # nobody will read it, and a buffer that is closed must get rid of it
            return memoryview(data).nbytes
        return self._moved(self.writing, self._sock.send, data)

    def _moved(self, pace: Pace, operation: Callable[[Any], int], data: Any) -> int:
        try:
            return pace.move(self._sock, operation, data)
        except OSError:
            self.broken = True
            raise

    def hear_out(self) -> None:
        """Read what still comes, for a moment: closing a socket that has unread data throws the answer away, too."""
        try:
            socket.socket.shutdown(self._sock, socket.SHUT_WR)
            self.reading, space = Pace(LINGER), bytearray(64 << 10)
            while self.readinto(space):
                pass
        except OSError:
            pass  # then the client knows


class Incoming(io.BufferedIOBase):
    """What a client sends, up to the end of the request that is served.

    Args:
        wire: the connection.
        size: of the buffer, in bytes.

    Attributes:
        left: bytes of the request's body that were not read.
    """

    def __init__(self, wire: Wire, size: int) -> None:
        self._buffer = io.BufferedReader(wire, size)
        self._head = True
        self.left = HEAD

    def wait(self) -> bool:
        """For the first byte of a request; False if the client has closed the connection."""
        return bool(self._buffer.peek(1))

    def begin_head(self) -> None:
        self._head, self.left = True, HEAD

    def begin_body(self, length: int) -> None:
        self._head, self.left = False, length

    @property
    def unread(self) -> bool:
        """Is there more of this request, so far as is known?"""
        return self.left > 0

    def skip(self) -> None:
        """Throw the rest of the body away."""
        while self.left and self.read(PIECE):
            pass

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        data = self._buffer.read(self._allowed(size))
        self.left -= len(data)
        return data

    def read1(self, size: int = -1, /) -> bytes:
        data = self._buffer.read1(self._allowed(size))
        self.left -= len(data)
        return data

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        count = self._buffer.readinto(view[: self._allowed(len(view))])
        self.left -= count
        return count

    def readline(self, size: int | None = -1, /) -> bytes:
        allowed = self._allowed(size)
        if self._head and not allowed and size:  # an empty line would be the end of the head
            raise HTTPException(f"a request has more than {HEAD:,} bytes before its body")
        line = self._buffer.readline(allowed)
        self.left -= len(line)
        return line

    def peek(self, size: int = 0, /) -> bytes:
        return self._buffer.peek(size)[: self.left] if self.left else b""

    def _allowed(self, size: int | None) -> int:
        return self.left if size is None or size < 0 else min(size, self.left)

    def close(self) -> None:
        if not self.closed:
            self._buffer.close()
        super().close()


class Outgoing(io.BufferedWriter):
    """What a client is sent.

    Args:
        wire: the connection.
        size: of the buffer, in bytes; 0: whatever is written is sent at once.
    """

    def __init__(self, wire: Wire, size: int) -> None:
        super().__init__(wire, size or io.DEFAULT_BUFFER_SIZE)
        self._at_once = not size

    def write(self, data: ReadableBuffer, /) -> int:
        count = super().write(data)
        if self._at_once:
            self.flush()
        return count
