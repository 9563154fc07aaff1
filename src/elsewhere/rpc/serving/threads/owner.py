"""A thread that owns one connection at a time: it reads, runs, answers, and reads again.

Rule: nothing is handed over inside a call. While a method runs, its owner leaves a token; who takes that (the reactor,
after 2 ms, or the method itself before it calls back) takes the connection with it, and the messages that were decoded
already. The owner then answers its call by itself when the method has ended. Taking is one `list.pop`, so exactly one
side has it.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from typing import TYPE_CHECKING, Any

from elsewhere.rpc.serving.caller import current
from elsewhere.rpc.serving.methods.registry import QUICK, Method
from elsewhere.rpc.serving.methods.results import Data
from elsewhere.rpc.serving.session import Call, Session
from elsewhere.sansio.msgpackrpc import REQUEST

if TYPE_CHECKING:
    from elsewhere.rpc.serving.threads.connection import Connection
    from elsewhere.rpc.serving.threads.reactor import Reactor

__all__ = ["LOOK", "Owner"]

_log = logging.getLogger("elsewhere.rpc")
NO_KEYWORDS: dict[str, Any] = {}
SOON = 0.001  # seconds for which answers are collected, when many messages came in one piece
LOOK = 0.002  # seconds for which a method may keep its connection
Token = tuple["int | None", Method, float, "float | None"]  # msgid, what runs, since when, its time limit


class Owner:
    """One thread.

    Attributes:
        connection: what it owns, or what its method was called by; None between two.
        token: holds one entry while a method runs and the connection may be taken.
        call: what was made of the running call when the connection was taken.
        abandoned: its call is over for everybody else; it ends with it.
    """

    def __init__(self, reactor: Reactor, number: int) -> None:
        self.reactor = reactor
        self.connection: Connection | None = None
        self.token: list[Token] = []
        self.call: Call | None = None
        self.abandoned = False
        self._handed: queue.SimpleQueue[Call] = queue.SimpleQueue()
        self._taken = False
        self._now = 0.0  # when its last method ended
        self.thread = threading.Thread(target=self._work, name=f"elsewhere-rpc-{number}", daemon=True)

    # ---- what `caller()` sees ----------------------------------------------------------------------------------------

    @property
    def session(self) -> Session | None:
        """Of the peer whose method runs."""
        return None if self.connection is None else self.connection.session

    @property
    def over(self) -> bool:
        """Has the running call been answered?"""
        return self.call is not None and self.call.over

    def waits(self) -> None:
        """The running method is about to wait for its own caller: somebody else has to read."""
        self.give_away()
        self.reactor.lend(1)

    def goes_on(self) -> None:
        """It waits no more."""
        self.reactor.lend(-1)

    # ---- the thread --------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        current.set(self)
        while not self.abandoned:
            connection = self.reactor.next_ready()
            if connection is None:
                break
            self.connection = connection
            try:
                self._serve(connection)
            except BaseException:  # noqa: BLE001 - a bug of ours must not leave a peer waiting, nor take a thread away
                _log.critical("%s: the connection is ended by a bug in elsewhere", connection.label, exc_info=True)
                connection.end("an internal error")
                if not self._taken:
                    connection.close()
                self._taken = False
            finally:
                self.connection = None
                del connection  # while this thread waits for the next one, nobody else may have it
                self.reactor.left()
        self.reactor.thread_ended(self)

    def _serve(self, connection: Connection) -> None:
        reactor, session = self.reactor, connection.session
        connection.meet()
        while True:
            if connection.inbox and not self._run(connection):
                return  # somebody else's now
            if connection.out:
                connection.flush(patient=True)
            if connection.ended:
                connection.close()
                return
            if connection.finished or connection.outbox is not None or (session.running and not connection.welcome()):
                connection.park()
                return
            if connection.read(wait=reactor.may_linger()) is None:
                connection.park()
                return

    def _run(self, connection: Connection) -> bool:
        """Run what is in the inbox; False if the connection was taken meanwhile."""
        session, inbox, out = connection.session, connection.inbox, connection.out
        begun = self._now
        while inbox:
            message = inbox.pop()
            method = session.methods.get(message[2]) if message[0] == REQUEST else None
            if method is not None and method.on_thread == [*map(type, message[3])]:
                answer = self._here(session, method, message[1], message[3], NO_KEYWORDS, session.limit)
            else:
                answer = session.begin(message, self._here)
            if self._taken:
                self._taken = False
                self.call = None
                return False
            if isinstance(answer, tuple):
                out.extend(answer)
            elif answer is not None:
                out.append(answer)
            if (connection.outbox is not None or session.running) and not connection.welcome():
                return True
            if self._now - begun > SOON:
                connection.flush()
                out, begun = connection.out, self._now
        return True

    def _here(
        self,
        session: Session,
        method: Method,
        msgid: int | None,
        args: list[Any],
        kwargs: dict[str, Any],
        limit: float | None,
    ) -> Data | None:
        """Run a method in this thread."""
        token = self.token
        begun = time.monotonic()
        method.begun += 1
        token.append((msgid, method, begun, limit))
        if method.wary:
            self.reactor.look_before(begun + LOOK)
        try:
            value = method.fn(*args, **kwargs) if kwargs else method.fn(*args)
        except BaseException as error:  # noqa: BLE001 - it is the caller's, whatever it is
            return self._raised(session, method, msgid, begun, error)
        try:
            token.pop()
        except IndexError:
            self._late(session, value, None)
            return None
        self._now = now = time.monotonic()
        took = now - begun
        if method.wary or took >= QUICK:
            method.weigh(took)
        method.calls += 1
        method.seconds += took
        if took > method.longest:  # noqa: PLR1730 - on the way of each call, and max() costs three times as much
            method.longest = took
        return session.answer(msgid, value, method.name)

    def _raised(
        self, session: Session, method: Method, msgid: int | None, begun: float, error: BaseException
    ) -> Data | None:
        try:
            self.token.pop()
        except IndexError:
            self._late(session, None, error)
            return None
        method.ended(time.monotonic() - begun, False)
        return session.failure(msgid, error, method.name, ran=True)

    def _late(self, session: Session, value: Any, error: BaseException | None) -> None:
        """The connection has another owner: answer alone."""
        call = self._handed.get()  # who took the token puts it in a moment
        self._taken = True
        call.method.weigh(time.monotonic() - call.begun)
        session.finish(call, value, error)

    # ---- taking the connection away ----------------------------------------------------------------------------------

    def look(self, now: float) -> bool:
        """By the reactor: take the connection if its method runs for long already; True if it soon may."""
        try:
            _, method, begun, _ = self.token[-1]
        except IndexError:
            return False
        if now - begun < LOOK:
            return method.wary > 0
        self.give_away()
        return False

    def give_away(self) -> None:
        """Take the connection from this owner, if a method runs and nobody has taken it yet."""
        try:
            msgid, method, begun, limit = self.token.pop()
        except IndexError:
            return
        connection = self.connection  # the token's: from here on the owner waits for the call that it is handed
        assert connection is not None
        call = connection.session.open(method, msgid, begun, limit)
        self.call = call
        call.stopped_by(self._abandon)
        self._handed.put(call)
        connection.flush()
        connection.park()

    def _abandon(self) -> None:
        """A thread cannot be stopped: it is left to itself, and another takes its place."""
        if not self.abandoned:
            self.abandoned = True
            self.reactor.lend(1)
