"""`Future`: the standard library's, made cheap, awaitable, and with the methods of multiprocessing's AsyncResult.

Rule: a future that nobody waits for costs one small object. Its condition, its waiters and its callbacks are made when
somebody asks for them.

The standard library builds a Condition (a lock, a deque) for each future, some 1.5 µs. Here `_condition`, `_waiters`
and `_done_callbacks` appear on first use, through ``__getattr__``, which Python calls only for names that are missing.
Telling an outcome and waiting for it then meet without a lock in common: the one stores the state *before* it looks for
a condition, the other makes the condition *before* it looks at the state, so one of them sees the other.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator
from concurrent.futures import CancelledError
from concurrent.futures import Future as _Future
from typing import Any, Generic, Protocol, TypeVar

from elsewhere.runtime.driving.signals import Condition, Deferred

__all__ = ["Future", "Owner", "run_callbacks"]

T = TypeVar("T")
PENDING, RUNNING, CANCELLED, NOTIFIED, FINISHED = (
    "PENDING", "RUNNING", "CANCELLED", "CANCELLED_AND_NOTIFIED", "FINISHED",
)  # fmt: skip
DONE = (CANCELLED, NOTIFIED, FINISHED)
_log = logging.getLogger("elsewhere")


class Owner(Protocol):
    """Where a future's call is."""

    @property
    def stops_running(self) -> bool:
        """Can a call be stopped while it is being executed?"""

    def forget(self, job: Any, index: int) -> None:
        """Nobody wants this call any more: never begin it, or stop it if it runs."""

    def is_running(self, job: Any, index: int) -> bool:
        """Is the call being executed right now?"""

    def later(self, work: Callable[[], None]) -> None:
        """Run `work` soon on the thread that runs callbacks, one at a time."""

    def wait_for(self, future: Any, timeout: float | None) -> bool:
        """Wait until the future is done, making the calls go meanwhile; False when `timeout` seconds are over."""

    def attend(self) -> None:
        """Somebody waits who cannot make the calls go."""


