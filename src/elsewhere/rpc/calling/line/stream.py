"""A connected socket as what a client needs of one: send what goes, wait for bytes within a time.

Rule: no byte that was read is ever lost, whatever a signal's handler raises. Python may call a handler between the end
of `recv` and the assignment of what it gave; so bytes go into `inbox` within one call of C code.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import sys
from collections import deque

from elsewhere.sansio.claims import HEAD
from elsewhere.sansio.large import begins

__all__ = ["CHUNK", "ONE_CHUNK", "Plain", "Stream", "stream_of"]

CHUNK = 65536  # bytes of one read
_DONTWAIT = getattr(socket, "MSG_DONTWAIT", 0)
ONE_CHUNK, _NO_WAIT, _ALL = (CHUNK,), (_DONTWAIT,), (socket.MSG_WAITALL,)
_MOST = 16 << 20  # bytes of one read of a large value: what a peer only claims takes no more room
_MILLISECONDS = 1000


class Stream:
    """One thread at a time may receive, one at a time send; these two may be different ones.

    Attributes:
        inbox: what was received and not taken yet; b"" is the end of the stream.
        exact: bytes that `receive` is to wait for, all in one; 0: for any.
        peeks: a message begins here whose last value may be large: it is to come apart from what is before it, as
            then nobody has to put it together.
        end: why it has come to its end, if it has.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.inbox: deque[bytes] = deque()
        self.exact = 0
        self.peeks = False
        self.end = "the far side closed the connection"

    def send_two(self, first: bytes | memoryview, second: bytes | memoryview) -> int:
        """`send` both, in one go; raises as that does."""
        sent = self.send(first)
        return sent + self.send(second) if sent == len(first) else sent

    def send(self, data: bytes | memoryview) -> int:
        """Send as many bytes as go without waiting, and say how many.

        Raises:
            OSError: nothing can be sent any more.
        """
        raise NotImplementedError

    def receive(self, seconds: float) -> None:
        """Wait for bytes, at most so many seconds, perhaps less; an error of the socket's is the end of the stream."""
        raise NotImplementedError

    def look(self) -> bool:
        """`receive` without a wait; is anything there to be taken?"""
        raise NotImplementedError

    def wait(self, *, read: bool, write: bool, seconds: float) -> bool:
        """Wait until it can be read, or written to; False if the time is over before."""
        events = (select.POLLIN if read else 0) | (select.POLLOUT if write else 0)
        poll = select.poll()
        poll.register(self.sock, events)
        return bool(poll.poll(max(1, min(seconds, 86400.0) * _MILLISECONDS)))

    def shutdown(self) -> None:
        """End it both ways; who waits for bytes sees the end."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)  # not TLS's own, which forgets that it is TLS

    def close(self) -> None:
        """Give the descriptor back; nobody may be in `receive`."""
        self.sock.close()

    def __del__(self) -> None:
        self.sock.close()

    def ended(self, error: OSError) -> None:
        """Nothing more will come, because of this error."""
        if error.errno is None and type(error).__module__ != "ssl":
            raise error  # not the socket's: a signal's handler raised it, a TimeoutError perhaps
        self.end = f"the connection broke ({(error.strerror or str(error)).lower()})"
        self.inbox.append(b"")


class Plain(Stream):
    """A blocking socket, whose time limit is the kernel's: one system call for each read, and none to wait."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        sock.settimeout(None)
        self._recv = sock.recv
        self._send = sock.send
        self._seconds = 0.0  # as the kernel has it; 0: no limit

    def send(self, data: bytes | memoryview) -> int:
        try:
            return self._send(data, _DONTWAIT)
        except BlockingIOError:
            return 0

    def send_two(self, first: bytes | memoryview, second: bytes | memoryview) -> int:
        try:
            return self.sock.sendmsg((first, second), (), _DONTWAIT)
        except BlockingIOError:
            return 0

    def receive(self, seconds: float) -> None:
        if not self._seconds <= seconds <= 2 * self._seconds:
            self._limit(seconds)
        try:
            if self.exact:
                self.inbox.extend(map(self._recv, (min(self.exact, _MOST),), _ALL))
            elif self.peeks:
                size = begins(self._recv(HEAD, socket.MSG_PEEK)) or CHUNK
                self.inbox.extend(map(self._recv, (size,)))
            else:
                self.inbox.extend(map(self._recv, ONE_CHUNK))
        except BlockingIOError:  # the time is over
            return
        except OSError as error:
            self.ended(error)

    def look(self) -> bool:
        try:
            self.inbox.extend(map(self._recv, ONE_CHUNK, _NO_WAIT))
        except BlockingIOError:
            return bool(self.inbox)
        except OSError as error:
            self.ended(error)
        return True

    def _limit(self, seconds: float) -> None:
        """Make the kernel's limit somewhat shorter than this one, so that it will do for the next reads too."""
        seconds = min(seconds, 86400.0)
        self._seconds = kept = seconds * 0.75 if seconds > 0.01 else seconds
        micro = max(1, int(kept % 1 * 1e6))  # two zeros would be no limit at all
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", int(kept), micro))


def stream_of(sock: socket.socket) -> Stream:
    """The stream for a connected socket, which is its own from here on."""
    if sys.platform != "win32" and not hasattr(sock, "getpeercert"):
        return Plain(sock)
    from elsewhere.rpc.calling.line.secure import Polled  # with it comes ssl

    return Polled(sock)
