"""A stream with TLS on it, that one thread may read while others write.

Rule: TLS's state is one for both directions, so it is touched under a lock, and nobody waits under that lock. (To a
socket that blocks, a thread that waits in a read would hold up each writer.)
"""

from __future__ import annotations

import errno
import logging
import select
import socket
import ssl
import threading
import time
from typing import Any

from elsewhere.transport.stream import IN, OUT, HasFileno, Stream, milliseconds

__all__ = ["KeptSocket", "SecureStream", "ToldObject", "handshake"]

log = logging.getLogger("elsewhere.net")
RECORD = 16384  # bytes: the most that one record of TLS holds


def handshake(
    sock: socket.socket,
    context: ssl.SSLContext,
    seconds: float | None,
    server_hostname: str | None = None,
    stop: HasFileno | None = None,
) -> ssl.SSLSocket:
    """Speak TLS on a connected socket, which is the result's from then on; as a server, if no name is given.

    Args:
        sock: it is closed if this fails.
        context: of that side.
        seconds: how long it may take; None: as long as it takes.
        server_hostname: whom the certificate is to be for.
        stop: something with a descriptor that ends it once it is readable.

    Returns:
        A socket that blocks.

    Raises:
        OSError: it failed: an `ssl.SSLError`, a `TimeoutError`, or the far side hung up.
    """
    try:
        sock.getpeername()  # who has gone already is found here: `wrap_socket` would do without a handshake
        secure = context.wrap_socket(
            sock,
            server_side=server_hostname is None,
            server_hostname=server_hostname,
            do_handshake_on_connect=False,
        )
    except BaseException:
        sock.close()
        raise
    try:
        if isinstance(secure, KeptSocket):
            secure.made = True
        secure.setblocking(False)
        _shake(secure, None if seconds is None else time.monotonic() + seconds, stop)
        secure.setblocking(True)
    except BaseException:
        secure.close()
        raise
    return secure


def _shake(secure: ssl.SSLSocket, deadline: float | None, stop: HasFileno | None) -> None:
    poller = select.poll()
    if stop is not None:
        poller.register(stop.fileno(), IN)
    while True:
        try:
            secure.do_handshake()
        except ssl.SSLWantReadError:
            poller.register(secure, IN)
        except ssl.SSLWantWriteError:
            poller.register(secure, OUT)
        else:
            return
        ready = [fd for fd, _ in poller.poll(None if deadline is None else milliseconds(deadline - time.monotonic()))]
        if not ready:
            raise TimeoutError("no handshake within the time")
        if secure.fileno() not in ready:
            raise ConnectionAbortedError(errno.ECONNABORTED, "the server closes")


class KeptSocket(ssl.SSLSocket):
    """One that is not lost where the far side hangs up while it is made; see `ssl.SSLSocket`'s long story of that."""

    made = False

    def getpeername(self) -> Any:
        """The far side's address; asked first by who makes it, in whose hands nobody else could close it."""
        try:
            return super().getpeername()
        except OSError as error:
            if not self.made:
                self.close()
                raise ConnectionResetError(errno.ECONNRESET, "the far side has hung up") from error
            raise


class ToldObject(ssl.SSLObject):
    """TLS for asyncio, with which a client is told why its handshake failed.

    Asyncio drops the connection at once, and with it the alert that says so. So the failure is first told as a lack of
    data: now the alert goes out, and who gets it hangs up, or is given up after the bound for handshakes.
    """

    _failed: ssl.SSLError | None = None

    def do_handshake(self) -> None:
        if self._failed is not None:
            raise self._failed
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            self._failed = error
            log.info("a client is told why its TLS handshake failed: %s", error)
            raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "the client is to be told") from error


class SecureStream(Stream):
    """One with TLS on it, whose handshake is over."""

    _sock: ssl.SSLSocket

    def __init__(self, sock: socket.socket, address: str, stop: HasFileno | None = None) -> None:
        super().__init__(sock, address, stop)
        self._tls = threading.Lock()
        # What was given to TLS and is not out: it is encrypted already, so nothing else can go before it.
        self._half = b""

    def pending(self) -> int:
        with self._tls:
            return self._sock.pending()

    def certificate(self) -> dict[str, Any] | None:
        with self._tls:
            return self._sock.getpeercert() or None

    def _try_read(self, size: int) -> bytes | int:
        try:
            with self._tls:
                return b"" if self._ended else self._sock.recv(size)
        except ssl.SSLWantReadError:
            return IN
        except ssl.SSLWantWriteError:
            return OUT
        except ssl.SSLZeroReturnError:  # both sides have said that they are done
            return b""
        except OSError as error:
            raise self._broken(error, "recv") from error

    def _try_write(self, view: memoryview) -> tuple[int, int]:
        if self._half:
            return 0, self._push()
        self._half = bytes(view[:RECORD])
        return len(self._half), self._push()

    def _push(self) -> int:
        """Try to bring out what is half written; what `poll` is to look for, or 0."""
        try:
            with self._tls:
                if self._half and (self._shut or self._closed):
                    raise OSError(errno.EPIPE, "")
                while self._half:
                    self._half = self._half[self._sock.send(self._half) :]
        except ssl.SSLWantReadError:
            return IN
        except ssl.SSLWantWriteError:
            return OUT
        except OSError as error:
            raise self._broken(error, "send") from error
        return 0

    def _flush(self, deadline: float | None, timeout: float | None, size: int) -> None:
        while events := self._push():
            if not self._wait(self._out, events, deadline):
                raise self._too_slow(size - len(self._half), size, timeout)

    def shutdown(self) -> None:
        if self._closed:
            raise self._broken(OSError(errno.EBADF, ""), "send")
        raise TypeError(
            f"{self.address}: with TLS, who says that it sends no more can't rely on hearing the rest; send a length, "
            "or a separator, or close()"
        )

    def _say_farewell(self) -> None:
        """TLS's close_notify, without which the far side cannot tell the end from a cut. Nobody reads after this."""
        if not self._tls.acquire(timeout=0.1):  # held by who this signal's handler has interrupted
            return
        try:
            if not self._half and not self._ended:
                self._sock.unwrap()
                self._ended = True  # the far side has said its own; what the socket would read from here on is not TLS
        except (OSError, ValueError):
            pass  # the usual way: the far side's own is not waited for
        finally:
            self._tls.release()
