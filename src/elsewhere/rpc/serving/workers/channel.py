"""What the parent of worker processes and each of them say to each other: one Unix socket of whole packets.

::

    to a worker     ["connection", label, secure, web], with its descriptor
                    ["close", seconds] · ["statistics", number] · ["others", number, {name: [...]}]
    to the parent   ["ready"] · ["gone", connections closed so far] · ["statistics", number, {name: [...]}]
                    ["others", number]: what were the other workers called?

Rule: neither side ever waits for the other here: what does not fit is tried again by who can.
"""

from __future__ import annotations

import array
import multiprocessing.reduction
import socket
from typing import Any

import msgpack

__all__ = ["Channel", "Packet", "pair"]

LARGEST = 256 << 10  # bytes of a packet
FDS = array.array("i").itemsize
Packet = tuple[list[Any], int]  # what it says, and a descriptor or -1


class Channel:
    """One end. It can be an argument of a process: it then goes there, and the caller closes its own."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.setblocking(False)

    def __getstate__(self) -> Any:
        return multiprocessing.reduction.DupFd(self.sock.fileno())  # while the process is being started

    def __setstate__(self, handle: Any) -> None:
        self.__init__(socket.socket(fileno=handle.detach()))  # type: ignore[misc]  # it is made whole here

    def fileno(self) -> int:
        """Its descriptor."""
        return self.sock.fileno()

    def send(self, message: list[Any], fd: int = -1) -> bool:
        """Send a packet; False if there is no room for it now, or nobody there any more."""
        extra = [] if fd < 0 else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
        try:
            self.sock.sendmsg([msgpack.packb(message)], extra, socket.MSG_NOSIGNAL)
        except OSError:  # no room, which is BlockingIOError, or the other end was killed, which its owner hears anyway
            return False
        return True

    def receive(self) -> Packet | None:
        """The next packet, without its descriptor if this process has none left for that; None if there is none now.

        Raises:
            EOFError: the other end is closed.
        """
        try:
            data, ancillary, *_ = self.sock.recvmsg(LARGEST, socket.CMSG_SPACE(FDS), socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return None
        except ConnectionError:
            raise EOFError from None
        if not data:
            raise EOFError
        found = array.array("i")
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                found.frombytes(content[: len(content) - len(content) % FDS])
        return msgpack.unpackb(data), found[0] if found else -1

    def close(self) -> None:
        """Close this end."""
        self.sock.close()


def pair() -> tuple[Channel, Channel]:
    """Two ends."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Channel(one), Channel(other)
