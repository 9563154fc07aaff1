"""The connections of one client: those that are idle, and those that are at work.

Rule: whatever goes wrong on one says whether the far side may have seen all of the request.
"""

from __future__ import annotations

import contextlib
import math
import select
import threading
import time
from collections import deque
from collections.abc import Callable

from elsewhere.errors import ElsewhereError, SocketTimeout
from elsewhere.rpc.calling.http.reply import PIECE, Broken, Overdue, Reply, broken, receive
from elsewhere.transport import connecting
from elsewhere.transport.address import Address
from elsewhere.transport.stream import Stream, milliseconds, stream_of
from elsewhere.transport.tls import TLS

__all__ = ["Line", "Lines"]

PATIENCE = 4.0  # seconds that an idle connection is kept: uvicorn, Apache and Node close theirs after 5
TURN = 0.2  # seconds that the far side takes no more of a body, until it is looked whether it has answered already
LONGEST_TURN = 2.0  # seconds, of those in which a new connection brings nothing, until others are ended again
KEPT = 64  # idle connections


class Line:
    """One connection: a request out, a reply in. One thread at a time uses it; `close` may be called by any.

    Args:
        stream: connected.
        limit: bytes of the largest body that is accepted.
        starves: called with it now and then while it is new and nothing comes.

    Attributes:
        used: it has brought a reply, at least once.
        lasts: it can be used once more.
    """

    def __init__(self, stream: Stream, limit: int, starves: Callable[[Line], None]) -> None:
        self._stream = stream
        self._starves = starves
        self._limit = limit
        self._poll = select.poll()
        self._poll.register(stream.fileno(), select.POLLIN)
        self._rested = time.monotonic()
        self._patience = PATIENCE
        self.used = False
        self.lasts = True
        self._holder: object = None
        self._changing = threading.Lock()  # of the holder

    def well(self, now: float) -> bool:
        """Is it still there, as far as one can see, and will be for a while? What an idle one says is its end."""
        stream = self._stream
        if not self.lasts or stream.closed or self.stale(now):
            return False
        return not (self._poll.poll(0) or stream.pending())

    def stale(self, now: float) -> bool:
        """Was it idle for so long that the far side may end it in any moment?"""
        return now - self._rested >= self._patience

    def post(self, head: bytes, body: bytes, deadline: float) -> Reply:
        """Send a request and wait for the reply.

        Raises:
            Broken, Overdue: there is none.
            ProtocolError: it is no HTTP.
            MessageTooLarge: its body is above the limit.
        """
        self.lasts = False  # until its end has come
        moment = None if deadline == math.inf else deadline
        unsent = self._send(head, body, moment)
        if not self.used:
            self._expect(deadline)
        reply = receive(self._stream, moment, self._limit, unsent)
        self.used, self.lasts = True, reply.lasts
        self._rested = time.monotonic()
        if "keep-alive" in reply.headers:
            self._listen(reply.headers["keep-alive"])
        return reply

    def _expect(self, deadline: float) -> None:
        """Wait for the first reply; tell now and then that nothing has come."""
        pause = TURN
        while not self._stream.closed and (left := deadline - time.monotonic()) > 0:
            if self._poll.poll(milliseconds(min(pause, left))):
                return
            self._starves(self)
            pause = min(2 * pause, LONGEST_TURN)

    # ---- out ---------------------------------------------------------------------------------------------------------

    def _send(self, head: bytes, body: bytes, deadline: float | None) -> Broken | None:
        """Send it; what prevented that, if the far side may nevertheless have answered."""
        try:
            if len(body) <= PIECE:
                self._stream.sendall(head + body, _left(deadline))
                return None
            self._stream.sendall(head, _left(deadline))
            return self._send_large(memoryview(body), deadline)
        except SocketTimeout:
            raise Overdue("was still being sent") from None
        except ElsewhereError as error:
            return broken(self._stream, error, never=True)

    def _send_large(self, body: memoryview, deadline: float | None) -> Broken | None:
        """Who refuses a large body may answer, and not read the rest of it."""
        sent = 0
        while sent < len(body):
            if self._poll.poll(0) and not self._stream.pending() and self._answered_early():
                return Broken("the far side answered before it had all of the request", never=True)
            try:
                left = _left(deadline)
                sent += self._stream.send(body[sent : sent + PIECE], TURN if left is None else min(left, TURN))
            except SocketTimeout:
                if deadline is not None and time.monotonic() >= deadline:
                    raise
        return None

    def _answered_early(self) -> bool:
        return self._stream.certificate() is None  # TLS says things of its own

    def _listen(self, keep_alive: str) -> None:
        """The far side may say for how many seconds it keeps the connection."""
        for part in keep_alive.split(","):
            name, _, value = part.strip().partition("=")
            if name == "timeout" and value.isdecimal() and len(value) < 9:
                self._patience = 0.8 * int(value)

    # ---- a call that another thread may cancel meanwhile -------------------------------------------------------------

    def held_by(self, call: object) -> None:
        """It is this call's from now on; None: nobody's."""
        with self._changing:
            self._holder = call

    def abandon(self, call: object) -> None:
        """End it, if it is still this call's."""
        with self._changing:
            if self._holder is call:
                self.close()

    # ---- the end -----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """End it; who waits for a reply has none."""
        self.lasts = False
        self._stream.close()

    def forked(self) -> None:
        """In a forked child: it is the parent's. Closing a copy of its descriptor tells nobody."""
        self.lasts = False
        with contextlib.suppress(OSError):
            self._stream._sock.close()


