"""One connection of a server on a loop.

Rule: only the loop's thread touches the transport. What comes in one piece is answered in one write; nothing more is
read while answers pile up, or while too many calls are under way.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from elsewhere.rpc.serving.caller import current
from elsewhere.rpc.serving.methods.results import Data
from elsewhere.rpc.serving.session import Session, Timer, run_here
from elsewhere.sansio.large import LARGE
from elsewhere.sansio.msgpackrpc import REQUEST, Message

if TYPE_CHECKING:
    from elsewhere.rpc.serving.loop.server import LoopServing

__all__ = ["Peer"]

_log = logging.getLogger("elsewhere.rpc")
MANY = 256  # answers that are written together at most ...
SOON = 0.001  # ... and seconds for which they are collected, when many messages came in one piece
PILE = 1 << 20  # bytes of answers that may wait for the peer to read


class Peer(asyncio.Protocol):
    """A peer's connection.

    Attributes:
        label: the peer's address, for texts.
        session: what the service knows of the peer.
        over: as `caller` wants it: a plain function on the loop is never late while it runs.
    """

    over = False

    def __init__(self, server: LoopServing, label: str) -> None:
        self.server = server
        self.label = label
        self.session = Session(server.engine, self, pieces=True)
        self._transport: Any = None
        self._inbox: deque[Message] = deque()
        self._late: list[bytes] = []
        self._full = self._finished = self._paused = False
        self._heard = time.monotonic()
        self._given = 0  # bytes of answers
        self._stall: asyncio.TimerHandle | None = None  # these three go with the connection, which they would keep
        self._idle: asyncio.TimerHandle | None = None
        self._greets: asyncio.TimerHandle | None = None

    # ---- asyncio's ---------------------------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.set_write_buffer_limits(PILE)
        self.server.came(self)

    def data_received(self, data: bytes) -> None:
        wire = self.session.wire
        self._heard = time.monotonic()
        self._inbox.extend(wire.feed(data))
        self._run()
        if wire.broken:
            _log.warning("%s: the connection is ended: %s", self.label, wire.broken)
            self._transport.close()
            return
        wire.rest()

    def eof_received(self) -> bool:
        self._finished = True
        self.session.fell_silent()
        secure = self._transport.get_extra_info("ssl_object") is not None
        return bool(self.session.running or self._inbox) and not secure  # those are answered; then it is closed

    def pause_writing(self) -> None:
        self._full = True
        self._watch()
        self._regulate()

    def resume_writing(self) -> None:
        self._full = False
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        self._run()

    def connection_lost(self, error: Exception | None) -> None:
        for timer in (self._stall, self._idle, self._greets):
            if timer is not None:
                timer.cancel()
        self._inbox.clear()
        self.server.went(self)
        self.session.lost()

    # ---- messages ----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        """Deal with what is in the inbox, as far as that is wise."""
        session, inbox, most = self.session, self._inbox, self.server.engine.limits.calls
        out: list[bytes] = []
        token, begun = current.set(self), time.monotonic()
        try:
            while inbox and not self._full and len(session.running) < most:
                message = inbox.popleft()
                method = session.methods.get(message[2]) if message[0] == REQUEST else None
                if method is not None and method.on_loop == [*map(type, message[3])]:
                    answer = run_here(session, method, message[1], message[3], {}, session.limit)
                else:
                    answer = session.begin(message)
                if answer is not None:
                    out += answer if isinstance(answer, tuple) else (answer,)
                    now = time.monotonic()
                    if len(out) >= MANY or now - begun > SOON:
                        self._write(out)  # that may say that the peer does not read
                        out, begun = [], now
        finally:
            current.reset(token)
        self._write(out)
        self._regulate()

    def _welcome(self) -> bool:
        return not self._full and len(self.session.running) < self.server.engine.limits.calls

    def _regulate(self) -> None:
        """Read, or not; close what has come to its end."""
        transport = self._transport
        if transport.is_closing():
            return
        pause = bool(self._inbox) or not self._welcome()
        if pause is not self._paused:
            self._paused = pause
            (transport.pause_reading if pause else transport.resume_reading)()
        if (self._finished or self.server.engine.closing) and not self._inbox and not self.session.running:
            self._flush()
            transport.close()

    def drain(self) -> None:
        """The service closes: what has come by now is refused, what runs may end."""
        self.session.methods = {}
        self._regulate()

    def _watch(self) -> None:
        """Answers wait: the peer has to read, within the time."""
        limit, before = self.server.engine.limits.send, self._taken

        def look() -> None:
            if self._taken <= before:
                _log.warning("%s has not read its answers for %g s", self.label, limit)
                self._transport.abort()
            else:
                self._watch()

        self._stall = self.server.loop.call_later(limit, look)

    @property
    def _taken(self) -> int:
        """Bytes of answers that the system has taken: what waits may grow though the peer reads."""
        waiting: int = self._transport.get_write_buffer_size()
        return self._given - waiting

    # ---- a session's link --------------------------------------------------------------------------------------------

    def _write(self, out: list[bytes]) -> None:
        self._given += sum(map(len, out))
        if len(out) == 1:
            self._transport.write(out[0])
        elif out and max(map(len, out)) < LARGE:
            self._transport.write(b"".join(out))
        else:
            for data in out:
                self._transport.write(data)

    def post(self, data: Data) -> None:
        """Send it; what ends in the same turn of the loop goes together."""
        if threading.get_ident() != self.server.thread_id:
            self.server.soon(lambda: self.post(data))
            return
        if not self._late:
            self.server.loop.call_soon(self._flush)
        self._late += data if isinstance(data, tuple) else (data,)

    def _flush(self) -> None:
        late, self._late = self._late, []
        if not self._transport.is_closing():
            self._write(late)

    def later(self, seconds: float, work: Callable[[], object]) -> Timer:
        """Call it then, on the loop's thread."""
        if threading.get_ident() == self.server.thread_id:
            return self.server.loop.call_later(seconds, work)
        return _Later(self.server, seconds, work)

    def expect_token(self, seconds: float) -> None:
        """End it, if that has not come by then."""

        def look() -> None:
            if not self.session.authorized:
                self.end("no token in time")

        self._greets = self.server.loop.call_later(seconds, look)

    def expect(self, seconds: float) -> None:
        """Close it when nothing comes for so long, and nothing runs."""

        def look() -> None:
            left = self._heard + seconds - time.monotonic()
            if left <= 0.0 and not self.session.running:
                self.end(f"nothing came for {seconds:g} s")
            else:
                self._idle = self.server.loop.call_later(left if left > 0.0 else seconds, look)

        self._idle = self.server.loop.call_later(seconds, look)

    def abort(self) -> None:
        """End it now; on the loop's thread."""
        self._flush()
        self._transport.abort()

    def end(self, reason: str) -> None:
        """End it."""
        _log.debug("%s: closed: %s", self.label, reason)
        self.server.soon(self._transport.abort)

    def eased(self) -> None:
        """A call that was under way has ended."""
        if self._paused or self._finished or self.server.engine.closing:
            self.server.soon(self._eased)

    def _eased(self) -> None:
        if not self._transport.is_closing():
            self._run()

    # ---- as `caller` wants it ----------------------------------------------------------------------------------------

    def waits(self) -> None:
        """Never: on a loop, nothing waits."""

    def goes_on(self) -> None:
        """Never."""


class _Later:
    """A timer that another thread than the loop's has asked for."""

    def __init__(self, server: LoopServing, seconds: float, work: Callable[[], object]) -> None:
        self._work: Callable[[], object] | None = work
        server.soon(lambda: server.loop.call_later(seconds, self._due))

    def _due(self) -> None:
        if self._work is not None:
            self._work()

    def cancel(self) -> None:
        """It will not happen."""
        self._work = None
