"""One client's address over HTTP: owns the futures and the batches."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakSet

from elsewhere.errors import ConnectError, ElsewhereError, MessageTooLarge
from elsewhere.rpc import codes
from elsewhere.rpc.calling.errands import Errands
from elsewhere.rpc.calling.http.bodies import Asked, Outcome
from elsewhere.rpc.calling.http.calls import Calls
from elsewhere.rpc.calling.http.senders import Posted, Senders, Sending
from elsewhere.rpc.calling.repeating import UNASKED, postponed
from elsewhere.rpc.calling.terms import Terms, late, lost
from elsewhere.runtime.driving.signals import Deferred
from elsewhere.runtime.future import Future

__all__ = ["HttpLink"]

PATIENCE = 5.0  # seconds for threads to end
BATCH = 1000  # calls that are posted at once: as many as services of ours take
FINISHED = "FINISHED"
Item = tuple["Future[Any] | None", Posted]


class HttpLink(Calls):
    """See the module; one for a client and all its views."""

    stops_running = True

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._forget_all()
        _all.add(self)

    def _forget_all(self) -> None:
        """As if it was new, with locks that nobody has: in a forked child."""
        self._senders = Senders(self._send)
        self._errands = Errands("elsewhere-rpc-errands")
        self._callbacks = Errands("elsewhere-rpc-callbacks")
        self._gathered = threading.local()
        self._futures: set[Future[Any]] = set()  # that are not done
        self._sweep_at = float("inf")

    def notify(self, method: str, args: Any, terms: Terms) -> None:
        """See `Client.notify`."""
        began = time.monotonic()
        items = getattr(self._gathered, "items", None)
        if items is not None:
            items.append((None, Posted(method, args, {}, terms, began, notifies=True)))
            return
        data, key = self.body.one(Asked(method, args, {}, notifies=self.body.notifies))
        for attempt in range(UNASKED + 1):
            try:
                self._outcome(method, self.post(method, data, terms, began), key)
            except ConnectError as error:
                if error.phase != "call" or attempt == UNASKED:
                    raise
            else:
                return

    # ---- futures -----------------------------------------------------------------------------------------------------

    def submit(self, method: str, args: Any, kwargs: dict[str, Any], terms: Terms) -> Future[Any]:
        """See `Client.submit`."""
        call = Posted(method, args, kwargs, terms, time.monotonic())
        future: Future[Any] = Future(self, 0, call)
        self.launch(future, call, tell=False)
        return future

    def launch(self, future: Future[Any], call: Posted, *, tell: bool = True) -> None:
        """Send it.

        Args:
            tell: errors are the future's; else they are raised.
        """
        items = getattr(self._gathered, "items", None)
        if items is not None:
            items.append((future, call))
            return
        try:
            data, key = self.body.one(self.phrased(call.method, call.args, call.kwargs, call.terms))
        except Exception as error:
            if not tell:
                raise
            future._tell(FINISHED, None, error)
            return
        self._put(Sending([(future, call)], data, key, batch=False))
        self._senders.wait_for_room(call.deadline)

    def _put(self, sending: Sending) -> None:
        self._futures.update(future for future, _ in sending.calls if future is not None)
        with Deferred():
            soon = self._senders.put(sending)
        if not soon:
            if self.closed:
                self._fail_unsent([sending])
            else:
                self._expect(sending.deadline())

    def _tell(self, future: Future[Any] | None, value: Any, error: BaseException | None) -> None:
        if future is not None:
            future._tell(FINISHED, value, error)
            self._futures.discard(future)

    # Calls that wait for a thread may be too late before they have one.

    def _expect(self, deadline: float) -> None:
        if deadline < self._sweep_at:
            self._sweep_at = deadline
            self._errands.at(deadline, self._sweep)

    def _sweep(self) -> None:
        now = time.monotonic()
        self._sweep_at = float("inf")
        for sending in self._senders.waiting():
            for future, call in sending.calls:
                if call.deadline <= now:
                    where = "was not sent yet: so many calls are under way"
                    self._tell(future, None, late(call.method, self.address, call.terms, now - call.began, where))
                elif future is None or not future.done():
                    self._expect(call.deadline)

    # ---- on the threads of the senders -------------------------------------------------------------------------------

    def _send(self, sending: Sending) -> None:
        """Post it; the outcome is told to the futures."""
        if not sending.wanted():
            self._futures.difference_update(future for future, _ in sending.calls)
            return
        if sending.batch:
            self._send_batch(sending)
        else:
            self._send_one(sending)

    def _send_one(self, sending: Sending) -> None:
        ((future, call),) = sending.calls
        try:
            reply = self.post(call.method, sending.data, call.terms, call.began, call)
            outcome = self._outcome(call.method, reply, sending.key)
            if outcome.error is not None:
                raise self._raised(outcome.error, call.method)
        except Exception as error:  # noqa: BLE001 - its outcome, whatever it is
            self._failed(future, call, error, sending)
        else:
            self._ended(future, call, outcome.value)

    def _ended(self, future: Future[Any] | None, call: Posted, value: Any) -> None:
        if future is not None and call.failures:
            future.attempt = call.failures + 1
        self._tell(future, value, None)

    def _failed(self, future: Future[Any] | None, call: Posted, error: Exception, again: Sending | None = None) -> None:
        """A call has failed: repeat it, or tell its future."""
        if future is None or future.done():
            self._tell(future, None, error)
            return
        call.failures += 1
        wait = None
        if isinstance(error, ElsewhereError):
            wait = self._repeats(error, call.method, call.terms, call.failures)
        now = time.monotonic()
        if wait is None or not postponed(call, wait, now):
            future.attempt = call.failures
            self._tell(future, None, error)
            return
        sending = again or self._alone(future, call)
        if sending is None:
            return
        if not wait:
            self._put(sending)
        elif self._errands.at(now + wait, lambda: self._put(sending)) is None:  # it was closed
            self._fail_unsent([sending])

    # ---- batches -----------------------------------------------------------------------------------------------------

    def collected(self, method: str, args: Any, kwargs: dict[str, Any], terms: Terms, began: float) -> Posted:
        """A call that `launch` will send."""
        return Posted(method, args, kwargs, terms, began)

    def owner(self) -> HttpLink:
        """Of the futures."""
        return self

    @contextlib.contextmanager
    def gathering(self) -> Iterator[None]:
        """What is sent inside by this thread goes together."""
        items: list[Item] = []
        self._gathered.items = items
        try:
            yield
        finally:
            self._gathered.items = None
        for start in range(0, len(items), BATCH):
            self._send_together(items[start : start + BATCH])

    def _send_together(self, items: list[Item]) -> None:
        if len(items) == 1 and items[0][0] is not None:
            self.launch(items[0][0], items[0][1])
            return
        asked = [
            self.phrased(call.method, call.args, call.kwargs, call.terms, notifies=call.notifies and self.body.notifies)
            for _, call in items
        ]
        try:
            data, key = self.body.many(asked)
        except MessageTooLarge as error:
            if len(items) > 1:
                middle = len(items) // 2
                self._send_together(items[:middle])
                self._send_together(items[middle:])
                return
            self._tell(items[0][0], None, error)
            return
        except Exception as error:  # noqa: BLE001 - something was changed after it had been collected
            for future, _ in items:
                self._tell(future, None, error)
            return
        sending = Sending(items, data, key, batch=True)
        if all(future is None for future, _ in items):  # nobody will wait for it, so it goes now
            self._send_batch(sending, raises=True)
        else:
            self._put(sending)

    def _send_batch(self, sending: Sending, *, raises: bool = False) -> None:
        call = sending.calls[0][1]
        what = f"a batch of {len(sending.calls)} calls"
        try:
            reply = self.post(what, sending.data, call.terms, call.began)
            found = self._read(what, reply, lambda body: self.body.outcomes(body, sending.key))
        except Exception as error:
            if raises:
                raise
            for future, each in sending.calls:
                self._failed(future, each, error)
            return
        if isinstance(found, Outcome):
            found = self._refused_as_batch(found, sending)
        for (future, each), outcome in zip(sending.calls, found, strict=False):
            if outcome.error is None:
                self._ended(future, each, outcome.value)
            else:
                self._failed(future, each, self._raised(outcome.error, each.method))

    def _refused_as_batch(self, outcome: Outcome, sending: Sending) -> list[Outcome]:
        """The far side takes no batches; if it does not know them, each call goes alone."""
        assert outcome.error is not None
        if self.body.notifies or outcome.error.get("code") != codes.CODES["method"]:
            return [outcome] * len(sending.calls)
        for future, call in sending.calls:
            alone = self._alone(future, call)
            if alone is not None:
                self._send(alone)
        return []

    def _alone(self, future: Future[Any] | None, call: Posted) -> Sending | None:
        """A call of a batch by itself; None if it was changed since, so that it cannot be sent."""
        try:
            data, key = self.body.one(self.phrased(call.method, call.args, call.kwargs, call.terms))
        except Exception as error:  # noqa: BLE001 - an argument's own conversion may raise anything
            self._tell(future, None, error)
            return None
        return Sending([(future, call)], data, key, batch=False)

    # ---- what futures ask of their owner: see `runtime.future.Owner` -------------------------------------------------

    def forget(self, job: Any, index: int) -> None:
        if job is None:
            return
        job.dropped = True
        line = job.channel
        if line is not None:
            line.abandon(job)  # a service of ours stops the method then

    def is_running(self, job: Any, index: int) -> bool:
        return False  # nobody tells

    def later(self, work: Callable[[], None]) -> None:
        if self._callbacks.soon(work) is None:  # it was closed
            work()

    def attend(self) -> None:
        """The senders' threads do that."""

    def wait_for(self, future: Any, timeout: float | None) -> bool:
        with future._condition:
            return bool(future._condition.wait_for(future.done, timeout))

    def check_packing(self, method: str, args: Any, kwargs: dict[str, Any], terms: Terms) -> None:
        """What cannot be sent is said where it was passed, though it is not sent from there."""
        self.body.one(self.phrased(method, args, kwargs, terms))

    # ---- the end -----------------------------------------------------------------------------------------------------

    def state(self) -> str:
        """In words, for a repr."""
        if self.closed:
            return "closed"
        path = "" if self.target.carrier == "unix" else f" at {self.target.speaks[1]}"
        count = self.lines.busy
        calls = {0: "", 1: ", 1 call under way"}.get(count, f", {count} calls under way")
        return f"{self.body.name}{path}{'' if self.lines.open else ', not connected'}{calls}"

    def close(self) -> None:
        """See `Client.close`."""
        self.closed = True
        self._errands.close(PATIENCE)
        unsent = self._senders.close()
        self.lines.close()
        self._senders.join(PATIENCE)
        self._fail_unsent(unsent)
        for future in list(self._futures):  # that waited to be repeated
            call = future._job
            if call is not None:
                self._tell(future, None, self._unsent(call))
        self._callbacks.close(PATIENCE, finish=True)

    def _fail_unsent(self, unsent: list[Sending]) -> None:
        for sending in unsent:
            for future, call in sending.calls:
                self._tell(future, None, self._unsent(call))

    def _unsent(self, call: Posted) -> Exception:
        """What becomes of a call that the end of the client has overtaken."""
        return lost(call.method, self.address, "the client was closed", never=not call.failures)

    def forked(self) -> None:
        """In a forked child: the connections are the parent's, and so are the answers."""
        futures = list(self._futures)
        self.lines.forked()
        self._forget_all()
        for future in futures:
            future.__dict__.pop("_condition", None)  # a thread of the parent may have held its lock
            call = future._job
            if call is not None:
                reason = "this process was forked off the one that made the call, which gets its answer"
                future._tell(FINISHED, None, lost(call.method, self.address, reason, never=False))

    def __del__(self) -> None:
        lines = getattr(self, "lines", None)
        if lines is not None:
            lines.close()


_all: WeakSet[HttpLink] = WeakSet()


def _forked() -> None:
    for link in list(_all):
        link.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
