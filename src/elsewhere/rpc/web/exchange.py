"""One request of HTTP and the calls that it asks for: what a session is to a connection.

Rule: a call is answered once, by `finish`, from whatever thread: there its answer is made, since that may take long,
and then handed to the loop, on which alone timers and futures are touched. When the client goes away, what runs for it
is stopped.

::

    start(name, arguments, reply) ─> here        at once, on the loop: its answer
                                  ├─> threads    a Call, and a future of its answer
                                  ├─> loop       ... of a coroutine
                                  └─> processes  ... in a Pool
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any, NoReturn

from elsewhere.errors import ArgumentError, CallTimeout, MethodNotFound, NeverStarted, Unauthorized
from elsewhere.rpc import dialect
from elsewhere.rpc.serving.call import Call
from elsewhere.rpc.serving.caller import current
from elsewhere.rpc.serving.loop.running import begin
from elsewhere.rpc.serving.methods.converters import text_as_bytes
from elsewhere.rpc.serving.methods.registry import Method

if TYPE_CHECKING:
    from elsewhere.rpc.serving.engine import Engine

__all__ = ["Answered", "Exchange", "Reply", "Traffic", "Unpack"]

_log = logging.getLogger("elsewhere.rpc")
WATCH = 0.05  # seconds that calls run before the client is watched: it costs more than a quick call
QUIET = (CancelledError, MethodNotFound, ArgumentError, Unauthorized, NeverStarted)
# Makes the answer of a value, or of an error, which may be the method's own (it has run); it never raises.
Reply = Callable[[Any, "BaseException | None", bool], Any]
Answered = Any  # what a Reply gives
Unpack = Callable[[str], bytes]


class Traffic:
    """Counts what is under way, for who waits until it has ended. Any thread may count."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._empty: threading.Event | None = None

    def came(self) -> None:
        """One more."""
        with self._lock:
            self._count += 1

    def went(self, _: object = None) -> None:
        """One less."""
        with self._lock:
            self._count -= 1
            if not self._count and self._empty is not None:
                self._empty.set()

    def drain(self, seconds: float) -> bool:
        """Wait until there is nothing; False if there still is."""
        with self._lock:
            empty = self._empty = self._empty or threading.Event()
            if not self._count:
                empty.set()
        return empty.wait(seconds)

    def hurry(self) -> None:
        """`drain` is to wait no longer."""
        with self._lock:
            self._empty = self._empty or threading.Event()
            self._empty.set()


class _Call(Call):
    """A call that was not answered at once."""

    anywhere = True
    __slots__ = ("future", "notified", "reply")

    def __init__(self, exchange: Exchange, method: Method, limit: float | None, reply: Reply, notified: bool) -> None:
        super().__init__(exchange, method, None, time.monotonic(), limit)  # type: ignore[arg-type]  # a session of its kind
        self.reply = reply
        self.notified = notified
        self.future: asyncio.Future[Answered] = exchange.loop.create_future()


