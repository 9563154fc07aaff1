"""Makes a client's connection, and makes it again."""

from __future__ import annotations

import os
import threading
import time
from typing import Any, NoReturn
from weakref import WeakSet

from elsewhere.errors import CallTimeout, ConnectError, ConnectTimeout
from elsewhere.rpc.calling.line.connection import Connection
from elsewhere.rpc.calling.line.stream import stream_of
from elsewhere.rpc.calling.terms import Terms
from elsewhere.rpc.dialect import FEATURES, VERSION
from elsewhere.sansio.msgpackrpc import Wire
from elsewhere.transport import connecting
from elsewhere.transport.address import Address
from elsewhere.transport.tls import TLS

__all__ = ["Opening"]

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0  # seconds between two attempts to connect, doubled each time


class Opening:
    """See the module.

    Args:
        address: where to.
        limit: seconds for connecting, and that the hello announces for each call; `math.inf` for none.
        token: the secret that the service asks for; never shown.
        tls: for ``tls://``.
        old_raw: the far side speaks the specification of before 2013.
        name: what the far side may call this client in its logs.
        max_size: bytes of the largest message, both ways.
    """

    def __init__(
        self,
        address: Address,
        limit: float,
        *,
        token: str | None = None,
        tls: TLS | None = None,
        old_raw: bool = False,
        name: str | None = None,
        max_size: int = 64 << 20,
    ) -> None:
        self.target = address
        self.address = str(address)
        self.limit = limit
        self.closed = False
        self.plain = False  # it has turned out to be of another make
        self.conn: Connection | None = None
        self._token = token
        self._tls = tls
        self._old_raw = old_raw
        self._name = name
        self._max_size = max_size
        self.forget_all()
        _all.add(self)

    def forget_all(self) -> None:
        """As if it was new, with locks that nobody has: in a forked child."""
        self._opening = threading.Lock()
        self._pause = 0.0  # seconds, after the last attempt to connect, which failed
        self._not_before = 0.0
        self._unasked = 0.0  # seconds before the last attempt that nobody has asked for

    # ---- the connection ----------------------------------------------------------------------------------------------

    def open(self, deadline: float) -> Connection:
        """The connection; makes a new one if there is none, or it has ended.

        Raises:
            ConnectError, ConnectTimeout: it cannot be made.
        """
        conn = self.conn
        if conn is not None and not conn.ended and not self.closed:
            return conn
        got: list[bool] = []  # filled in one go, so that no signal's handler raises between lock and list
        seconds = max(0.0, min(deadline - time.monotonic(), threading.TIMEOUT_MAX))
        try:
            got.extend(map(self._opening.acquire, (True,), (seconds,)))
            if not got[0]:
                raise ConnectTimeout(f"{self.address}: no connection in time", address=self.address, phase="connect")
            if self.closed:
                self.is_closed()
            conn = self.conn
            if conn is None or conn.ended:
                self.plain = self.plain or bool(conn and conn.plain)
                conn = self.conn = self._connected(deadline)
                if self.state() == "closed":  # meanwhile, by another thread
                    conn.end("the client was closed")
                    self.is_closed()
            return conn
        finally:
            if got and got[0]:
                self._opening.release()

    def _connected(self, deadline: float) -> Connection:
        wait = min(self._not_before, deadline) - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        left = max(0.001, round(deadline - time.monotonic(), 3))  # round, for it stands in the error's text
        try:
            sock = connecting.connect(self.target, None if left == float("inf") else left, self._tls)
        except ConnectError:
            self._pause = min(2 * self._pause or FIRST_PAUSE, LONGEST_PAUSE)
            self._not_before = time.monotonic() + self._pause * _jitter()
            raise
        self._pause = self._not_before = 0.0
        wire = Wire(limit=self._max_size, old_raw=self._old_raw)
        conn = Connection(stream_of(sock), wire, self.address, self.limit, self._greeting())
        self.offer(conn)
        return conn

    def rest(self, lived: float) -> float:
        """Seconds to wait before one connects again unasked, after a connection that has lived so many; 0 for none."""
        long = lived > LONGEST_PAUSE
        self._unasked = 0.0 if long else min(2 * self._unasked or FIRST_PAUSE, LONGEST_PAUSE)
        return max(self._unasked * _jitter(), self._not_before - time.monotonic())

    def offer(self, conn: Connection) -> None:
        """Let the far side call what there is, if there is anything."""

    def _greeting(self) -> dict[str, Any] | None:
        if self.plain:
            return None
        told: dict[str, Any] = {"version": VERSION, "features": list(FEATURES)}
        if self._name is not None:
            told["name"] = self._name
        if self._token is not None:
            told["token"] = self._token
        if self.limit != float("inf"):
            told["timeout"] = self.limit
        return told

    def start(self, terms: Terms) -> None:
        """Connect, for the first time.

        Raises:
            ConnectError, ConnectTimeout: it cannot be done.
            Unauthorized: it does not take our token.
        """
        try:
            if self._token is None:
                self.open(time.monotonic() + terms.limit)
            else:
                self.greet(terms)
        except CallTimeout as error:
            self.close()
            text = f"{self.address} does not answer the greeting within {terms.limit:g} s"
            raise ConnectTimeout(text, address=self.address, phase="greeting") from error
        except BaseException:
            self.close()
            raise

    def state(self) -> str:
        """In words, for a repr."""
        conn = self.conn
        if self.closed:
            return "closed"
        if conn is None or conn.ended:
            return "not connected"
        count = len(conn.wire.pending) - (conn.plain is None)  # the greeting is none of the user's
        calls = {0: "", 1: ", 1 call under way"}.get(count, f", {count} calls under way")
        return f"connected{', plain MessagePack-RPC' if conn.plain else ''}{calls}"

    def greet(self, terms: Terms) -> None:
        """Wait until the far side has told what it is.

        Raises:
            Unauthorized: it does not take our token.
        """
        began = time.monotonic()
        conn = self.open(began + terms.limit)
        conn.greet("the greeting", began, terms)
        self.plain = bool(conn.plain)
        if conn.refused is not None:
            raise conn.refused

    def is_closed(self) -> NoReturn:
        """Say so."""
        raise ConnectError(f"the client of {self.address} is closed", address=self.address, phase="closed")

    def close(self) -> None:
        raise NotImplementedError

    def forked(self) -> None:
        """In a forked child: the connection is the parent's. Closing a copy of its descriptor tells nobody."""
        conn, self.conn = self.conn, None
        self.forget_all()
        if conn is not None:
            conn.forked()

    def __del__(self) -> None:
        conn = getattr(self, "conn", None)
        if conn is not None:  # no lock is taken here: the collector runs where it likes. Who reads will see the end
            conn.stream.shutdown()


def _jitter() -> float:
    """From a half to one; `random` would have to be imported."""
    return 0.5 + os.urandom(1)[0] / 512


_all: WeakSet[Opening] = WeakSet()


def _forked() -> None:
    for link in list(_all):
        link.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
