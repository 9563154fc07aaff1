"""A connected stream socket that one thread may read while others write; `secure.py` is the same with TLS on it.

Rules:

- The socket never blocks: who waits does so in `poll`, with a bound of its own. `socket.settimeout` is one word for
  both directions, and a TLS connection that blocks in a read can't be written to.
- `close` wakes who waits; the last one out closes the descriptor, so that its number is never used for another socket
  by somebody who has just been about to read.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import threading
import time
from typing import Any, Protocol

from elsewhere.errors import ConnectionLost, ElsewhereError, SocketTimeout
from elsewhere.transport.trouble import lost

__all__ = ["Data", "HasFileno", "Stream", "milliseconds", "stream_of"]

IN, OUT = select.POLLIN, select.POLLOUT
Data = bytes | bytearray | memoryview


class HasFileno(Protocol):
    """Something with a descriptor."""

    def fileno(self) -> int: ...


def stream_of(sock: socket.socket, address: str, stop: HasFileno | None = None) -> Stream:
    """The stream for a connected socket: a `SecureStream` if TLS is on it."""
    if not hasattr(sock, "getpeercert"):
        return Stream(sock, address, stop)
    from elsewhere.transport.secure import SecureStream  # with it comes ssl

    return SecureStream(sock, address, stop)


def milliseconds(seconds: float) -> int:
    """For `poll`: rounded up, or a wait for less than one would spin."""
    return min(int(max(0.0, seconds) * 1000) + 1, 2**31 - 1)


class Stream:
    """A plain one.

    Args:
        sock: connected; it is this object's from now on.
        address: for errors, a URL.
        stop: something with a descriptor; once that is readable, reads that may be stopped find the stream at its end.
    """

    def __init__(self, sock: socket.socket, address: str, stop: HasFileno | None = None) -> None:
        sock.setblocking(False)
        self._sock = sock
        self.address = address
        self._fd = sock.fileno()
        self._reading, self._writing = threading.Lock(), threading.Lock()
        self._closed = self._ended = self._shut = False
        self._in, self._out = select.poll(), select.poll()
        self._stop = stop  # kept, so that its descriptor is not closed before
        self._in_or_stop = select.poll()
        if stop is not None:
            self._in_or_stop.register(stop.fileno(), IN)

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def ended(self) -> bool:
        """Has the far side said that nothing more will come?"""
        return self._ended

    def fileno(self) -> int:
        """The socket's descriptor; -1 once it is closed."""
        return self._sock.fileno()

    def pending(self) -> int:
        """Bytes that are decrypted and wait to be read: no `poll` tells of them."""
        return 0

    def certificate(self) -> dict[str, Any] | None:
        """The far side's certificate as `ssl.SSLSocket.getpeercert` gives it; None if it has shown none."""
        return None

    # ---- in ----------------------------------------------------------------------------------------------------------

    def recv(
        self, size: int, timeout: float | None = None, deadline: float | None = None, *, stoppable: bool = False
    ) -> bytes:
        """Up to `size` bytes, as soon as there are any; none at the end of the stream.

        Args:
            size: the most to return.
            timeout: seconds to wait; None waits as long as the connection lives.
            deadline: the moment of `time.monotonic` in which they are over, if they did not begin just now.
            stoppable: end-of-file may also be told once the `stop` descriptor is readable and nothing has come.

        Raises:
            SocketTimeout: nothing has come in that time. Nothing is lost.
            ConnectionLost: it broke, or is closed.
            RuntimeError: another thread is reading; who would get which bytes?
        """
        if not self._reading.acquire(blocking=False):
            raise RuntimeError(f"{self.address}: another thread reads from this connection; one may at a time")
        try:
            return self._received(size, timeout, deadline, stoppable)
        finally:
            self._reading.release()
            if self._closed:
                self._dispose()

    def _received(self, size: int, timeout: float | None, deadline: float | None, stoppable: bool) -> bytes:
        if deadline is None and timeout is not None:
            deadline = time.monotonic() + timeout
        while True:
            got = self._try_read(size)
            if self._closed:  # whatever has come after that is nothing to rely on
                raise self._broken(OSError(errno.EBADF, ""), "recv")
            if not isinstance(got, int):
                self._ended = self._ended or not got
                return got
            if not self._wait(self._in_or_stop if stoppable else self._in, got, deadline):
                if stoppable and self._stopping():
                    return b""
                text = f"{self.address}: what is waited for has not come within {timeout:g} s (timeout=)"
                raise SocketTimeout(text, address=self.address, phase="recv")

    def _try_read(self, size: int) -> bytes | int:
        """What came; or, where it would have to wait, what `poll` is to look for."""
        try:
            return self._sock.recv(size)
        except BlockingIOError:
            return IN
        except OSError as error:
            raise self._broken(error, "recv") from error

    def _stopping(self) -> bool:
        if self._stop is None:
            return False
        look = select.poll()
        look.register(self._stop.fileno(), IN)
        return bool(look.poll(0))

    # ---- out ---------------------------------------------------------------------------------------------------------

    def send(self, data: Data, timeout: float | None = None) -> int:
        """Send a part, at least one byte of it; how many it were. Raises as `sendall` does."""
        with memoryview(data) as whole, whole.cast("B") as view:
            return self._sent(view, timeout, whole=False) if len(view) else 0

    def sendall(self, data: Data, timeout: float | None = None) -> None:
        """Send all of it. Of several threads that send, each has its turn with the whole of its data.

        Args:
            data: any buffer.
            timeout: seconds for all of it; None: as long as the connection lives.

        Raises:
            SocketTimeout: the far side takes no more; says how much went. What began cannot be taken back.
            ConnectionLost: it broke, or is closed.
        """
        with memoryview(data) as whole, whole.cast("B") as view:
            if len(view):
                self._sent(view, timeout, whole=True)

    def _sent(self, view: memoryview, timeout: float | None, *, whole: bool) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        done = 0
        if not self._writing.acquire(timeout=-1 if timeout is None else min(timeout, threading.TIMEOUT_MAX)):
            raise self._too_slow(done, len(view), timeout)
        try:
            while done < len(view):
                got, events = self._try_write(view[done:])
                done += got
                if events and not self._wait(self._out, events, deadline):
                    raise self._too_slow(done, len(view), timeout)
                if done and not events and not whole:
                    break
            self._flush(deadline, timeout, len(view))
        finally:
            self._writing.release()
            if self._closed:
                self._dispose()
        return done

    def _try_write(self, view: memoryview) -> tuple[int, int]:
        """How many bytes went; and what `poll` is to look for before more can go, or 0."""
        try:
            return self._sock.send(view), 0
        except BlockingIOError:
            return 0, OUT
        except OSError as error:
            raise self._broken(error, "send") from error

    def _flush(self, deadline: float | None, timeout: float | None, size: int) -> None:
        """Bring out what is half written."""

    def _too_slow(self, done: int, size: int, timeout: float | None) -> SocketTimeout:
        went = f"{done:,} of {size:,} bytes went within {timeout:g} s (timeout=)"
        return SocketTimeout(
            f"{self.address}: {went}: the far side does not read",
            address=self.address,
            phase="send",
        )

    # ---- the end -----------------------------------------------------------------------------------------------------

    def shutdown(self) -> None:
        """Tell the far side that nothing more will be sent; it may still send.

        Raises:
            ConnectionLost: it broke, or is closed.
            TypeError: TLS has no such thing.
        """
        with self._writing:
            self._shut = True
            try:
                self._sock.shutdown(socket.SHUT_WR)
            except OSError as error:
                if self._closed or error.errno != errno.ENOTCONN:
                    raise self._broken(error, "send") from error

    def part(self, seconds: float) -> None:
        """Close it, but if the far side has sent what nobody has read, hear it out for so many seconds.

        Else the system would reset the connection, and the far side might lose what was sent to it last.
        """
        if not self._closed and self._reading.acquire(blocking=False):
            try:
                self._shut = True
                if self._unread():
                    self._say_farewell()
                    socket.socket.shutdown(self._sock, socket.SHUT_WR)
                    self._discard(time.monotonic() + seconds)
            except (OSError, ElsewhereError):
                pass  # it is over anyway
            finally:
                self._reading.release()
        self.close()

    # These two look at the socket itself: of TLS, at what is encrypted.

    def _unread(self) -> bool:
        try:
            return bool(socket.socket.recv(self._sock, 1, socket.MSG_PEEK))
        except BlockingIOError:
            return False

    def _discard(self, deadline: float) -> None:
        while self._wait(self._in, IN, deadline) and time.monotonic() < deadline:
            if not socket.socket.recv(self._sock, 65536):
                return

    def close(self) -> None:
        """Close it, and wake who waits. May be called by any thread, by a signal's handler, and again."""
        if self._closed:
            return
        self._closed = True
        self._say_farewell()
        with contextlib.suppress(OSError):  # it was not connected any more
            # Not TLS's own shutdown, which would let others go on in the clear.
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)
        self._dispose()

    def _say_farewell(self) -> None:
        """A last word, if the protocol has one."""

    def _dispose(self) -> None:
        """Close the descriptor, if nobody is at it; who is, does so on the way out."""
        if self._reading.acquire(blocking=False):
            try:
                if self._writing.acquire(blocking=False):
                    try:
                        self._sock.close()
                    finally:
                        self._writing.release()
            finally:
                self._reading.release()

    def _broken(self, error: OSError, phase: str) -> Exception:
        if self._closed:
            return ConnectionLost(f"{self.address}: closed on this side", address=self.address, phase=phase)
        if self._shut and phase == "send":
            text = f"{self.address}: this side has said that it sends no more"
            return ConnectionLost(text, address=self.address, phase=phase)
        return lost(error, self.address, phase)

    def _wait(self, poller: select.poll, events: int, deadline: float | None) -> bool:
        """Wait for the socket; False: the time is over, or the stop has come first."""
        if self._closed:
            raise self._broken(OSError(errno.EBADF, ""), "recv" if poller is not self._out else "send")
        poller.register(self._fd, events)
        found = poller.poll(None if deadline is None else milliseconds(deadline - time.monotonic()))
        return any(fd == self._fd for fd, _ in found)
