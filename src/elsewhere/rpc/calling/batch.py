"""Calls that are collected and sent at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from types import TracebackType
from typing import Any, Self

from elsewhere.rpc.calling.names import Collected
from elsewhere.rpc.calling.terms import Calling, Terms
from elsewhere.runtime.future import Future

__all__ = ["Batch"]


_Item = tuple[Future[Any] | None, str, tuple[Any, ...], dict[str, Any]]


class _Waiting:
    """The owner of a future whose call is not sent yet."""

    stops_running = True

    def __init__(self, link: Calling) -> None:
        self._link = link

    def forget(self, job: Any, index: int) -> None:
        """It will not be sent: it is done."""

    def is_running(self, job: Any, index: int) -> bool:
        return False

    def later(self, work: Callable[[], None]) -> None:
        self._link.owner().later(work)

    def attend(self) -> None:
        """Whoever waits is told when it is sent and answered."""

    def wait_for(self, future: Any, timeout: float | None) -> bool:
        raise RuntimeError("the calls of a batch are sent at the end of its `with` block: ask for results after it")


class Batch:
    """What ``with client.batch() as b`` gives: ``b.double(7)`` and ``b.call("double", 7)`` collect calls.

    They are sent together at the end of the block; if the block raises, none is. Each gives a `Future`, whose outcome
    can be asked for after the block.
    """

    def __init__(self, link: Calling, terms: Terms) -> None:
        self._link = link
        self._terms = terms
        self._collected: list[_Item] = []
        self._futures: list[Future[Any]] = []
        self._over = False

    def call(self, method: str, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Collect a call.

        Returns:
            A `Future`, whose outcome can be asked for after the block.

        Raises:
            RuntimeError: the batch was sent.
            TypeError, ValueError, OverflowError, MessageTooLarge: as `Client.call` does.
        """
        self._check()
        self._link.check_packing(method, args, kwargs, self._terms)
        future: Future[Any] = Future(_Waiting(self._link))
        self._collected.append((future, method, args, kwargs))
        self._futures.append(future)
        return future

    submit = call

    def notify(self, method: str, /, *args: Any) -> None:
        """Collect a notification; raises as `call` does."""
        self._check()
        self._link.check_packing(method, args, {}, self._terms)
        self._collected.append((None, method, args, {}))

    def results(self, timeout: float | None = None) -> list[Any]:
        """All results, in the order of the calls.

        Args:
            timeout: seconds to wait at most.

        Raises:
            TimeoutError: that was not enough.
            Exception: the error of the first call that failed, when all are over; its `results` holds those of the
                others, and errors in the places of errors.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        found: list[Any] = []
        first: BaseException | None = None
        for future in self._futures:
            try:
                found.append(future.result(None if deadline is None else max(0.0, deadline - time.monotonic())))
            except (Exception, CancelledError) as error:
                if not future.done():
                    raise
                first = first or error
                found.append(error)
        if first is not None:
            first.results = found  # type: ignore[attr-defined]  # as the error of a map has
            raise first
        return found

    def _check(self) -> None:
        if self._over:
            raise RuntimeError("this batch was sent: open another one")

    def __getattr__(self, name: str) -> Collected:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return Collected(self.call, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        collected, self._collected = self._collected, []
        if kind is None:
            self._send(collected)
        else:
            for future, *_ in collected:
                if future is not None:
                    future.cancel()

    def _send(self, collected: list[_Item]) -> None:
        link = self._link
        now = time.monotonic()
        with link.gathering():
            for future, method, args, kwargs in collected:
                if future is None:
                    link.notify(method, args, self._terms)
                elif not future.done():
                    future._owner = link.owner()
                    future._job = call = link.collected(method, args, kwargs, self._terms, now)
                    link.launch(future, call)

    def __repr__(self) -> str:
        state = f"{len(self._futures)} calls sent" if self._over else f"{len(self._collected)} calls collected"
        return f"<Batch for {self._link.address}: {state}>"
