"""One connection: calls and their answers, futures, the greeting."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from elsewhere.errors import MethodNotFound, Unauthorized
from elsewhere.rpc.calling.line.calls import Calls
from elsewhere.rpc.calling.line.channel import BURST
from elsewhere.rpc.calling.line.helper import Helper
from elsewhere.rpc.calling.line.stream import Stream
from elsewhere.rpc.calling.terms import Call, Lone, Slot, Terms, late, lost
from elsewhere.rpc.dialect import CALL, HELLO, described, plainly, raised
from elsewhere.runtime.driving.signals import Deferred
from elsewhere.runtime.future import Future
from elsewhere.sansio.msgpackrpc import REQUEST, RESPONSE, Message, Wire

if TYPE_CHECKING:
    from elsewhere.rpc.calling.incoming import Incoming

__all__ = ["Connection"]

# Seconds that a burst of submits is gathered: few, so that the far side begins early, but each sending costs as much as
# five calls.
SOON = 0.0002
MOST_UNSENT = 64 << 20  # bytes
MOST_CALLS = 8192  # that are not sent
FINISHED = "FINISHED"


class Connection(Calls):
    """See the module.

    Args:
        limit: seconds that the hello announces for each call.
        greeting: the hello's argument; None for a peer that is known to be plain.

    Attributes:
        idempotent: its methods that may be repeated.
        refused: what it said to our token.
        next: when the earliest future's limit may be over.
        attended: somebody waits who cannot read.
        incoming: the service that the far side may call at any time, so that there is always somebody who reads.
    """

    def __init__(self, stream: Stream, wire: Wire, address: str, limit: float, greeting: dict[str, Any] | None) -> None:
        super().__init__(stream, wire, address)
        self.limit = limit
        self.plain = True if greeting is None else None
        self.idempotent: frozenset[str] = frozenset()
        self.refused: Unauthorized | None = None
        self.next = float("inf")
        self.attended = False
        self.incoming: Incoming | None = None
        self._held: list[Future[Any]] = []  # they need to know what the far side is
        if greeting is not None:
            self.append(self.wire.request(HELLO, [greeting], HELLO)[1])

    # ---- futures -----------------------------------------------------------------------------------------------------

    def submit(self, future: Future[Any], call: Call, name: str, params: Any, *, presses: bool = True) -> None:
        """Send a call, soon; its answer is the future's outcome.

        Args:
            name, params: what is sent for it.
            presses: wait for room if too much is unsent already.

        Raises:
            ConnectError: the connection has ended.
            TypeError, ValueError, OverflowError: the params cannot be packed.
        """
        # All of this is some 2 µs, of which a call of each method here would be a tenth.
        with self.mutex:
            if self.ended:
                self.check(call.method)
            helper = self.helper or self.assist()
            idle = not (self.wire.pending and self.written)  # the greeting alone is nothing to wait for
            future._index, data = self.wire.request(name, params, future)
            call.channel = self
            call.end = self.queued = queued = self.queued + len(data)
            if not self.broken:
                self.out.append(data)
            if call.deadline < self.next:
                self._expect(call.deadline)
            began = call.began
            if idle or began - self.flushed >= SOON or queued - self.written >= BURST:
                self.send_now(began)
            if helper.dozing:
                helper.wake()
        if presses and (queued - self.written > MOST_UNSENT or len(self.out) > MOST_CALLS):
            self.press(call.end, call.deadline)

    def _expect(self, deadline: float) -> None:
        """With the mutex: a future's limit is over then."""
        self.next = min(deadline, self.next)
        if self.helper is not None and self.helper.reads:  # it would sleep beyond that
            self.helper.wake()

    def wait_for(self, future: Future[Any], call: Call, deadline: float) -> None:
        """Wait until the future is done, or has another connection, or the deadline or its own limit is over."""
        slot = Slot()

        def done() -> bool:
            return future.done() or call.channel is not self or bool(self.ended)

        with Deferred() as calm:
            with self.mutex:
                self.flush()
                self.join(slot)
            if not slot.reads:
                future._subscribe(slot.rouse)
            self.wait(slot, done, min(deadline, call.deadline), calm, call.end)
            if not future.done() and call.channel is self and time.monotonic() >= call.deadline:
                self._expired(future, call)

    def _expired(self, future: Future[Any], call: Call) -> None:
        with self.mutex:  # the thread that waits and the helper may both come here, and one may repeat it
            if self.wire.pending.pop(future._index, None) is None:
                if future not in self._held:
                    return
                self._held.remove(future)
        error = self.too_late(call.method, future._index, call.end, call.began, call.terms)
        future._owner.failed(future, call, error)  # type: ignore[union-attr]  # it has one: the link

    def expire(self, now: float) -> None:
        """End the futures whose limit is over."""
        following = float("inf")
        for slot in [*self.wire.pending.values(), *self._held]:
            call = slot._job if isinstance(slot, Future) else None
            if call is None:
                continue
            if call.deadline <= now:
                self._expired(slot, call)
            else:
                following = min(following, call.deadline)
        self.next = following

    def attend(self) -> None:
        """Somebody waits who cannot read: the helper does it at once."""
        if self.entered():
            return
        with self.mutex:
            if self.out:
                self.send_now(self.flushed)
            self.attended = True
            if not self.ended:
                self.assist()
                if self.helper is not None and not self.helper.reads:
                    self.helper.wake()

    def busy(self) -> bool:
        """Is anything under way, or to be waited for?"""
        return bool(self.wire.pending or self._held or self.incoming)

    def offer(self, incoming: Incoming) -> None:
        """Let the far side call these methods from now on."""
        with self.mutex:
            self.incoming = incoming
            self.attended = True
            self.assist()

    def assist(self) -> Helper:
        """With the mutex: let there be a helper."""
        if self.helper is None:
            with Deferred():
                self.helper = Helper(self)
        return self.helper

    def left(self) -> None:
        helper = self.helper
        if helper is not None:
            if self.ended or ((self.attended or helper.dozing) and (self.out or self.busy())):
                helper.wake()
        elif self.out and not self.ended:  # whose call was given up with its bytes half sent
            self.assist()

    # ---- what comes --------------------------------------------------------------------------------------------------

    def dispatch(self, messages: list[Message]) -> None:
        take = self.wire.pending.pop
        for message in messages:
            if message[0] != RESPONSE:
                self._called(message)
                continue
            slot = take(message[1], None)
            if slot is None:  # too late, or an answer to nothing
                continue
            if type(slot) is Future:
                call = slot._job
                if message[2] is None:
                    if call is not None and call.failures:
                        slot.attempt = call.failures + 1
                    slot._tell(FINISHED, message[3], None)
                else:
                    self._failed(slot, message[2])
            elif type(slot) is Slot or type(slot) is Lone:
                slot.answer = message
                self.served(slot)
            elif type(slot) is tuple and self.incoming is not None:
                self.incoming.answered(slot, message)
            elif slot is HELLO:
                self._greeted(message)

    def _failed(self, future: Future[Any], told: Any) -> None:
        call = future._job
        if call is not None:
            error = raised(told, call.method, self.address)
            future._owner.failed(future, call, error)  # type: ignore[union-attr]  # it has one: the link

    def _called(self, message: Message) -> None:
        """The far side calls us."""
        if self.incoming is not None:
            self.incoming.called(message)
        elif message[0] == REQUEST:
            _, msgid, method, params = message
            if method == CALL and params:
                method = params[0]
            error = MethodNotFound(f"{method!r} method not found")
            with self.mutex:
                told = plainly(error) if self.plain is not False else described(error)
                self.append(self.wire.response(msgid, told, None))
                self.send_now(self.flushed)
                if self.out:
                    self.left()

    def _greeted(self, message: Message) -> None:
        """The answer to our hello."""
        error, told = message[2], message[3]
        if error is None and isinstance(told, dict):
            self.features = frozenset(_names(told.get("features")))
            self.idempotent = frozenset(_names(told.get("idempotent")))
            self.plain = False
        elif isinstance(error, dict) and error.get("kind") == "token":
            found = raised(error, HELLO, self.address)
            self.refused = found if isinstance(found, Unauthorized) else None
            self.plain = False
        else:
            self.plain = True
        if self.incoming is not None:
            self.incoming.greeted()
        held, self._held = self._held, []
        for future in held:
            call = future._job
            if call is not None:
                # This thread reads: it must not wait for room, which only answers make.
                future._owner.launch(future, call, presses=False)  # type: ignore[union-attr]  # the link

    def hold(self, future: Future[Any], call: Call) -> None:
        """Send it when it is known what the far side is."""
        with self.mutex:
            known = self.plain is not None or bool(self.ended)
            if not known:
                call.channel = self
                self._held.append(future)
                self._expect(call.deadline)
        if known:
            future._owner.launch(future, call)  # type: ignore[union-attr]  # it has one: the link
        else:
            self.attend()

    def greet(self, name: str, began: float, terms: Terms) -> None:
        """Wait until it is known what the far side is.

        Raises:
            CallTimeout, ConnectError: it did not answer.
        """
        slot = Slot(name)
        with Deferred() as calm:
            with self.mutex:
                self.flush()
                self.join(slot)
            self.wait(slot, lambda: self.plain is not None or bool(self.ended), began + terms.limit, calm)
        if self.plain is None:
            with self.mutex:
                self.check(name)
            raise late(name, self.address, terms, time.monotonic() - began, "had not been sent: no greeting came")

    def phrase(self, method: str, args: Any, kwargs: dict[str, Any], limit: float) -> tuple[str, Any] | None:
        """What is sent for a call, with which params; None while that depends on what the far side is.

        Raises:
            TypeError: it has keywords, and the far side is a plain peer.
        """
        if not kwargs and (limit == self.limit or self.plain):
            return method, args
        if self.plain is None:
            return None
        if "call" not in self.features:
            if not kwargs:
                return method, args
            raise TypeError(
                f"{method} at {self.address} cannot be called with keywords ({', '.join(kwargs)}): the far side speaks "
                "plain MessagePack-RPC, which has positional arguments only"
            )
        return CALL, [method, args, kwargs, {"timeout": 0 if limit == float("inf") else limit}]

    # ---- the end -----------------------------------------------------------------------------------------------------

    def orphaned(self, pending: list[tuple[int, Any]]) -> None:
        held, self._held = self._held, []
        if self.incoming is not None:
            self.incoming.ended()
        for slot in [*(slot for _, slot in pending), *held]:
            if isinstance(slot, Future):
                call = slot._job
                if call is not None:
                    never = call.end > self.written or slot in held
                    error = lost(call.method, self.address, self.ended, never=never, cause=self.cause)
                    slot._owner.failed(slot, call, error)  # type: ignore[union-attr]  # it has one: the link
            elif isinstance(slot, (Slot, Lone)):
                never = slot.end > self.written
                slot.error = lost(slot.method, self.address, self.ended, never=never, cause=self.cause)
                slot.rouse()
            elif isinstance(slot, tuple) and self.incoming is not None:
                self.incoming.lost(slot, self.ended)

    def forked(self) -> None:
        """In a forked child: it is the parent's, and so are the answers."""
        self.ended = "this process was forked off the one that made the call, which gets its answer"
        self.mutex = threading.RLock()
        self.stream.close()
        if self.helper is not None:
            self.helper.release()
        self.helper = None
        pending = list(self.wire.pending.values())
        self.wire.pending.clear()
        for future in (slot for slot in pending if isinstance(slot, Future)):
            future.__dict__.pop("_condition", None)  # a thread of the parent may have held its lock
            call = future._job
            if call is not None:
                future._tell(FINISHED, None, lost(call.method, self.address, self.ended, never=False))


def _names(told: Any) -> list[str]:
    return [name for name in told if isinstance(name, str)] if isinstance(told, list) else []
