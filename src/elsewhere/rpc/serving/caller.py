"""`caller`: who called the method that runs, and the way to call it back.

Rule: what is found here is the connection of the call, never another. A call back is an ordinary request on it, and
may be answered by a call of its own, to any depth.
"""

from __future__ import annotations

import contextvars
import sys
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any, Protocol

from elsewhere.call import Options
from elsewhere.errors import CallTimeout
from elsewhere.rpc import dialect
from elsewhere.runtime.future import Future

if TYPE_CHECKING:
    from elsewhere.rpc.serving.session import Session

__all__ = ["Caller", "caller", "current"]

TIMEOUT = 10.0  # seconds that a call back may take


class Source(Protocol):
    """What runs a method, and knows for whom."""

    @property
    def session(self) -> Session:
        """The peer's."""

    @property
    def over(self) -> bool:
        """Has the call been answered?"""

    def waits(self) -> None:
        """The method is about to wait for its caller: somebody else has to read the connection."""

    def goes_on(self) -> None:
        """It waits no more."""


current: contextvars.ContextVar[Any] = contextvars.ContextVar("elsewhere.rpc.caller")


def caller() -> Caller:
    """Who called the method that runs now, in this thread or task.

    Raises:
        LookupError: no method of a service runs here; in a worker process there is no way back to the caller.
    """
    source = current.get(None)
    if source is None or source.session is None:
        raise LookupError("no method of a service runs here: caller() works inside one, on a thread or on a loop")
    return Caller(source, source.session, TIMEOUT)


class Caller:
    """The far side of the call that runs.

    `call` blocks, so it is for methods in threads; on a loop, ``await caller().submit(...)``.

    Attributes:
        address: the peer's, as a URL.
        name: what it calls itself; "" if it does not say.
    """

    def __init__(self, source: Source, session: Session, timeout: float | None) -> None:
        self._source = source
        self._session = session
        self._timeout = timeout
        self.address = session.link.label
        self.name = session.peer

    @property
    def gone(self) -> bool:
        """Does nobody wait for the answer any more? It was late, or cancelled, or the caller has closed its connection.

        A thread cannot be stopped: a method that takes long may look here.
        """
        return self._source.over or self._session.silent or self._session.closed

    def options(self, *, timeout: float | None = TIMEOUT) -> Caller:
        """The same, with another time limit for calls back.

        Args:
            timeout: seconds for each; None for no limit.

        Raises:
            TypeError, ValueError: it is no such number.
        """
        return Caller(self._source, self._session, Options.of(timeout).timeout)

    def call(self, method: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call a method of the peer's and wait for its value.

        Raises:
            RemoteError: it raised.
            CallTimeout: it took longer than the limit.
            ConnectionLost: the connection ended.
            RuntimeError: on a loop, which would stand still: ``await caller().submit(...)`` there.
        """
        asyncio: Any = sys.modules.get("asyncio")  # who has a loop has imported it
        if asyncio is not None and asyncio._get_running_loop() is not None:
            raise RuntimeError("caller().call() blocks, and this is a loop: await caller().submit(...)")
        self._source.waits()
        try:
            return self.submit(method, *args, **kwargs).result()
        finally:
            self._source.goes_on()

    def submit(self, method: str, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call a method of the peer's; ``result()`` or ``await`` gives its value. Cancelling it reaches the peer."""
        session, limit = self._session, self._timeout
        future: Future[Any] = Future()
        params: list[Any] = list(args)
        if kwargs or limit is not None:
            if "call" in session.features:
                params = [method, params, kwargs, {} if limit is None else {"timeout": limit}]
                method, called = dialect.CALL, method
            elif kwargs:
                raise TypeError(f"{self.address} takes no keyword arguments: it speaks plain MessagePack-RPC")
            else:
                called = method
        else:
            called = method
        msgid = session.request(method, params, _Slot(future))
        timer = None
        if limit is not None:
            timer = session.link.later(limit, lambda: self._late(future, msgid, called, limit))

        def done(future: Any) -> None:
            if timer is not None:
                timer.cancel()
            if future.cancelled():
                session.forget(msgid)

        future.add_done_callback(done)
        return future

    def _late(self, future: Future[Any], msgid: int, method: str, limit: float) -> None:
        text = f"{method} at {self.address} was not answered within its timeout of {limit:g} s"
        if future._tell("FINISHED", None, CallTimeout(text)):
            self._session.forget(msgid)

    def notify(self, method: str, /, *args: Any) -> None:
        """Call a method of the peer's of which no answer is wanted.

        Raises:
            ConnectionLost: the connection has ended.
        """
        self._session.notify(method, list(args))

    def __repr__(self) -> str:
        return f"<Caller at {self.address}>"


class _Slot:
    """Where an answer arrives; late ones are lost without a word."""

    __slots__ = ("_future",)

    def __init__(self, future: Future[Any]) -> None:
        self._future = future

    def set_result(self, value: Any) -> None:
        self._future._tell("FINISHED", value, None)

    def set_exception(self, error: BaseException) -> None:
        self._future._tell("CANCELLED" if isinstance(error, CancelledError) else "FINISHED", None, error)
