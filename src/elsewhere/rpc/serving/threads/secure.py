"""TLS without a socket: bytes of the network in, bytes of the peer out.

Rule: OpenSSL's state is touched under one lock, because the thread that reads and one that answers late are two. What
was sealed is sent in that order: who seals holds `sending` until it has sent.
"""

from __future__ import annotations

import contextlib
import ssl
import threading

__all__ = ["Secure"]

PIECE = 256 << 10  # bytes that are taken out at once


class Secure:
    """One connection's TLS, on the server's side.

    Attributes:
        ready: the handshake is over.
        ended: the peer has said that it sends no more.
        sending: held from sealing to sending.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._lock = threading.Lock()
        self.sending = threading.Lock()
        self.ready = self.ended = False

    def opened(self, data: bytes) -> tuple[list[bytes], bytes]:
        """What the peer says in these bytes of the network, and what has to be sent before anything else.

        Raises:
            ssl.SSLError: it is no TLS, or not of the kind that is wanted.
        """
        with self._lock:
            self._incoming.write(data)
            found: list[bytes] = []
            try:
                if not self.ready:
                    self._tls.do_handshake()
                    self.ready = True
                while piece := self._tls.read(PIECE):
                    found.append(piece)
                self.ended = True
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLZeroReturnError:
                self.ended = True
            return found, self._outgoing.read()

    def farewell(self) -> bytes:
        """What is to be sent before the end: that it is one, or the alert that says why."""
        with self._lock:
            if self.ready:
                with contextlib.suppress(ssl.SSLError):  # it would wait for the peer's
                    self._tls.unwrap()
            return self._outgoing.read()

    def sealed(self, data: bytes) -> bytes:
        """Bytes for the network."""
        with self._lock:
            view = memoryview(data)
            while view:
                view = view[self._tls.write(view) :]
            return self._outgoing.read()