class Lines:
    """See the module.

    Args:
        address: where they go to.
        tls: for ``https://``.
        limit: bytes of the largest body that is accepted.
    """

    def __init__(self, address: Address, tls: TLS | None, limit: int) -> None:
        self._address = address
        self._tls = tls
        self._limit = limit
        # One operation of these each, so that no lock is needed, which a signal's handler might find taken.
        self._idle: deque[Line] = deque()
        self._busy: set[Line] = set()
        self._starving: set[Line] = set()
        self._parallel = False  # the far side has served two connections at a time
        self._closed = False

    @property
    def busy(self) -> int:
        """How many are at work."""
        return len(self._busy)

    @property
    def open(self) -> bool:
        """Is there any?"""
        return bool(self._idle or self._busy)

    def take(self, deadline: float) -> Line:
        """One that is idle, the latest used of them; else a new one.

        Raises:
            ConnectError, ConnectTimeout: there is none, and none can be made.
        """
        now = time.monotonic()
        while True:
            try:
                line = self._idle.pop()
            except IndexError:
                line = self._made(deadline - now)
                break
            if line.well(now):
                break
            line.close()
        self._busy.add(line)
        if self._closed:
            line.close()
        return line

    def _made(self, seconds: float) -> Line:
        left = max(0.001, round(seconds, 3))  # round, for it stands in the error's text
        sock = connecting.connect(self._address, None if left == float("inf") else left, self._tls)
        return Line(stream_of(sock, str(self._address)), self._limit, self._starved)

    def release(self, line: Line, *, new: bool = False) -> None:
        """It is not needed any more.

        Args:
            line: it.
            new: this was its first call.
        """
        self._starving.discard(line)
        if new and line.used and not self._parallel:
            self._parallel = any(other is not line and other.used for other in [*self._idle, *self._busy])
        if line.lasts and (self._parallel or not self._starving):
            self._idle.append(line)
            self._busy.discard(line)
            self._prune()
        else:
            self._busy.discard(line)
            line.close()
        if self._closed:
            self.close()

    # A server may serve one connection at a time, or a few, and each to its end. Who waits for its turn there has it
    # when those end that nobody uses.

    def _starved(self, line: Line) -> None:
        """It is new, and nothing comes."""
        self._starving.add(line)
        self._drop_idle()

    def _prune(self) -> None:
        """End those that nobody will use again."""
        now = time.monotonic()
        try:
            while len(self._idle) > KEPT or self._idle[0].stale(now):
                self._drop()
        except IndexError:  # another thread has just taken the last one
            return

    def _drop_idle(self) -> None:
        while self._idle:
            self._drop()

    def _drop(self) -> None:
        """End the one that was idle longest."""
        try:
            line = self._idle.popleft()
        except IndexError:
            return
        line.close()

    def close(self) -> None:
        """End all of them."""
        self._closed = True
        self._drop_idle()
        for line in list(self._busy):
            line.close()

    def forked(self) -> None:
        """In a forked child: they are the parent's."""
        lines = [*self._idle, *self._busy]
        self._idle.clear()
        self._busy.clear()
        for line in lines:
            line.forked()


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())
