"""`pool.executor()`: a real `concurrent.futures.Executor`, for ``loop.run_in_executor`` and other people's libraries.

Rule: the standard library's semantics, also where ours differ: a running call cannot be cancelled.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor
from concurrent.futures import wait as wait_for
from typing import TYPE_CHECKING, Any, TypeVar

from elsewhere.runtime.future import Future

if TYPE_CHECKING:
    from elsewhere.call import Options
    from elsewhere.pool.pool import Pool

__all__ = ["PoolExecutor"]

T = TypeVar("T")


class _ExecutorFuture(Future[T]):
    """Its `cancel` is False once the call runs; its executor forgets it when it is done."""

    _stops_running = False
    _executor: PoolExecutor | None = None

    def _tell(self, state: str, result: Any, exception: BaseException | None) -> bool:
        executor = self._executor
        told = super()._tell(state, result, exception)
        if executor is not None:
            executor._futures.discard(self)
        return told


class PoolExecutor(Executor):
    """Submits to a pool, which it does not own: `shutdown` ends the executor, not the pool.

    Args:
        pool: whose.
        options: of the calls.
    """

    def __init__(self, pool: Pool, options: Options) -> None:
        self._pool = pool
        self._options = options
        self._max_workers = pool._size  # what the standard library's executors call it, and Dask reads
        self._futures: set[_ExecutorFuture[Any]] = set()
        self._shut = False
        self._lock = threading.RLock()  # a signal handler may submit, too

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Call ``fn(*args, **kwargs)`` on the pool; RuntimeError after `shutdown`."""
        with self._lock:
            if self._shut:
                raise RuntimeError("cannot schedule new futures after shutdown")
            future = self._pool._submit(fn, args, kwargs, self._options, _ExecutorFuture)
            assert isinstance(future, _ExecutorFuture)
            self._futures.add(future)
            future._executor = self
            if future.done():
                self._futures.discard(future)
            return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls; wait for those there are, or cancel those that have not begun."""
        with self._lock:
            self._shut = True
            futures = list(self._futures)
        if cancel_futures:
            for future in futures:
                future.cancel()
        if wait:
            wait_for(futures)

    def __repr__(self) -> str:
        return f"<executor of {self._pool!r}>"
