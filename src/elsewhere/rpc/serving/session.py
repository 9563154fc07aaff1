"""One peer of a service: what it may call, what of it runs, and the answers.

Rule: a session knows no socket and no thread. Bytes leave by its `Link`; who reads the connection feeds messages to
`begin`, one at a time, and sends the answer that it may give back at once.

::

    begin(message) ─> rpc.hello, rpc.call, ...      answered here
                  └─> start(method, arguments)      checked against its schema
                        ├─ here                     run at once, by who reads: `run_here`, or what a server has instead
                        ├─ on a loop                a Call; answered when it ends
                        └─ in a Pool                a Call
"""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any

from elsewhere.errors import ArgumentError, CallTimeout, MethodNotFound, NeverStarted, Unauthorized
from elsewhere.rpc import dialect
from elsewhere.rpc.serving.asking import Asking
from elsewhere.rpc.serving.call import Call, Link, Timer
from elsewhere.rpc.serving.methods.registry import Method
from elsewhere.rpc.serving.methods.results import Data, pack_response
from elsewhere.sansio.msgpackrpc import REQUEST, RESPONSE, Message, Wire

if TYPE_CHECKING:
    from elsewhere.rpc.serving.engine import Engine

__all__ = ["Call", "Here", "Link", "Session", "Timer", "run_here"]

_log = logging.getLogger("elsewhere.rpc")
UNBEGUN = ("method", "arguments", "token", "never")  # kinds of errors that say that nothing has run
QUIET = (CancelledError, MethodNotFound, ArgumentError, Unauthorized, NeverStarted)
ATTEMPTS = 3  # wrong tokens that a connection may send


Here = Callable[["Session", Method, "int | None", "list[Any]", "dict[str, Any]", "float | None"], "Data | None"]


def run_here(
    session: Session, method: Method, msgid: int | None, args: list[Any], kwargs: dict[str, Any], limit: float | None
) -> Data | None:
    """Run it in this thread, now; the answer's bytes."""
    begun = time.monotonic()
    method.begun += 1
    try:
        value = method.fn(*args, **kwargs)
    except BaseException as error:  # noqa: BLE001 - it is the caller's, whatever it is
        method.ended(time.monotonic() - begun, False)
        return session.failure(msgid, error, method.name, ran=True)
    took = time.monotonic() - begun
    method.ended(took, True)
    if limit is not None and took > limit:
        return session.failure(msgid, _late(method, limit), method.name)
    return session.answer(msgid, value, method.name)


