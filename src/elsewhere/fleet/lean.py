"""Fewer and fuller packets on a connection of asyncssh's.

Asyncssh hands each packet to the system alone, and sends an empty one (SSH_MSG_IGNORE) before each: that keeps those
who listen from guessing what the next block of a cipher in CBC mode begins with (RFC 4251, 9.3.1), and does nothing for
any other cipher. A command would be twelve system calls here and as many wakes there; so it is four. It also sets a
timer anew for each packet that comes, and words a line for its log, which nobody reads.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncssh

__all__ = ["Gathered", "gathered", "lean", "silent"]

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
    if hasattr(inner, "_reset_keepalive_timer") and hasattr(inner, "_keepalive_timer_callback"):
        _look_seldom(inner, asyncio.get_running_loop())


def _look_seldom(inner: Any, loop: asyncio.AbstractEventLoop) -> None:
    """The timer of its keepalive goes off as often as it may, and looks then when something has come last."""
    reset, due = inner._reset_keepalive_timer, inner._keepalive_timer_callback
    last = [0.0]

    def heard() -> None:
        last[0] = loop.time()
        if inner._keepalive_timer is None:
            reset()

    def look() -> None:
        quiet, interval = loop.time() - last[0], inner._keepalive_interval
        if interval and quiet < interval:
            inner._keepalive_timer = loop.call_later(interval - quiet, look)
        else:
            due()

    inner._reset_keepalive_timer, inner._keepalive_timer_callback = heard, look


def silent(channel: Any) -> None:
    """No packet of this channel is logged, unless somebody has asked asyncssh for just that."""
    import asyncssh.logging as logs

    if getattr(logs.logger, "_debug_level", 3) < 3:  # see `asyncssh.set_debug_level`
        channel.log_sent_packet = channel.log_received_packet = _nothing


def _nothing(*_: Any, **__: Any) -> None:
    """See above."""


def gathered(connection: asyncssh.SSHClientConnection) -> Gathered | None:
    """What gathers its packets; None where they are not."""
    transport = getattr(connection, "_transport", None)
    return transport if isinstance(transport, Gathered) else None


class Gathered:
    """A transport that writes what came since the loop's last turn at once.

    Args:
        transport: what it stands before; all else is that one's.

    Attributes:
        held: whoever writes just now calls `flush` itself, when all is there.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self.held = False
        self._pieces: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        """Soon."""
        if not self._pieces and not self.held:
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
