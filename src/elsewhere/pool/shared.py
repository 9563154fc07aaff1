"""`elsewhere.map`: one process-wide pool, made on first use and gone after a minute without any.

Rule: nobody else's pool; whatever ends it, the next call makes another.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from elsewhere.call import UNSET, Options, Retry
from elsewhere.pool.pool import Pool, View

__all__ = ["Shared", "map", "options", "shutdown"]

T = TypeVar("T")
IDLE = 60.0  # seconds
NO_LIMITS: tuple[int | None, float | None] = (None, None)  # memory, cpu_seconds

_lock = threading.Lock()
_pool: Pool | None = None
_users = 0
_timer: threading.Timer | None = None


def map(  # noqa: A001 - the standard library's name, used as elsewhere.map
    fn: Callable[..., T],
    *iterables: Iterable[Any],
    timeout: float | None = None,
    retry: int | Retry | None = None,
    progress: bool | int | str = False,
    return_exceptions: bool = False,
) -> list[T]:
    """``list(map(fn, *iterables))`` on every core.

    It runs on one pool for the whole process, which is made at the first call and ends when nobody has used it for a
    minute.

    Args:
        fn: the function.
        iterables: of its arguments; it ends with the shortest.
        timeout: seconds each call may run; None for no limit.
        retry: repeats of each call that fails, a number or a `Retry`; None for none.
        progress: draw a bar on stderr; a number is how many inputs to expect, a str what stands before the bar.
        return_exceptions: exceptions stand among the values instead of being raised.

    Raises:
        TypeError: there is no iterable, or `fn` cannot be called.
        Exception: after all calls are over, the first failed one's error; its ``results`` attribute has all.
    """
    return Shared(Options.of(timeout, retry)).map(
        fn, *iterables, progress=progress, return_exceptions=return_exceptions
    )


def options(
    *,
    timeout: float | None = None,
    retry: int | Retry | None = None,
    name: str | None = None,
    memory: int | None = None,
    cpu_seconds: float | None = None,
) -> Shared:
    """`elsewhere.map` and `elsewhere.call` with these options for their calls.

    Args:
        timeout: seconds each call may run; None for no limit.
        retry: repeats of each call that fails, a number or a `Retry`; None for none.
        name: what the calls are called in notes, instead of their function's name.
        memory: bytes that a `call` may have resident; None for no limit. Looked at every 10 ms, on Linux.
        cpu_seconds: seconds of processor time that a `call` may take, rounded up; None for no limit.

    Raises:
        TypeError, ValueError: one of them is wrong.
    """
    return Shared(Options.of(timeout, retry, name), memory, cpu_seconds)


class Shared:
    """The process-wide pool, and single calls in processes of their own, seen through options."""

    def __init__(self, options: Options, memory: int | None = None, cpu_seconds: float | None = None) -> None:
        self._options = options
        self._limits = NO_LIMITS
        if memory is not None or cpu_seconds is not None:
            from elsewhere.process.single import Limits

            self._limits = Limits.of(memory, cpu_seconds)

    def options(
        self,
        *,
        timeout: float | None = UNSET,
        retry: int | Retry | None = UNSET,
        name: str | None = UNSET,
        memory: int | None = UNSET,
        cpu_seconds: float | None = UNSET,
    ) -> Shared:
        """With these options changed too; what is left out stays as it is."""
        memory_now, cpu_now = self._limits
        return Shared(
            self._options.but(timeout, retry, name),
            memory_now if memory is UNSET else memory,
            cpu_now if cpu_seconds is UNSET else cpu_seconds,
        )

    def call(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """See `elsewhere.call`.

        Raises:
            CallTimeout: it ran longer than `timeout`, and was killed.
            LimitExceeded: it took more than `memory` or `cpu_seconds`, and was killed.
        """
        from elsewhere.process.single import Limits, call_within

        return call_within(self._options, Limits(*self._limits), fn, args, kwargs)

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        progress: bool | int | str = False,
        return_exceptions: bool = False,
    ) -> list[T]:
        """See `elsewhere.map`.

        Raises:
            TypeError: there are limits of `memory` or `cpu_seconds`, which only `call` knows; or as there.
        """
        if self._limits != NO_LIMITS:
            raise TypeError(
                "memory= and cpu_seconds= limit call(); a worker of a pool is limited by Pool(max_memory=...)"
            )
        if not iterables:
            raise TypeError("map() needs at least one iterable after the function")
        pool = _enter()
        try:
            view = View(pool, self._options)
            first, *more = iterables
            return view.map(fn, first, *more, progress=progress, return_exceptions=return_exceptions)
        finally:
            _leave()


def _enter() -> Pool:
    global _pool, _users, _timer
    with _lock:
        if _timer is not None:
            _timer.cancel()
            _timer = None
        if _pool is None or _pool._pid != os.getpid() or _pool._closed or _pool._driver.scheduler.broken is not None:
            _pool = Pool()
            _users = 0
        _users += 1
        return _pool


def _leave() -> None:
    global _users, _timer
    with _lock:
        _users -= 1
        if _users == 0 and _pool is not None:
            _timer = threading.Timer(IDLE, _expire)
            _timer.daemon = True
            _timer.name = "elsewhere-idle"
            _timer.start()


def _expire() -> None:
    with _lock:
        idle = _users == 0
    if idle:
        shutdown()


def _forget() -> None:
    """In a forked copy of this process the pool is the parent's, and so is the thread that may hold the lock."""
    global _lock, _pool, _timer, _users
    _lock, _pool, _timer, _users = threading.Lock(), None, None, 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def shutdown() -> None:
    """End the process-wide pool now; the next call makes another."""
    global _pool, _timer
    with _lock:
        pool, _pool = _pool, None
        timer, _timer = _timer, None
    if timer is not None:
        timer.cancel()
        if timer is not threading.current_thread():
            timer.join()
    if pool is not None and pool._pid == os.getpid():
        pool.terminate()
