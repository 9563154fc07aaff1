"""The records between a caller and its fork server: bytes and descriptors, nothing about processes.

A record is a header of fixed size, a short payload, and descriptors that ride on the header's first byte. A stream
socket hands out at most one set of descriptors per ``recvmsg``, so sets and records that declare one pair up in order;
a set that the receiver had no room for arrives short, and its record says so (`Record.torn`).

Both ends are non-blocking: what does not fit into the socket waits in the channel and is sent by `flush`.
"""

import contextlib
import errno
import os
import socket
import struct
from collections import deque
from collections.abc import Sequence

# caller → server
CONNECT = 1  # on the master channel only: one descriptor, a client's channel
HELLO = 2  # payload: marshalled (entry, sys.path)
START = 3  # key; flags say whether stdout and stderr lead the descriptors, and whether it may outlive its caller
SIGNAL = 4  # key, number
BYE = 5  # kill what is left, answer DONE
# server → caller
STARTED = 6  # key, pid; sent by the worker itself, with its pidfd where there is one
EXITED = 7  # key, pid, number (the exit code), flags: UNKNOWN
WARNING = 8  # payload: text
DONE = 9

HAS_STDOUT, HAS_STDERR, OUTLIVES = 1, 2, 4
UNKNOWN = 1

MAX_FDS = 253  # SCM_MAX_FD, the kernel's limit for one message
MAX_START_FDS = MAX_FDS - 2  # stdout and stderr travel with them

_HEADER = struct.Struct("<BBHiiIq")  # kind, count of fds, flags, pid, number, payload size, key
_ANCILLARY = socket.CMSG_SPACE(MAX_FDS * 4) if hasattr(socket, "CMSG_SPACE") else 0
_RECEIVE_FLAGS = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
# A caller that restored SIGPIPE's default must not die because its fork server did.
_SEND_FLAGS = getattr(socket, "MSG_NOSIGNAL", 0)
# ETOOMANYREFS: the user has as many descriptors in flight as one process may have open.
_LATER = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR, errno.ENOBUFS, getattr(errno, "ETOOMANYREFS", errno.EAGAIN))


class Record:
    """One message: what it says, and the descriptors that came with it (the receiver's to close)."""

    __slots__ = ("fds", "flags", "key", "kind", "number", "payload", "pid", "torn")

    def __init__(self, header: tuple[int, int, int, int, int, int, int], payload: bytes, fds: list[int]) -> None:
        self.kind, count, self.flags, self.pid, self.number, _, self.key = header
        self.payload = payload
        self.fds = fds
        self.torn = len(fds) != count

    def close(self) -> None:
        """Close the descriptors that nobody took."""
        close_all(self.fds)
        self.fds = []


class Channel:
    """A non-blocking stream socket that carries records.

    Attributes:
        eof: the far side is gone; `receive` hands out what it had sent together with this.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.eof = False
        self._bytes = bytearray()
        self._sets: deque[list[int]] = deque()
        self._unsent: deque[tuple[bytes, list[int]]] = deque()

    @property
    def pending(self) -> bool:
        """Something waits for room in the socket: `flush` when it is writable."""
        return bool(self._unsent)

    def fileno(self) -> int:
        """The socket's."""
        return self.sock.fileno()

    def receive(self) -> list[Record]:
        """Every whole record that is there, without waiting."""
        while not self.eof and self._receive_once():
            pass
        return self._parse()

    def _receive_once(self) -> bool:
        try:
            data, ancillary, flags, _ = self.sock.recvmsg(65536, _ANCILLARY, _RECEIVE_FLAGS)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:  # ECONNRESET: it died with records of ours unread; its own were delivered before
            data, ancillary, flags = b"", [], 0
        if not data:
            self.eof = True
            return False
        fds = [
            fd
            for level, kind, raw in ancillary
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
            for (fd,) in struct.iter_unpack("@i", raw[: len(raw) - len(raw) % 4])
        ]
        if not _RECEIVE_FLAGS:
            for fd in fds:
                os.set_inheritable(fd, False)
        if fds or flags & socket.MSG_CTRUNC:
            self._sets.append(fds)
        self._bytes += data
        return True

    def _parse(self) -> list[Record]:
        records, start = [], 0
        while len(self._bytes) - start >= _HEADER.size:
            header = _HEADER.unpack_from(self._bytes, start)
            end = start + _HEADER.size + header[5]
            if len(self._bytes) < end:
                break
            fds = self._sets.popleft() if header[1] and self._sets else []
            records.append(Record(header, bytes(self._bytes[start + _HEADER.size : end]), fds))
            start = end
        del self._bytes[:start]
        return records

    def post(
        self,
        kind: int,
        key: int = 0,
        *,
        pid: int = 0,
        number: int = 0,
        flags: int = 0,
        payload: bytes = b"",
        fds: Sequence[int] = (),
    ) -> None:
        """Send without blocking; what does not fit is kept, with duplicates of its descriptors."""
        data = _HEADER.pack(kind, len(fds), flags, pid, number, len(payload), key) + payload
        sent = 0 if self._unsent else self._send(data, fds)
        if sent < len(data):
            self._unsent.append((data[sent:], [os.dup(fd) for fd in fds] if sent == 0 else []))

    def flush(self) -> bool:
        """Send what waits; true when nothing is left."""
        while self._unsent:
            data, fds = self._unsent[0]
            sent = self._send(data, fds)
            if sent:
                close_all(fds)
                fds = []
            if sent < len(data):
                self._unsent[0] = (data[sent:], fds)
                return False
            self._unsent.popleft()
        return True

    def _send(self, data: bytes, fds: Sequence[int]) -> int:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack(f"@{len(fds)}i", *fds))] if fds else []
        try:
            return self.sock.sendmsg([data], rights, _SEND_FLAGS)
        except ConnectionError:
            return len(data)  # the far side is gone: receive() says so, after what it had sent
        except OSError as error:
            if error.errno in _LATER:
                return 0
            raise

    def close(self) -> None:
        """Close the socket and every descriptor that is on its way, in either direction."""
        self.sock.close()
        for fds in [*self._sets, *(fds for _, fds in self._unsent)]:
            close_all(fds)
        self._sets.clear()
        self._unsent.clear()


def close_all(fds: Sequence[int]) -> None:
    """Close them, also those that are closed already."""
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)
