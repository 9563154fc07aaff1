"""The service that a client offers to the far side, which calls it on the same connection.

Rule: a method never runs on a thread that reads. It runs where the service says, and plain ones in threads; so it may
call the far side itself, which may call back, to any depth.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from elsewhere.errors import ConnectionLost, NeverStarted
from elsewhere.rpc.calling.errands import Errand, Errands
from elsewhere.rpc.calling.restoring import Restoring
from elsewhere.rpc.dialect import raised
from elsewhere.rpc.serving.engine import Engine
from elsewhere.rpc.serving.methods.registry import Method
from elsewhere.rpc.serving.methods.results import Data
from elsewhere.rpc.serving.session import Session
from elsewhere.sansio.msgpackrpc import REQUEST, Message

if TYPE_CHECKING:
    from elsewhere.rpc.calling.line.connection import Connection
    from elsewhere.rpc.calling.opening import Opening

__all__ = ["Incoming"]


class Incoming:
    """One connection's: what is below a `Session`, and the session itself.

    Args:
        engine: of the service.
        errands: for the limits of calls.
        link: the client's, which is to connect again when this connection has ended.
    """

    def __init__(self, conn: Connection, engine: Engine, errands: Errands, link: Opening) -> None:
        self.label = conn.address
        self._conn = conn
        self._engine = engine
        self._errands = errands
        self._restoring = Restoring(link, errands)
        self._session = Session(engine, self)
        # Calls of both sides share the connection's msgids; whatever packs has the connection's mutex.
        self._session.wire = conn.wire
        self._session._lock = conn.mutex

    def greeted(self) -> None:
        """It is known what the far side is."""
        self._session.ours = not self._conn.plain
        self._session.features = self._conn.features

    def called(self, message: Message) -> None:
        """A request or a notification has come."""
        session = self._session
        if len(session.running) >= self._engine.limits.calls:
            msgid, method = (message[1], message[2]) if message[0] == REQUEST else (None, message[1])
            answer = session.failure(
                msgid, NeverStarted(f"too many calls are under way: {method} was not begun"), method
            )
        else:
            answer = session.begin(message, self._begin)
        if answer is not None:
            self.post(answer)

    def _begin(
        self, session: Session, method: Method, msgid: int | None, args: list[Any], named: Any, limit: float | None
    ) -> None:
        call = session.open(method, msgid, time.monotonic(), limit)
        method.begun += 1
        self._engine.run_in_thread(call, args, named)

    def answered(self, slot: tuple[Any, str], message: Message) -> None:
        """The answer to a call of one of our methods to its `caller`."""
        found, method = slot
        if message[2] is None:
            found.set_result(message[3])
        else:
            found.set_exception(raised(message[2], method, self.label))

    def lost(self, slot: tuple[Any, str], reason: str) -> None:
        """There will be no answer to it."""
        found, method = slot
        text = f"{method} at {self.label} may have run: the connection ended before its answer came: {reason}"
        found.set_exception(ConnectionLost(text, address=self.label, phase="call"))

    def ended(self) -> None:
        """The connection has ended."""
        self._session.closed = True
        if self._conn.refused is None:  # else it would be refused again and again
            self._restoring.ended()

    # ---- what a session asks of its connection -----------------------------------------------------------------------

    def post(self, data: Data) -> None:
        data = b"".join(data) if isinstance(data, tuple) else data
        conn = self._conn
        with conn.mutex:
            conn.append(data)
            conn.send_now(time.monotonic())
            if conn.out:
                conn.left()

    def later(self, seconds: float, work: Callable[[], object]) -> Errand:
        return self._errands.at(time.monotonic() + seconds, work) or Errand(0.0, work)  # closed: it will not happen

    def end(self, reason: str) -> None:
        self._conn.end(reason)

    def eased(self) -> None:
        """Nobody waits for that: a client reads on, whatever it has to do."""
