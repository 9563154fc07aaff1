"""What is said over the socket by which an end is fetched, and the side that asks.

Rule: a request is one message and so is its answer, so that nobody waits for the rest of either.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import NamedTuple

__all__ = ["ANSWER", "REQUEST", "Offer", "ask", "gone", "identity"]

SECONDS = 60  # that a process may be stopped, or keep the interpreter's lock, before it hands out a socket
REQUEST = struct.Struct("=16sQ")  # token, serial
ANSWER = struct.Struct("=i")  # 0 with the descriptor, or an errno
_TIME = struct.Struct("@ll")  # seconds, microseconds


class Offer(NamedTuple):
    """What a pickle says: ask process `pid` at this address for that socket."""

    pid: int
    address: bytes
    token: bytes
    serial: int
    device: int
    inode: int


def ask(offer: Offer) -> int:
    """The descriptor; -1 if the process has it no more."""
    limits = _TIME.pack(SECONDS, 0)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
        # By the kernel: Python's own timeout would not wait where the other side has many to answer.
        sock.setblocking(True)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limits)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limits)
        try:
            sock.connect(offer.address)
            sock.send(REQUEST.pack(offer.token, offer.serial))
            data, ancillary, _, _ = sock.recvmsg(ANSWER.size, socket.CMSG_SPACE(4), socket.MSG_CMSG_CLOEXEC)
        except (ConnectionError, FileNotFoundError):
            return -1
        except BlockingIOError:
            raise TimeoutError(
                f"process {offer.pid} did not hand out its end of a pipe in {SECONDS} s: is it stopped?"
            ) from None
    code = ANSWER.unpack(data)[0] if len(data) == ANSWER.size else errno.ENOENT
    if code not in (0, errno.ENOENT):
        raise OSError(code, f"process {offer.pid} could not hand out its end of a pipe: {os.strerror(code)}")
    for _, kind, rights in ancillary:
        if kind == socket.SCM_RIGHTS and len(rights) == 4:
            return int(struct.unpack("@i", rights)[0])
    if code == 0:
        raise OSError(errno.EMFILE, "no descriptor is left for the end of a pipe that has arrived")
    return -1


def gone(pid: int) -> str:
    return (
        f"this end of a pipe is gone: process {pid}, which pickled it, has ended, or has closed its end of the "
        "pipe after it was loaded once. Keep it open there, or pickle it once for each process that is to load it"
    )


def identity(fd: int) -> tuple[int, int]:
    """Device and inode: what a descriptor is, whatever its number."""
    found = os.fstat(fd)
    return found.st_dev, found.st_ino
