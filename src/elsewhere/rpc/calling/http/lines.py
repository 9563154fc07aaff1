"""The connections of one client: those that are idle, and those that are at work."""

from __future__ import annotations

import time
from collections import deque

from elsewhere.rpc.calling.http.line import Line
from elsewhere.transport import connecting
from elsewhere.transport.address import Address
from elsewhere.transport.stream import stream_of
from elsewhere.transport.tls import TLS

__all__ = ["Lines"]

KEPT = 16  # idle connections


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
        return Line(stream_of(sock, str(self._address)), self._limit)

    def release(self, line: Line) -> None:
        """It is not needed any more."""
        if line.lasts:
            self._idle.append(line)
            self._busy.discard(line)
            if len(self._idle) > KEPT:
                self._drop()
        else:
            self._busy.discard(line)
            line.close()
        if self._closed:
            self.close()

    def _drop(self) -> None:
        """The one that was idle longest."""
        try:
            line = self._idle.popleft()
        except IndexError:
            return
        line.close()

    def close(self) -> None:
        """End all of them."""
        self._closed = True
        while self._idle:
            self._drop()
        for line in list(self._busy):
            line.close()

    def forked(self) -> None:
        """In a forked child: they are the parent's."""
        lines = [*self._idle, *self._busy]
        self._idle.clear()
        self._busy.clear()
        for line in lines:
            line.forked()