class Exchange:
    """One request.

    Args:
        engine: of the running service.
        label: the client's address, for texts.
        limit: seconds that each call may take; None for what its method says.
        unpack: makes bytes of a text, where a method wants bytes and what is spoken has none.

    Attributes:
        loop: the request is served on it.
        running: calls under way that end when the client goes away.
        silent, closed: the client has gone.
        link, session, over, peer, features: as `caller` wants them.
    """

    __slots__ = ("_thread", "_unpack", "_watch", "closed", "engine", "label", "limit", "loop", "running", "silent")
    over = False
    peer = ""
    features: frozenset[str] = frozenset()

    def __init__(self, engine: Engine, label: str, limit: float | None, unpack: Unpack | None = None) -> None:
        self.engine = engine
        self._unpack = unpack
        self.label = label
        self.limit = limit
        self.loop = asyncio.get_running_loop()
        self.running: set[_Call] = set()
        self.silent = self.closed = False
        self._thread = threading.get_ident()
        self._watch: asyncio.Task[None] | None = None

    # ---- calls -------------------------------------------------------------------------------------------------------

    def start(
        self, name: str, args: list[Any], kwargs: dict[str, Any], reply: Reply, *, notified: bool = False
    ) -> Answered | asyncio.Future[Answered]:
        """Check a call and begin it, where it is to run.

        Args:
            name: what is called.
            args: by position.
            kwargs: by name.
            reply: makes the answer.
            notified: nobody waits for it, so that it goes on when the client has gone.

        Returns:
            what `reply` has made, or a future of that.
        """
        method = self.engine.methods.get(name)
        try:
            if self.engine.closing:
                raise NeverStarted(f"the service is closing: {name:.200} was not begun")
            if name == dialect.CALL:
                name, args, kwargs, _ = dialect.unfolded(args)
                method = self.engine.methods.get(name)
            if method is None:
                raise MethodNotFound(f"{name!r:.200} method not found")
            args, named = self._bound(method, args, kwargs)
        except BaseException as error:  # noqa: BLE001 - every request has its answer
            self._tell(name, error, False, notified)
            return reply(None, error, False)
        limit = self.limit
        if method.timeout is not None and (limit is None or method.timeout < limit):
            limit = method.timeout
        if method.where == "loop" and not method.asynchronous:
            return self._here(method, args, named, limit, reply, notified)
        return self._open(method, args, named, limit, reply, notified)

    def _bound(self, method: Method, args: list[Any], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        if self._unpack is None:
            return method.schema.bind(args, kwargs)
        before = text_as_bytes.set(self._unpack)
        try:
            return method.schema.bind(args, kwargs)
        finally:
            text_as_bytes.reset(before)

    def _here(
        self,
        method: Method,
        args: list[Any],
        kwargs: dict[str, Any],
        limit: float | None,
        reply: Reply,
        notified: bool,
    ) -> Answered:
        """Run it now."""
        begun = time.monotonic()
        method.begun += 1
        token = current.set(self)
        try:
            value = method.fn(*args, **kwargs) if kwargs else method.fn(*args)
        except BaseException as error:  # noqa: BLE001 - it is the caller's, whatever it is
            method.ended(time.monotonic() - begun, False)
            self._tell(method.name, error, True, notified)
            return reply(None, error, True)
        finally:
            current.reset(token)
        took = time.monotonic() - begun
        method.ended(took, True)
        if limit is not None and took > limit:
            return reply(None, _late(method, limit), False)
        return reply(value, None, True)

    def _open(
        self,
        method: Method,
        args: list[Any],
        kwargs: dict[str, Any],
        limit: float | None,
        reply: Reply,
        notified: bool,
    ) -> asyncio.Future[Answered]:
        call = _Call(self, method, limit, reply, notified)
        if not notified:
            self.running.add(call)
        if limit is not None:
            call.timer = self.loop.call_later(limit, self._late, call)
        method.begun += 1
        try:
            if method.where == "loop":
                begin(self.loop, call, args, kwargs)
            elif method.where == "threads":
                self._run_in_thread(call, args, kwargs)
            else:
                self.engine.run_in_pool(call, args, kwargs)
        except BaseException as error:  # noqa: BLE001 - it could not be begun: say so to the caller
            self.finish(call, None, error, ran=False)
        return call.future

    def _run_in_thread(self, call: _Call, args: list[Any], kwargs: dict[str, Any]) -> None:
        context = contextvars.copy_context()
        context.run(current.set, call)

        def work() -> None:
            try:
                value = context.run(call.method.fn, *args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - it is the caller's, whatever it is
                self.finish(call, None, error)
            else:
                self.finish(call, value, None)

        call.stopped_by(self.engine.team.submit(work).abandon)

    def _late(self, call: _Call) -> None:
        self._abandon(call, _late(call.method, call.limit or 0.0))

    def _abandon(self, call: _Call, error: BaseException) -> None:
        stop = call.stop
        if self.finish(call, None, error, ran=False) and stop is not None:
            stop()

    def finish(self, call: Call, value: Any, error: BaseException | None, *, ran: bool = True) -> bool:
        """Answer it, from whatever thread; False if that was done already. As `Session.finish`."""
        if not call.close():
            return False
        assert isinstance(call, _Call)
        call.method.ended(time.monotonic() - call.begun, error is None)
        if error is not None:
            self._tell(call.method.name, error, ran, call.notified)
        answer = call.reply(value, error, ran)
        if threading.get_ident() == self._thread:
            self._deliver(call, answer)
        else:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and the connection with it
                self.loop.call_soon_threadsafe(self._deliver, call, answer)
        return True

    def _deliver(self, call: _Call, answer: Answered) -> None:
        self.running.discard(call)
        if call.timer is not None:
            call.timer.cancel()
        if not call.future.done():  # whoever waits for it may have been cancelled
            call.future.set_result(answer)

    def _tell(self, name: str, error: BaseException, ran: bool, notified: bool) -> None:
        if not ran and isinstance(error, QUIET):
            _log.debug("%s called %.200r: %s", self.label, name, error)
        elif notified:
            _log.error("the notification %.200r of %s failed", name, self.label, exc_info=error)
        else:
            _log.info("%.200r of %s raised %s", name, self.label, type(error).__name__, exc_info=error)

    # ---- the client --------------------------------------------------------------------------------------------------

    async def outcome(self, future: asyncio.Future[Answered], receive: Any) -> Answered:
        """Wait for an answer; stop what runs if the client goes away meanwhile, or if the server ends."""
        timer = self.loop.call_later(WATCH, self._begin_to_watch, receive)
        try:
            return await future
        except asyncio.CancelledError:
            self._gone("the service has stopped it")
            raise
        finally:
            timer.cancel()

    def _begin_to_watch(self, receive: Any) -> None:
        if self._watch is None:
            self._watch = self.loop.create_task(self._watch_for(receive))

    async def _watch_for(self, receive: Any) -> None:
        if (await receive())["type"] == "http.disconnect":  # all of the body has been read
            self._gone("its caller has gone")

    def _gone(self, why: str) -> None:
        self.silent = self.closed = True
        for call in list(self.running):
            self._abandon(call, CancelledError(why))

    def end(self) -> None:
        """The request is over."""
        if self._watch is not None:
            self._watch.cancel()

    # ---- as `caller` wants it ----------------------------------------------------------------------------------------

    @property
    def link(self) -> Exchange:
        """What has the label."""
        return self

    @property
    def session(self) -> Exchange:
        """Of a plain function that runs on the loop."""
        return self

    def waits(self) -> None:
        """Nothing waits for a caller over HTTP."""

    def goes_on(self) -> None:
        """See `waits`."""

    def request(self, method: str, params: list[Any], slot: Any) -> NoReturn:
        """There is no way back.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError(
            f"{method} cannot be called: {self.label} called over HTTP, which has no way back; tcp:// and unix:// have"
        )

    def notify(self, method: str, params: list[Any]) -> NoReturn:
        """As `request`."""
        self.request(method, params, None)


def _late(method: Method, limit: float) -> CallTimeout:
    return CallTimeout(f"{method.name} ran longer than its timeout of {limit:g} s")
