"""Where outcomes go: futures for submitted calls, a list for maps, an iterator for imaps.

Rule: `deliver` and `fail` run on the driver's thread; they store and notify, and run no user code. A user's callback
runs on the callbacks' thread, and its future is done only after that.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextvars import Context
from itertools import count
from typing import TYPE_CHECKING, Any

from elsewhere.call import Options
from elsewhere.runtime.driving.driver import Driver
from elsewhere.runtime.future import FINISHED, Future
from elsewhere.runtime.jobs import CallJob
from elsewhere.sansio.frames import Shape

if TYPE_CHECKING:
    from elsewhere.progress import Progress

__all__ = ["CallbackJob", "MapJob", "Raised", "SubmitJob"]

AHEAD_BYTES = 1 << 28  # of large inputs that are handed over and not done
HEAP = 32  # nobody takes a map's results one by one, and each bell costs the caller some 0.05 ms

_log = logging.getLogger("elsewhere")


class Raised:
    """An exception in a place where values stand."""

    __slots__ = ("attempts", "error")

    def __init__(self, error: BaseException, attempts: int = 1) -> None:
        self.error = error
        self.attempts = attempts


class SubmitJob(CallJob):
    """All the calls submitted with one function and one set of options: each has a future."""

    __slots__ = ("driver", "futures", "indices", "options")

    def __init__(self, fn: Callable[..., Any], options: Options, shape: Shape, driver: Driver) -> None:
        super().__init__(fn, options, shape)
        self.options = options
        self.driver = driver
        self.futures: dict[int, Future[Any]] = {}
        self.items: dict[int, Any] = {}
        self.indices = count()  # next() cannot be interrupted: a signal handler may submit to the same job

    def deliver(self, lo: int, hi: int, values: Sequence[Any]) -> None:
        """Each value to its future."""
        for index, value in zip(range(lo, hi), values, strict=True):
            self.items.pop(index, None)
            future = self.futures.pop(index, None)
            if future is not None:
                if self.failures:
                    future.attempt = self.attempts(index)
                future._tell(FINISHED, value, None)

    def fail(self, index: int, error: BaseException, attempts: int) -> None:
        """The error to its future."""
        self.items.pop(index, None)
        future = self.futures.pop(index, None)
        if future is not None:
            future.attempt = attempts
            future._tell(FINISHED, None, error)

    def context_of(self, index: int) -> Context:
        """Each submit has its own."""
        future = self.futures.get(index)
        return self.context if future is None else future._context or self.context

    def release(self, index: int) -> None:
        """The future was cancelled. Its item stays until the driver has heard of it."""
        self.futures.pop(index, None)

    def abort(self, error: BaseException) -> None:
        """Fail every call that is left."""
        for index in list(self.futures):
            self.fail(index, error, 0)


class CallbackJob(SubmitJob):
    """One call with multiprocessing's callbacks, which have run before its future is done."""

    __slots__ = ("callback", "error_callback")

    def __init__(
        self, fn: Callable[..., Any], options: Options, driver: Driver, callback: Any, error_callback: Any
    ) -> None:
        super().__init__(fn, options, Shape.BOTH, driver)
        self.callback = callback
        self.error_callback = error_callback

    def deliver(self, lo: int, hi: int, values: Sequence[Any]) -> None:
        """The callback first, then the future."""
        future = self.futures.get(lo)
        if self.callback is None or future is None:
            super().deliver(lo, hi, values)
            return

        def finish() -> None:
            _call(self.callback, values[0])
            SubmitJob.deliver(self, lo, hi, values)

        self.driver.later(finish)

    def fail(self, index: int, error: BaseException, attempts: int) -> None:
        """The error callback first, then the future."""
        if self.error_callback is None or index not in self.futures:
            super().fail(index, error, attempts)
            return

        def finish() -> None:
            _call(self.error_callback, error)
            SubmitJob.fail(self, index, error, attempts)

        self.driver.later(finish)


class MapJob(CallJob):
    """A map: its values in a list, one future for all.

    Everything finishes, then the future fails with the first error by place (multiprocessing raises the first in time),
    which carries all results as ``error.results``; with `return_exceptions` errors stand among the values.
    """

    __slots__ = (
        "bar",
        "callback",
        "driver",
        "error_callback",
        "errors",
        "future",
        "left",
        "return_exceptions",
        "values",
    )

    def __init__(
        self,
        fn: Callable[..., Any],
        options: Options,
        shape: Shape,
        chunk: int | None,
        driver: Driver,
        *,
        return_exceptions: bool = False,
        bar: Progress | None = None,
    ) -> None:
        super().__init__(fn, options, shape, chunk)
        self.driver = driver
        self.heap = HEAP
        self.whole = True
        self.items: list[Any] | range = []
        self.values: list[Any] = []
        self.errors: dict[int, BaseException] = {}
        self.left = 0
        self.return_exceptions = return_exceptions
        self.bar = bar
        self.callback: Callable[[Any], object] | None = None
        self.error_callback: Callable[[BaseException], object] | None = None
        self.future: Future[list[Any]] | None = None

    def deliver(self, lo: int, hi: int, values: Sequence[Any]) -> None:
        """Into their slots."""
        self.values[lo:hi] = values
        if type(self.items) is list:
            self.items[lo:hi] = [None] * (hi - lo)
        if self.bar is not None:
            self.bar.advance(hi - lo)
        self._count(hi - lo)

    def fail(self, index: int, error: BaseException, attempts: int) -> None:
        """Into its slot."""
        self.values[index] = self.errors[index] = error
        if type(self.items) is list:
            self.items[index] = None
        if self.bar is not None:
            self.bar.advance(1, 1)
        self._count(1)

    def abort(self, error: BaseException) -> None:
        """Fail the whole."""
        if self.bar is not None:
            self.bar.close()
        if self.future is not None:
            self.future._tell(FINISHED, None, error)

    def release(self, index: int) -> None:
        """The future was cancelled."""
        if self.bar is not None:
            self.bar.close()

    def heavy_after(self, fed: int) -> bool:
        """Are more of the inputs handed over, and not done, than should lie in shared memory?"""
        return (fed - len(self.values) + self.left) * self.weight > AHEAD_BYTES

    def finish_if_empty(self) -> None:
        """A map over nothing is done at once."""
        if not self.left:
            self._finish()

    def _count(self, done: int) -> None:
        self.left -= done
        if not self.left:
            self._finish()

    def _finish(self) -> None:
        if self.bar is not None:
            self.bar.close()
        future, values = self.future, self.values
        assert future is not None
        error = None
        if self.errors and not self.return_exceptions:
            error = self.errors[min(self.errors)]
            _attach(error, values)
        callback = self.callback if error is None else self.error_callback
        result = values if error is None else error
        if callback is None:
            future._tell(FINISHED, *((values, None) if error is None else (None, error)))
            return

        def finish() -> None:
            _call(callback, result)
            future._tell(FINISHED, *((values, None) if error is None else (None, error)))

        self.driver.later(finish)


def _attach(error: BaseException, values: list[Any]) -> None:
    """Let the one error that is raised carry all results."""
    try:
        error.results = values  # type: ignore[attr-defined]  # it is added to the user's exception
    except Exception:  # noqa: BLE001 - a class with slots; the results are then only in return_exceptions=True
        return


def _call(callback: Callable[[Any], object], value: Any) -> None:
    """Run a user's callback; one that raises is logged and stops nothing."""
    try:
        callback(value)
    except Exception:  # noqa: BLE001 - a callback may raise anything
        _log.exception("elsewhere: a callback raised")