class Future(_Future[T], Generic[T]):
    """The outcome of a call that runs elsewhere.

    All of `concurrent.futures.Future` (whose ``wait`` and ``as_completed`` work on it) and of multiprocessing's
    AsyncResult. It can be awaited in any asyncio loop; cancelling the task that awaits it cancels the call.
    Unlike the standard library's, `cancel` stops a call that runs: see `cancel`.

    Attributes:
        attempt: how many times the call was run, from 1, once it is done.
    """

    attempt = 1
    _state = PENDING
    _result: Any = None
    _exception: BaseException | None = None
    _stops_running = True
    _awaiters: list[Callable[[Any], None]] | None = None
    _owner: Owner | None
    _index: int
    _job: Any
    _packer: Any = None
    _context: Any = None

    def __init__(self, owner: Owner | None = None, index: int = 0, job: Any = None) -> None:
        self._owner = owner
        self._index = index
        self._job = job
        # Its dict is made here, while nobody else knows it: two threads that do it at once crash Python 3.11, when the
        # collector runs in between.
        self.__dict__  # noqa: B018 - looking at it makes it

    def __getattr__(self, name: str) -> Any:
        if name == "_condition":
            if self.__dict__.get("_owner") is not None and self._state == PENDING:
                self._owner.attend()  # type: ignore[union-attr]  # asked for in the line before
            condition = self.__dict__.setdefault("_condition", Condition())
            while self._state == PENDING and "_told" in self.__dict__:
                time.sleep(0)  # it is being told this very moment, by somebody who has not seen the condition
            return condition
        if name in {"_waiters", "_done_callbacks"}:
            return self.__dict__.setdefault(name, [])
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    # ---- the standard library's ------------------------------------------------------------------------------------

    def cancel(self) -> bool:
        """Cancel the call, stopping it if it runs; True unless its outcome is known already.

        A running function gets `CallCancelled` raised inside, so that ``finally`` and ``with`` run, and its worker is
        killed if it does not come back within the pool's grace. A running call in a thread cannot be stopped: False.
        """
        owner, job = self._owner, self._job
        stops = self._stops_running and (owner is None or owner.stops_running)
        if self._state not in DONE and not stops and self.running():
            return False
        with Deferred():
            if self._tell(CANCELLED, None, None) and owner is not None:
                owner.forget(job, self._index)
        return self._state == NOTIFIED

    def running(self) -> bool:
        """Is the call being executed right now?"""
        return self._state == RUNNING or (
            self._state == PENDING and self._owner is not None and self._owner.is_running(self._job, self._index)
        )

    def done(self) -> bool:
        """Has it ended, in whatever way?"""
        return self._state in DONE

    def result(self, timeout: float | None = None) -> T:
        """Wait for the value.

        Args:
            timeout: seconds to wait; None for no limit. It stops only the waiting: the call goes on.

        Raises:
            Exception: that of the call, which is the function's own, or one that says how it was lost.
            CancelledError: the call was cancelled.
            TimeoutError: it has not ended in that time.
        """
        if self._state == FINISHED and self._exception is None:
            return self._result  # type: ignore[no-any-return]  # what the call gave
        if not self._wait(timeout):
            raise TimeoutError(_late(timeout))
        try:
            if self._state == NOTIFIED:
                raise CancelledError
            if self._exception is not None:
                raise self._exception
            value: T = self._result
            return value
        finally:
            self = None  # type: ignore[assignment]  # noqa: PLW0642 - breaks the cycle through the exception's traceback

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the call's exception; None if it returned a value.

        Args:
            timeout: seconds to wait; None for no limit.

        Raises:
            CancelledError: the call was cancelled.
            TimeoutError: it has not ended in that time; the call goes on.
        """
        if not self._wait(timeout):
            raise TimeoutError(_late(timeout))
        if self._state == NOTIFIED:
            raise CancelledError
        return self._exception

    def add_done_callback(self, fn: Callable[[Any], object]) -> None:
        """Call ``fn(future)`` when it is done, or at once if it is.

        Callbacks run on a thread of their own, one at a time: one that waits for another call delays only callbacks.
        """
        with self._condition:
            if self._state not in DONE:
                self._done_callbacks.append(fn)
                return
        try:
            fn(self)
        except Exception:  # noqa: BLE001 - a callback may raise anything
            _log.exception("a callback of %r raised", self)

    def set_result(self, result: T) -> None:
        """Give it its value, for code that makes its own futures; InvalidStateError if it has ended."""
        if not self._tell(FINISHED, result, None):
            super().set_result(result)  # raises InvalidStateError

    def set_exception(self, exception: BaseException | None) -> None:
        """Give it its exception, for code that makes its own futures; InvalidStateError if it has ended."""
        if not self._tell(FINISHED, None, exception):
            super().set_exception(exception)

    # ---- multiprocessing's -----------------------------------------------------------------------------------------

    def get(self, timeout: float | None = None) -> T:
        """`result`, whose timeout raises an error that is also `multiprocessing.TimeoutError`."""
        if not self._wait(timeout):
            from elsewhere.runtime.compat import GetTimeout

            raise GetTimeout(_late(timeout))
        return self.result()

    def wait(self, timeout: float | None = None) -> None:
        """Wait until it is done, or for `timeout` seconds."""
        self._wait(timeout)

    def ready(self) -> bool:
        """Has it ended, in whatever way?"""
        return self._state in DONE

    def successful(self) -> bool:
        """Did it end with a value? ValueError if it has not ended."""
        if self._state not in DONE:
            raise ValueError(f"{self!r} not ready")
        return self._state == FINISHED and self._exception is None

    # ---- asyncio's ---------------------------------------------------------------------------------------------------

    def __await__(self) -> Generator[Any, None, T]:
        import asyncio

        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            if not waiter.done():
                waiter.set_result(None)

        def tell(_: Any) -> None:
            try:
                loop.call_soon_threadsafe(wake)
            except RuntimeError:  # the loop is closed: nobody waits any more
                return

        with self._condition:
            done = self._state in DONE
            if not done:
                self.__dict__.setdefault("_awaiters", []).append(tell)
        if not done:
            try:
                yield from waiter
            except asyncio.CancelledError:
                self.cancel()
                raise
        try:
            return self.result()
        except CancelledError as error:
            raise asyncio.CancelledError(*error.args) from error

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _wait(self, timeout: float | None) -> bool:
        if self._state in DONE:
            return True
        if timeout is not None:
            _check_timeout(timeout)
        if self._owner is not None:
            return self._owner.wait_for(self, timeout)
        with self._condition:
            return bool(self._condition.wait_for(lambda: self._state in DONE, timeout))

    def _subscribe(self, wake: Callable[[], None]) -> None:
        """Call `wake` when it is done, from any thread; at once if it is."""
        condition = self.__dict__.setdefault("_condition", Condition())
        with condition:
            if self._state not in DONE:
                self.__dict__.setdefault("_awaiters", []).append(lambda _: wake())
                return
        wake()

    def _tell(self, state: str, result: Any, exception: BaseException | None) -> bool:
        """Set the outcome, once; False if there is one."""
        attributes = self.__dict__  # in which an item is set in half the time that an attribute takes
        told: list[None] = []
        if attributes.setdefault("_told", told) is not told:
            return False
        attributes["_result"] = result
        if exception is not None:
            attributes["_exception"] = exception
        attributes["_job"] = None
        if "_context" in attributes:
            attributes["_context"] = attributes["_packer"] = None
        final = NOTIFIED if state == CANCELLED else state
        if "_condition" not in attributes:
            attributes["_state"] = final
            if "_condition" not in attributes:
                return True
        with self._condition:
            self._state = final  # with the lock, so that `concurrent.futures.wait` counts it once
            self._condition.notify_all()
            for waiter in attributes.get("_waiters", ()):
                if state == CANCELLED:
                    waiter.add_cancelled(self)
                elif exception is not None:
                    waiter.add_exception(self)
                else:
                    waiter.add_result(self)
            awaiters = attributes.pop("_awaiters", ())
            callbacks = attributes.pop("_done_callbacks", None)
        for tell in awaiters:
            tell(self)
        if callbacks:
            owner = self._owner
            if owner is None:
                run_callbacks(self, callbacks)
            else:
                owner.later(lambda: run_callbacks(self, callbacks))
        return True


def run_callbacks(future: Future[Any], callbacks: list[Callable[[Any], object]]) -> None:
    """Call each; one that raises is logged and stops nothing."""
    for callback in callbacks:
        try:
            callback(future)
        except Exception:  # noqa: BLE001 - a callback may raise anything
            _log.exception("a callback of %r raised", future)


def _late(timeout: float | None) -> str:
    return f"no result within {timeout} s; the call goes on"


def _check_timeout(timeout: Any) -> None:
    """Also numbers of NumPy will do, and one below 0 is as good as 0."""
    if not hasattr(timeout, "__float__"):
        raise TypeError(f"timeout is a number of seconds, not {timeout!r}")
    if timeout != timeout:  # noqa: PLR0124 - what only NaN is
        raise ValueError("timeout is a number of seconds, not nan")
