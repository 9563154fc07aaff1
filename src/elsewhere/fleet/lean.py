"""Fewer and fuller packets on a connection of asyncssh's.

Asyncssh hands each packet to the system alone, and sends an empty one (SSH_MSG_IGNORE) before each: that keeps those
who listen from guessing what the next block of a cipher in CBC mode begins with (RFC 4251, 9.3.1), and does nothing for
any other cipher. A command would be twelve system calls here and as many wakes there; so it is four.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncssh

__all__ = ["Gathered", "hurry", "lean"]

IGNORE = 2  # SSH_MSG_IGNORE, RFC 4253, 12
FULL = 64 << 10  # bytes that are not held back any longer


def lean(connection: asyncssh.SSHClientConnection) -> None:
    """Make a connection so, from now on."""
    inner: Any = connection
    transport = getattr(inner, "_transport", None)
    if transport is None:  # another asyncssh than is known: it works all the same
        return
    inner._transport = Gathered(transport)
    send = inner.send_packet
    cipher: list[str] = []

    def send_packet(kind: int, *args: bytes, handler: Any = None) -> None:
        if kind == IGNORE:
            if not cipher and (found := inner.get_extra_info("send_cipher")):
                cipher.append(found)
            if cipher and "cbc" not in cipher[0]:
                return
        send(kind, *args, handler=handler)

    inner.send_packet = send_packet


def hurry(connection: asyncssh.SSHClientConnection) -> None:
    """Write what was gathered now: somebody waits for the answer, and nothing else comes in this turn of the loop."""
    transport = getattr(connection, "_transport", None)
    if isinstance(transport, Gathered):
        transport.flush()


class Gathered:
    """A transport that writes what came since the loop's last turn at once.

    Args:
        transport: what it stands before; all else is that one's.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._pieces: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        """Soon."""
        if not self._pieces:
            self._loop.call_soon(self.flush)
        self._pieces.append(data)
        self._size += len(data)
        if self._size >= FULL:
            self.flush()

    def flush(self) -> None:
        """Now."""
        if self._pieces:
            data, self._pieces, self._size = b"".join(self._pieces), [], 0
            with contextlib.suppress(BrokenPipeError):  # a channel of a host on the way, closed since; its loss is told
                self._transport.write(data)

    def close(self) -> None:
        """What was written goes first."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """What was written may go."""
        self.flush()
        self._transport.abort()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
