"""One client's address: connects, connects again, repeats what may be repeated (see `repeating`)."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from elsewhere.errors import ConnectError, ConnectTimeout, ElsewhereError, MethodNotFound
from elsewhere.rpc.calling.errands import Errands
from elsewhere.rpc.calling.line.connection import Connection
from elsewhere.rpc.calling.opening import Opening
from elsewhere.rpc.calling.repeating import UNASKED, pause, postponed
from elsewhere.rpc.calling.terms import Call, Terms, late, lost
from elsewhere.rpc.dialect import METHODS, raised
from elsewhere.runtime.future import Future
from elsewhere.sansio.msgpackrpc import Message, Wire

if TYPE_CHECKING:
    from elsewhere.rpc.service import Service

__all__ = ["Link"]

PATIENCE = 5.0  # seconds for threads to end
FINISHED = "FINISHED"


class Link(Opening):
    """See the module; one for a client and all its views. It is the owner of their futures."""

    stops_running = True
    _service: Any = None
    _engine: Any = None

    def serve(self, service: Service) -> None:
        """Offer it to the far side, over each connection that is made from now on."""
        from elsewhere.rpc.serving.engine import Engine

        self._service = service
        self._engine = Engine(service)

    def offer(self, conn: Connection) -> None:
        if self._engine is not None:
            from elsewhere.rpc.calling.incoming import Incoming

            conn.offer(Incoming(conn, self._engine, self._errands, self))

    def forget_all(self) -> None:
        super().forget_all()
        self._errands = Errands("elsewhere-rpc-errands")
        self._callbacks = Errands("elsewhere-rpc-callbacks")
        self._unsent: dict[Future[Any], Call] = {}  # with the thread of errands
        if self._service is not None:
            self.serve(self._service)

    # ---- calls -------------------------------------------------------------------------------------------------------

    def call(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any], terms: Terms) -> Any:
        """The method's result; see `Client.call`."""
        began = started = time.monotonic()
        failures = 0
        while True:
            try:
                conn = self.conn
                if conn is None or conn.ended or kwargs or (terms.limit != self.limit and not conn.plain):
                    answer = self._carefully(method, args, kwargs, terms, began)
                else:
                    answer = conn.call(method, method, args, began, terms)
                if answer[2] is None:
                    return answer[3]
                raise raised(answer[2], method, self.address)
            except ElsewhereError as error:
                failures += 1
                pause = self._repeats(error, method, terms, failures)
                if pause is None or (terms.retry is None and time.monotonic() + pause >= started + terms.limit):
                    raise
            if pause:
                time.sleep(pause)
            if terms.retry is not None:
                began = time.monotonic()

    def _carefully(self, method: str, args: Any, kwargs: dict[str, Any], terms: Terms, began: float) -> Message:
        """The answer to a call that may need a connection first, or to know what the far side is."""
        conn = self._opened(method, terms, began)
        phrased = conn.phrase(method, args, kwargs, terms.limit)
        if phrased is None:
            conn.greet(method, began, terms)
            phrased = conn.phrase(method, args, kwargs, terms.limit)
            assert phrased is not None
        return conn.call(method, *phrased, began, terms)

    def _opened(self, method: str, terms: Terms, began: float) -> Connection:
        try:
            return self.open(began + terms.limit)
        except ConnectTimeout as error:
            elapsed = time.monotonic() - began
            if elapsed < terms.limit:
                raise
            found = late(method, self.address, terms, elapsed, f"was not sent yet: {error}")
            raise found from error

    def _repeats(self, error: ElsewhereError, method: str, terms: Terms, failures: int) -> float | None:
        """Seconds until the call is repeated; None if it is not."""
        if self.closed:
            return None
        conn = self.conn
        return pause(error, terms, failures, lambda: conn is not None and method in conn.idempotent)

    def notify(self, method: str, args: tuple[Any, ...], terms: Terms) -> None:
        """See `Client.notify`."""
        began = time.monotonic()
        if self.conn is not None and self.conn.entered():
            self._errands.soon(lambda: self.notify(method, args, terms))
            return
        for attempt in range(UNASKED + 1):
            conn = self._opened(method, terms, began)
            try:
                if conn.notify(method, args, began + terms.limit):
                    return
            except ConnectError:
                if attempt == UNASKED:
                    raise
            else:
                raise late(method, self.address, terms, time.monotonic() - began, "was still being sent")

    def listed(self, terms: Terms) -> list[dict[str, Any]]:
        """See `Client.methods`."""
        self.greet(terms)
        if self.plain:
            raise MethodNotFound(f"{self.address} does not tell its methods: it speaks plain MessagePack-RPC")
        found: list[dict[str, Any]] = self.call(METHODS, (), {}, terms)
        return found

    # ---- futures -----------------------------------------------------------------------------------------------------

    def submit(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any], terms: Terms) -> Future[Any]:
        """See `Client.submit`."""
        call = Call(method, args, kwargs, terms, time.monotonic())
        future: Future[Any] = Future(self, 0, call)
        conn = self.conn
        if conn is None or conn.ended:
            self.check_packing(method, args, kwargs, terms)
        elif not kwargs and (terms.limit == self.limit or conn.plain) and not conn.mutex._is_owned():  # as `entered`
            try:
                conn.submit(future, call, method, args)
            except ConnectError:
                pass  # it has just ended: see below
            else:
                return future
        self.launch(future, call, tell=False)
        return future

    def launch(self, future: Future[Any], call: Call, *, tell: bool = True, presses: bool = True) -> None:
        """Send it, on this thread if there is a connection.

        Args:
            tell: errors are the future's; else they are raised.
            presses: wait for room if too much is unsent already.
        """
        try:
            if self.closed:
                self.is_closed()
            conn = self.conn
            while conn is not None and not conn.ended and not conn.entered():
                phrased = conn.phrase(call.method, call.args, call.kwargs, call.terms.limit)
                if phrased is None:
                    conn.hold(future, call)
                    return
                try:
                    conn.submit(future, call, *phrased, presses=presses)
                except ConnectError:
                    conn = self.conn
                    continue
                if "_condition" in future.__dict__:  # somebody waits already
                    conn.attend()
                return
            self._later(0.0, future, call)
        except Exception as error:
            if not tell and not isinstance(error, ConnectError):
                raise
            future._tell(FINISHED, None, error)

    def collected(self, method: str, args: Any, kwargs: dict[str, Any], terms: Terms, began: float) -> Call:
        """A call that `launch` will send."""
        return Call(method, args, kwargs, terms, began)

    def owner(self) -> Link:
        """Of the futures."""
        return self

    @contextlib.contextmanager
    def gathering(self) -> Iterator[None]:
        """What is sent inside goes together, as far as there is room for it."""
        conn = self.conn
        if conn is not None:
            conn.gather(1)
        try:
            yield
        finally:
            if conn is not None:
                conn.gather(-1)

    def _later(self, when: float, future: Future[Any], call: Call) -> None:
        self._unsent[future] = call
        self._errands.at(when, lambda: self._launch_connected(future, call))
        if self.closed:
            self._close_unsent()

    def _launch_connected(self, future: Future[Any], call: Call) -> None:
        """On the thread of errands: connect, and send it."""
        self._unsent.pop(future, None)
        if future.done():
            return
        try:
            self._opened(call.method, call.terms, call.began)
        except Exception as error:  # noqa: BLE001 - its outcome, whatever it is
            self.failed(future, call, error)
            return
        self.launch(future, call)

    def check_packing(self, method: str, args: Any, kwargs: dict[str, Any], terms: Terms) -> None:
        """What cannot be packed is said where it was passed, though it is not sent from there."""
        Wire(limit=2**31 - 1, old_raw=self._old_raw).notify(method, [args, kwargs])

    def failed(self, future: Future[Any], call: Call, error: Exception) -> None:
        """A call has failed: repeat it, or tell its future."""
        call.failures += 1
        pause = None
        if isinstance(error, ElsewhereError):
            pause = self._repeats(error, call.method, call.terms, call.failures)
        now = time.monotonic()
        if pause is None or not postponed(call, pause, now):
            future.attempt = call.failures
            future._tell(FINISHED, None, error)
            return
        call.channel = None
        self._later(now + pause, future, call)

    # ---- what futures ask of their owner: see `runtime.future.Owner` -------------------------------------------------

    def forget(self, job: Any, index: int) -> None:
        conn = job.channel if job is not None else None
        if conn is not None:
            conn.forget(index)

    def is_running(self, job: Any, index: int) -> bool:
        return False  # nobody tells

    def later(self, work: Callable[[], None]) -> None:
        if self._callbacks.soon(work) is None:  # it was closed
            work()

    def attend(self) -> None:
        conn = self.conn
        if conn is not None:
            conn.attend()

    def wait_for(self, future: Any, timeout: float | None) -> bool:
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        while not future.done():
            call = future._job
            if call is None:
                time.sleep(0)  # it is being told this very moment
                continue
            if time.monotonic() >= deadline:
                return False
            conn = call.channel
            if conn is None or conn.ended:
                self._wait_unsent(future, min(deadline, call.deadline + PATIENCE))
            else:
                conn.wait_for(future, call, deadline)
        return True

    def _wait_unsent(self, future: Any, deadline: float) -> None:
        """It is with the thread of errands, which has the time limit in mind."""
        with future._condition:
            seconds = min(deadline - time.monotonic(), 0.05)
            future._condition.wait_for(future.done, max(0.0, seconds))

    # ---- the end -----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """See `Client.close`."""
        self.closed = True
        conn = self.conn
        self._errands.close(PATIENCE)
        if conn is not None:
            helper = conn.helper
            conn.end("the client was closed")
            if helper is not None:
                helper.join(PATIENCE)
        self._close_unsent()
        if self._engine is not None:
            self._engine.end()
        self._callbacks.close(PATIENCE, finish=True)

    def _close_unsent(self) -> None:
        unsent, self._unsent = self._unsent, {}
        for future, call in unsent.items():
            error = lost(call.method, self.address, "the client was closed", never=True)
            future._tell(FINISHED, None, error)
