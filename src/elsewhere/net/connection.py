"""A connection, as programs use it: bytes there, bytes back, each wait with a bound."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from types import EllipsisType
from typing import Any, Self

from elsewhere.errors import ConnectionLost, MessageTooLarge
from elsewhere.net.limits import MESSAGE, seconds
from elsewhere.transport.address import Address
from elsewhere.transport.stream import Data, Stream

__all__ = ["Connection", "Timeout"]

CHUNK = 65536  # bytes asked for at once
LARGE = 262144  # ... of something large; room for all that is asked for is made before anything has come
Timeout = float | EllipsisType | None
Until = tuple[float | None, float | None]  # seconds, for the error; and the moment in which they are over


class Connection:
    """A stream: TCP, TLS or a Unix socket. `connect` gives one, and so does a `Server` to its handler.

    Each method that waits takes ``timeout=`` in seconds; None waits as long as the connection lives, and who leaves it
    out gets `timeout`. A `SocketTimeout` loses nothing: what came remains to be read. One thread may read while others
    send. It is a context manager, which closes it.

    Attributes:
        address: what was connected to, or where the server listens.
        peer: the far side's own address. Those who connect to a Unix socket have none.
        max_size: the most bytes that `recv_exactly` gathers.
    """

    def __init__(
        self, stream: Stream, address: Address, peer: Address, *, timeout: float | None, max_size: int = MESSAGE
    ) -> None:
        self._stream = stream
        self._held = bytearray()  # has come, and was not asked for yet
        self.address = address
        self.peer = peer
        self.timeout = timeout
        self.max_size = max_size

    # ---- out ---------------------------------------------------------------------------------------------------------

    def send(self, data: Data, timeout: Timeout = ...) -> int:
        """Send at least one byte of it, and no more than goes at once.

        Args:
            data: bytes, or anything that holds some.
            timeout: seconds until the first byte goes.

        Returns:
            How many bytes went.

        Raises:
            SocketTimeout, ConnectionLost: as `sendall` does.
        """
        return self._stream.send(data, self._seconds(timeout))

    def sendall(self, data: Data, timeout: Timeout = ...) -> None:
        """Send all of it. Where several threads send, each has its turn with the whole of its data.

        Args:
            data: bytes, or anything that holds some.
            timeout: seconds for all of it.

        Raises:
            SocketTimeout: the far side does not read. A part may have gone, as the error says.
            ConnectionLost: the connection broke, or is closed.
        """
        self._stream.sendall(data, self._seconds(timeout))

    def shutdown(self) -> None:
        """Tell the far side that nothing more will be sent: it reads the end of the file, and may still send.

        Raises:
            TypeError: with TLS there is no such thing, as in asyncio.
        """
        self._stream.shutdown()

    # ---- in ----------------------------------------------------------------------------------------------------------

    def recv(self, max_size: int = CHUNK, timeout: Timeout = ...) -> bytes:
        """What has come, at most `max_size` bytes; waits for the first. ``b""`` is the end of the file.

        Args:
            max_size: the most bytes that are wanted, 64 KiB by default. It may be less: a message may come in parts.
            timeout: seconds until the first byte comes.

        Raises:
            SocketTimeout: nothing came in that time.
            ConnectionLost: the connection broke, or is closed.
        """
        if max_size < 1:
            raise ValueError(f"max_size is at least 1 byte, not {max_size!r}")
        if self._held:
            return self._taken(min(max_size, len(self._held)))
        return self._stream.recv(min(max_size, LARGE), self._seconds(timeout), stoppable=True)

    def recv_exactly(self, size: int, timeout: Timeout = ...) -> bytes:
        """So many bytes.

        Args:
            size: how many.
            timeout: seconds for all of them.

        Raises:
            SocketTimeout: they did not all come in that time; those that did remain to be read.
            ConnectionLost: the file ended before; says after how many.
            MessageTooLarge: `size` is above the connection's `max_size`; nothing was read.
        """
        if size < 0:
            raise ValueError(f"a size is 0 bytes or more, not {size!r}")
        if size > self.max_size:
            raise MessageTooLarge(
                f"{self._name}: {size:,} bytes are more than this connection's max_size of {self.max_size:,}",
                size=size,
                limit=self.max_size,
            )
        until = self._until(timeout)
        if size <= CHUNK:
            while len(self._held) < size:
                self._more(CHUNK, until, f"{size:,} bytes")
            return self._taken(size)
        return self._gathered(size, until)

    def recv_until(self, separator: bytes = b"\n", max_size: int = CHUNK, timeout: Timeout = ...) -> bytes:
        r"""Up to and with the separator; ``b""`` if the file ends before anything else comes.

        Args:
            separator: such as ``b"\n"``.
            max_size: the most bytes to look through, the separator among them.
            timeout: seconds for all of it.

        Raises:
            SocketTimeout: it did not come in that time; what did remains to be read.
            ConnectionLost: the file ended in the middle.
            MessageTooLarge: there is no separator in so many bytes; they remain to be read.
        """
        if not separator:
            raise ValueError("the separator is at least one byte")
        until = self._until(timeout)
        looked = 0
        while (found := self._held.find(separator, looked, max_size)) < 0:
            if len(self._held) >= max_size:
                raise MessageTooLarge(
                    f"{self._name}: no {separator!r} within {max_size:,} bytes (max_size=)",
                    size=len(self._held),
                    limit=max_size,
                )
            looked = max(0, len(self._held) - len(separator) + 1)
            if not self._more(CHUNK, until, "" if not self._held else f"a {separator!r}"):
                return b""
        return self._taken(found + len(separator))

    def request(
        self, data: Data, timeout: float = 1.0, attempts: int = 3, match: Callable[[bytes], bool] | None = None
    ) -> bytes:
        """For ``udp://`` only: see `Datagrams`."""
        raise TypeError(f"{self._name} is a stream: request() is for udp://, where an answer is one datagram")

    @property
    def pending(self) -> int:
        """Bytes that can be read without a wait and that no `select` tells of."""
        return len(self._held) + self._stream.pending()

    def _more(self, size: int, until: Until, what: str) -> bool:
        """Wait for more; False at the end of the file. What is named was in the middle of coming."""
        came = self._stream.recv(size, *until, stoppable=not self._held)
        self._held += came
        if not came and what:
            raise ConnectionLost(
                f"{self._name}: the connection ended after {len(self._held):,} bytes, before {what} had come",
                address=self._name,
                phase="recv",
            )
        return bool(came)

    def _gathered(self, size: int, until: Until) -> bytes:
        """Something large, copied once."""
        parts = [self._taken(min(size, len(self._held)))]
        left = size - len(parts[0])
        try:
            while left:
                came = self._stream.recv(min(left, LARGE), *until, stoppable=left == size)
                if not came:
                    raise ConnectionLost(
                        f"{self._name}: the connection ended after {size - left:,} of {size:,} bytes",
                        address=self._name,
                        phase="recv",
                    )
                parts.append(came)
                left -= len(came)
        except BaseException:
            self._held[:0] = b"".join(parts)
            raise
        return b"".join(parts)

    def _taken(self, size: int) -> bytes:
        taken = bytes(self._held[:size])
        del self._held[:size]
        return taken

    # ---- the rest ----------------------------------------------------------------------------------------------------

    @property
    def timeout(self) -> float | None:
        """Seconds for each wait that says no other; None for no bound. Can be set."""
        return self._timeout

    @timeout.setter
    def timeout(self, value: float | None) -> None:
        self._timeout = seconds(value)

    @property
    def certificate(self) -> dict[str, Any] | None:
        """The far side's certificate as `ssl.SSLSocket.getpeercert` gives it; None if it has shown none."""
        return self._stream.certificate()

    @property
    def closed(self) -> bool:
        """Closed on this side?"""
        return self._stream.closed

    def fileno(self) -> int:
        """The socket's descriptor, for `select`; -1 once it is closed. Look at `pending`, too."""
        return self._stream.fileno()

    def close(self) -> None:
        """Close it. A thread that waits in it gets a `ConnectionLost`; a second close does nothing."""
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else "ended by the far side" if self._stream.ended else "open"
        return f"<{type(self).__name__} {self._name} {state}>"

    @property
    def _name(self) -> str:
        return self._stream.address

    def _seconds(self, timeout: Timeout) -> float | None:
        return self._timeout if timeout is ... else seconds(timeout)

    def _until(self, timeout: Timeout) -> Until:
        found = self._seconds(timeout)
        return found, None if found is None else monotonic() + found
