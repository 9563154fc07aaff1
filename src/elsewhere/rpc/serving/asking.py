"""What is asked of a peer, over the connection on which it asks us.

Rule: ids of our requests are ours alone: an answer belongs to a request by its id, a call to us never does.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import Any

from elsewhere.errors import ConnectionLost
from elsewhere.rpc import dialect
from elsewhere.rpc.serving.call import Link
from elsewhere.sansio.msgpackrpc import Wire

__all__ = ["Asking"]

_log = logging.getLogger("elsewhere.rpc")


class Asking:
    """The half of a session that asks.

    Attributes:
        link: the connection.
        wire: of the connection; whatever packs on it has the lock.
        features: what the peer understands beyond the protocol.
        silent: the peer sends no more.
        closed: nor does it read: the connection has ended.
    """

    __slots__ = ("_lock", "closed", "features", "link", "silent", "wire")

    def __init__(self, link: Link, wire: Wire) -> None:
        self.link = link
        self.wire = wire
        self.features: frozenset[str] = frozenset()
        self.closed = self.silent = False
        self._lock = threading.Lock()  # of the wire's requests, which any thread may make

    def request(self, method: str, params: list[Any], slot: Any) -> int:
        """Ask the peer; `slot` gets ``set_result`` or ``set_exception``.

        Raises:
            ConnectionLost: there is no connection any more.
            Exception: what packing raises.
        """
        with self._lock:
            if self.silent or self.closed:
                raise ConnectionLost(f"{self.link.label} has gone", address=self.link.label, phase="call")
            msgid, data = self.wire.request(method, params, (slot, method))
        self.link.post(data)
        return msgid

    def notify(self, method: str, params: list[Any]) -> None:
        """Tell the peer; raises as `request` does."""
        with self._lock:
            if self.closed:
                raise ConnectionLost(f"{self.link.label} has gone", address=self.link.label, phase="send")
            data = self.wire.notify(method, params)
        self.link.post(data)

    def forget(self, msgid: int) -> None:
        """Nobody wants the answer to a request any more."""
        with self._lock:
            known = self.wire.pending.pop(msgid, None)
        if known is not None and "cancel" in self.features:
            with contextlib.suppress(ConnectionLost):
                self.notify(dialect.CANCEL, [msgid])

    def _answered(self, msgid: int, error: Any, result: Any) -> None:
        found = self.wire.pending.pop(msgid, None)
        if found is None:
            _log.debug("%s has answered %d, which nobody asked", self.link.label, msgid)
            return
        slot, method = found
        if error is None:
            slot.set_result(result)
        else:
            slot.set_exception(dialect.raised(error, method, self.link.label))

    def lost(self) -> None:
        """The connection has ended. What runs here goes on to its end."""
        self.closed = True
        self.fell_silent()

    def fell_silent(self) -> None:
        """The peer sends no more: what we asked is not answered. It may still read."""
        with self._lock:
            self.silent = True
            pending = list(self.wire.pending.values())
            self.wire.pending.clear()
        for slot, method in pending:
            text = f"{method} at {self.link.label}: the connection ended before the answer came"
            slot.set_exception(ConnectionLost(text, address=self.link.label, phase="call"))