class Session(Asking):
    """What a service knows of one peer.

    Args:
        engine: of the running service.
        link: the connection.
        pieces: it takes a large answer in several pieces, so that it need not be copied into one.

    Attributes:
        methods: what the peer can call now: nothing before its token has come, or when the service closes.
        limit: seconds that each call may take that says nothing else; None for no limit.
        ours: the peer is one of our own, and understands `features`.
        peer: the name that it gave itself; "" if none.
        running: calls under way, by msgid (or by themselves, for notifications).
    """

    __slots__ = (
        "_attempts", "_limit", "_pieces", "authorized", "engine", "limit", "methods", "ours", "peer", "running",
    )  # fmt: skip

    def __init__(self, engine: Engine, link: Link, *, pieces: bool = False) -> None:
        super().__init__(link, Wire(limit=engine.limits.size, spare=engine.decoders))
        self.engine = engine
        self.authorized = engine.token is None
        self.methods: dict[str, Method] = engine.methods if self.authorized and not engine.closing else {}
        self.limit: float | None = None
        self.ours = False
        self.peer: str = ""
        self.running: dict[Any, Call] = {}
        self._attempts = 0
        self._pieces = pieces
        self._limit = engine.limits.size

    # ---- what comes --------------------------------------------------------------------------------------------------

    def begin(self, message: Message, here: Here = run_here) -> Data | None:
        """Deal with one message.

        Args:
            message: from the wire.
            here: runs a method that runs where the connection is read.

        Returns:
            an answer to send now; None if there is none, or none yet.
        """
        if message[0] == RESPONSE:
            self._answered(message[1], message[2], message[3])
            return None
        msgid, name, params = message[1:] if message[0] == REQUEST else (None, *message[1:])
        try:
            if name.startswith(dialect.RESERVED):
                return self._reserved(msgid, name, params, here)
            return self.start(msgid, name, params, None, self.limit, here)
        except BaseException as error:  # noqa: BLE001 - every request has its answer
            return self.failure(msgid, error, name)

    def _reserved(self, msgid: int | None, name: str, params: list[Any], here: Here) -> Data | None:
        if name == dialect.HELLO:
            return self.answer(msgid, self._hello(params), name)
        if name == dialect.METHODS:
            return self.answer(msgid, [each.described() for each in self._allowed(name).values()], name)
        if name == dialect.CALL:
            method, args, kwargs, limit = self._unfold(params)
            return self.start(msgid, method, args, kwargs, limit, here)
        if name == dialect.CANCEL and msgid is None:
            self._cancel(params)
            return None
        raise MethodNotFound(f"{name!r:.200} method not found")

    def start(
        self,
        msgid: int | None,
        name: str,
        args: list[Any],
        kwargs: dict[str, Any] | None,
        limit: float | None,
        here: Here,
    ) -> Data | None:
        """Check a call and begin it, where it is to run; raises what refuses it."""
        method = self.methods.get(name)
        if method is None:
            self._allowed(name)
            raise MethodNotFound(f"{name!r:.200} method not found")
        args, named = method.schema.bind(args, kwargs)
        if method.timeout is not None and (limit is None or method.timeout < limit):
            limit = method.timeout
        if self.engine.runs_here(method):
            return here(self, method, msgid, args, named, limit)
        call = self.open(method, msgid, time.monotonic(), limit)
        method.begun += 1
        try:
            if method.where == "loop":
                self.engine.run_on_loop(call, args, named)
            elif method.where == "threads":
                self.engine.run_in_thread(call, args, named)
            else:
                self.engine.run_in_pool(call, args, named)
        except BaseException as error:  # noqa: BLE001 - it could not be begun: say so to the caller
            self.finish(call, None, error, ran=False)
        return None

    def _allowed(self, name: str) -> dict[str, Method]:
        """What the peer can call; raises why it can call nothing."""
        if not self.authorized:
            raise Unauthorized("this service wants a token, and it has not come: connect(..., token=...)")
        if self.engine.closing:
            raise NeverStarted(f"the service is closing: {name:.200} was not begun")
        return self.methods

    # ---- the dialect -------------------------------------------------------------------------------------------------

    def _hello(self, params: list[Any]) -> dict[str, Any]:
        told = params[0] if params else None
        if not isinstance(told, dict):
            raise ArgumentError(f"{dialect.HELLO} takes a map")
        self.ours = True
        features = told.get("features")
        self.features = (
            frozenset(one for one in features if isinstance(one, str)) if isinstance(features, list) else frozenset()
        )
        name, limit = told.get("name"), told.get("timeout")
        self.peer = name[:200] if isinstance(name, str) else ""
        self.limit = _seconds(limit)
        if not self.authorized:
            self._authorize(told.get("token"))
        return self.engine.hello()

    def _authorize(self, token: Any) -> None:
        given = token.encode("utf-8", "surrogateescape") if isinstance(token, str) else token
        wanted = self.engine.token
        tried = self._attempts >= ATTEMPTS
        if tried or wanted is None or not isinstance(given, bytes) or not hmac.compare_digest(given, wanted):
            self._attempts += 1
            _log.warning("%s has sent %s", self.link.label, "no token" if given is None else "a wrong token")
            if self._attempts == ATTEMPTS:  # a moment later, so that it can read why
                self.link.later(0.1, lambda: self.link.end("it has sent too many wrong tokens"))
            raise Unauthorized(
                "this service wants another token" if given is not None else "this service wants a token"
            )
        self.authorized = True
        self.methods = {} if self.engine.closing else self.engine.methods

    def _unfold(self, params: list[Any]) -> tuple[str, list[Any], dict[str, Any], float | None]:
        """Method, arguments and limit of an `rpc.call`."""
        name, args, kwargs, options = dialect.unfolded(params)
        given = options.get("timeout") if isinstance(options, dict) else None
        return name, args, kwargs, self.limit if given is None else _seconds(given)

    def _cancel(self, params: list[Any]) -> None:
        msgid = params[0] if params else None
        call = self.running.get(msgid) if isinstance(msgid, int) else None
        if call is not None and call.msgid == msgid:
            self.abandon(call, CancelledError("it was cancelled by its caller"))

    # ---- calls under way ---------------------------------------------------------------------------------------------

    def open(self, method: Method, msgid: int | None, begun: float, limit: float | None) -> Call:
        """A call that will be answered by `finish`, or by being late or cancelled."""
        call = Call(self, method, msgid, begun, limit)
        key: Any = call if msgid is None or msgid in self.running else msgid
        self.running[key] = call
        if limit is not None:
            call.timer = self.link.later(max(0.0, begun + limit - time.monotonic()), lambda: self.late(call))
        return call

    def late(self, call: Call) -> None:
        """Its time is over."""
        if not call.over:
            self.abandon(call, _late(call.method, call.limit or 0.0))

    def abandon(self, call: Call, error: BaseException) -> None:
        """Answer it with an error, and stop it if that is possible."""
        if self.finish(call, None, error, ran=False):
            call.stop()

    def finish(self, call: Call, value: Any, error: BaseException | None, *, ran: bool = True) -> bool:
        """Answer it; False if that was done already.

        Args:
            call: it.
            value: what the method returned, if there is no error.
            error: what it raised, or why there is no value.
            ran: the error may be the method's own.
        """
        if not call.close():
            return False
        key: Any = call.msgid if self.running.get(call.msgid) is call else call
        self.running.pop(key, None)
        if call.timer is not None:
            call.timer.cancel()
        method = call.method
        method.ended(time.monotonic() - call.begun, error is None)
        if error is not None:
            data = self.failure(call.msgid, error, method.name, ran=ran)
        else:
            data = self.answer(call.msgid, value, method.name)
        if data is not None:
            self.link.post(data)
        self.link.eased()
        return True

    # ---- answers -----------------------------------------------------------------------------------------------------

    def answer(self, msgid: int | None, value: Any, name: str) -> Data | None:
        """The bytes of an answer; of an error that says why, where the value cannot be sent."""
        if msgid is None:
            return None
        try:
            data = pack_response(msgid, None, value, self._limit)
            return data if self._pieces or not isinstance(data, tuple) else b"".join(data)
        except Exception as error:  # noqa: BLE001 - a value's own conversion may raise anything
            told = (
                type(error)(f"{name} has run, but its result cannot be sent: {error}")
                if type(error) in _PLAIN
                else error
            )
            return self.failure(msgid, told, name)

    def failure(self, msgid: int | None, error: BaseException, name: str, *, ran: bool = False) -> Data | None:
        """The bytes of an answer that is an error; one that nobody waits for is logged."""
        if not ran and isinstance(error, QUIET):
            _log.debug("%s called %.200r: %s", self.link.label, name, error)
        elif msgid is None:
            _log.error("the notification %.200r of %s failed", name, self.link.label, exc_info=error)
        else:
            _log.info("%.200r of %s raised %s", name, self.link.label, type(error).__name__, exc_info=error)
        if msgid is None:
            return None
        limit = self._limit
        try:
            told = self._told(error, ran)
            return pack_response(msgid, told, None, limit)
        except Exception:  # noqa: BLE001 - its data, or its own str(), may raise anything
            text = f"{type(error).__name__}, which cannot be sent"
            kind = {"kind": "error", "type": dialect.type_name(error), "message": text}
            return pack_response(msgid, kind if self.ours else text, None, limit)

    def _told(self, error: BaseException, ran: bool) -> Any:
        if not self.ours:
            return dialect.plainly(error)
        told = dialect.described(error, traceback=self.engine.traceback)
        if ran and told["kind"] in UNBEGUN:
            told["kind"] = "error"  # raised in the method, by a call that it made itself: this one has run
        return told


_PLAIN = (TypeError, ValueError, OverflowError)


def _late(method: Method, limit: float) -> CallTimeout:
    return CallTimeout(f"{method.name} ran longer than its timeout of {limit:g} s")


def _seconds(value: Any) -> float | None:
    """A limit that a peer has sent; None for none, or for what is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0 or value > 1e9:
        return None
    return float(value)
