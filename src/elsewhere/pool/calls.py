"""Every way to make calls: multiprocessing.Pool's methods, `submit`, and our options on them.

Rule: names and semantics are multiprocessing's where it has them; ours are keyword-only and never reach the function,
except in `submit`, whose keywords all belong to the function: there, options come from ``options()``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from elsewhere.call import UNSET, Options, Retry
from elsewhere.pool.arguments import bar_of, check_callable, chunk_of, inputs_of, told_apart
from elsewhere.pool.outcomes.iterators import ImapIterator
from elsewhere.pool.outcomes.results import CallbackJob, MapJob
from elsewhere.pool.outcomes.stream import CallResult, StreamJob
from elsewhere.runtime.future import Future
from elsewhere.sansio.frames import Shape

if TYPE_CHECKING:
    from elsewhere.pool.executor import PoolExecutor
    from elsewhere.pool.pool import Pool

__all__ = ["Calls"]

T = TypeVar("T")


class Calls:
    """The calling methods of a `Pool`, and of the views that its `options` gives."""

    _options: Options

    @property
    def _pool(self) -> Pool:
        raise NotImplementedError

    # ---- what calls share ----------------------------------------------------------------------------------------

    def share(self, obj: T) -> T:
        """A handle of an object that many calls need: it goes to each worker once, and by reference afterwards.

        Pass the handle as an argument, inside one, in a `functools.partial` or in a closure: the function receives the
        object itself, the same one in each call of a worker. Its large buffers are one block of memory that all workers
        see, read-only. The object is taken as it is now; workers may forget it when the handle is gone. In threads, on
        a loop and inline nothing travels, and the handle is the object.

        Raises:
            PoolClosed: the pool is closed.
            MemoryError: there is not enough shared memory for it; says the sizes.
            Exception: whatever pickling it raises, with a note that says the cure.
        """
        handle: T = self._pool._share(obj)
        return handle

    def executor(self) -> PoolExecutor:
        """A `concurrent.futures.Executor` on this pool, for code that wants one; its calls have these options.

        Its `shutdown` ends the executor, and not the pool.
        """
        from elsewhere.pool.executor import PoolExecutor

        return PoolExecutor(self._pool, self._options)

    # ---- one call ------------------------------------------------------------------------------------------------

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Call ``fn(*args, **kwargs)`` elsewhere.

        Returns:
            a future: ``result()`` or ``await``; `Future.cancel` stops it even while it runs.

        Raises:
            PoolClosed: the pool is closed.
            Exception: whatever pickling an argument raises, with a note that names it and the cure.
        """
        return self._pool._submit(fn, args, kwargs, self._options)

    def apply(self, func: Callable[..., T], args: Iterable[Any] = (), kwds: dict[str, Any] | None = None) -> T:
        """``func(*args, **kwds)`` in a worker; waits for the value.

        Args:
            func: the function.
            args: its positional arguments.
            kwds: its keyword arguments; None for none.

        Raises:
            Exception: the function's own, or what `submit` raises.
            CallTimeout, WorkerLost: it took too long, or its worker died; see `Pool`.
        """
        future = self._pool._submit(func, tuple(args), dict(kwds or {}), self._options, waits=True)
        try:
            value: T = future.result()
            return value
        except BaseException:
            future.cancel()  # Ctrl-C while waiting: nobody else can have the result
            raise

    def apply_async(
        self,
        func: Callable[..., T],
        args: Iterable[Any] = (),
        kwds: dict[str, Any] | None = None,
        callback: Callable[[T], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
    ) -> Future[T]:
        """Like `submit`; a callback runs in this process, before the future is done.

        Args:
            func: the function.
            args: its positional arguments.
            kwds: its keyword arguments; None for none.
            callback: called with the value; None for nothing.
            error_callback: called with the exception; None for nothing.

        Raises:
            PoolClosed: the pool is closed.
            Exception: whatever pickling an argument raises, with a note that names it and the cure.
        """
        pool, arguments = self._pool, (tuple(args), dict(kwds or {}))
        if callback is None and error_callback is None:
            return pool._submit(func, *arguments, self._options)
        check_callable(func)
        job = CallbackJob(func, self._options, pool._driver, callback, error_callback)
        return pool._submit_to(job, arguments)

    # ---- maps ----------------------------------------------------------------------------------------------------

    def map(
        self,
        fn: Callable[..., T],
        iterable: Iterable[Any],
        *more: Any,
        chunksize: int | None = None,
        timeout: float | None = UNSET,
        retry: int | Retry | None = UNSET,
        progress: bool | int | str = False,
        return_exceptions: bool = False,
    ) -> list[T]:
        """``[fn(x) for x in iterable]`` on all workers.

        Args:
            more: an int is the chunksize, as in `multiprocessing.Pool.map`; otherwise further iterables whose items
                become further arguments, as in `concurrent.futures.Executor.map`.
            chunksize: calls handed to a worker together. None (and 1): the scheduler measures, which is fast.
            timeout: seconds each call may run; None for no limit. Left out, it is the pool's.
            retry: repeats of each call that fails, a number or a `Retry`. Left out, it is the pool's.
            progress: draw a bar on stderr; a number is how many inputs to expect, a str what stands before the bar.
            return_exceptions: exceptions stand among the values instead of being raised.

        Raises:
            PoolClosed: the pool is closed.
            Exception: after all calls are over, the first failed one's error; its ``results`` attribute has all.
        """
        more, chunksize, _, _ = told_apart(more, chunksize)
        options = self._options.but(timeout, retry)
        job = self._start_map(fn, iterable, more, chunksize, options, progress, return_exceptions, star=False)
        return self._wait_for(job)

    def starmap(
        self,
        fn: Callable[..., T],
        iterable: Iterable[Iterable[Any]],
        chunksize: int | None = None,
        *,
        timeout: float | None = UNSET,
        retry: int | Retry | None = UNSET,
        progress: bool | int | str = False,
        return_exceptions: bool = False,
    ) -> list[T]:
        """``[fn(*args) for args in iterable]`` on all workers.

        Args:
            iterable: a tuple of arguments for each call.
            chunksize, timeout, retry, progress, return_exceptions: as for `map`, and so is what is raised.
        """
        options = self._options.but(timeout, retry)
        job = self._start_map(fn, iterable, (), chunksize, options, progress, return_exceptions, star=True)
        return self._wait_for(job)

    def map_async(
        self,
        fn: Callable[..., T],
        iterable: Iterable[Any],
        *more: Any,
        chunksize: int | None = None,
        callback: Callable[[list[T]], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
        timeout: float | None = UNSET,
        retry: int | Retry | None = UNSET,
        progress: bool | int | str = False,
        return_exceptions: bool = False,
    ) -> Future[list[T]]:
        """`map` without waiting: a future of the list.

        Args:
            more, chunksize: as for `map`. As in `multiprocessing.Pool.map_async`, a chunksize may be followed by the
                callbacks.
            callback: called with the list, in this process; None for nothing.
            error_callback: called with the exception; None for nothing.
            timeout, retry, progress, return_exceptions: as for `map`.

        Raises:
            PoolClosed: the pool is closed.
        """
        more, chunksize, callback, error_callback = told_apart(more, chunksize, callback, error_callback)
        job = self._start_map(
            fn, iterable, more, chunksize, self._options.but(timeout, retry), progress, return_exceptions,
            star=False, callback=callback, error_callback=error_callback, waits=False,
        )  # fmt: skip
        assert job.future is not None
        return job.future

    def starmap_async(
        self,
        fn: Callable[..., T],
        iterable: Iterable[Iterable[Any]],
        chunksize: int | None = None,
        callback: Callable[[list[T]], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
        *,
        timeout: float | None = UNSET,
        retry: int | Retry | None = UNSET,
        progress: bool | int | str = False,
        return_exceptions: bool = False,
    ) -> Future[list[T]]:
        """`starmap` without waiting: a future of the list.

        Args:
            iterable: a tuple of arguments for each call.
            chunksize, callback, error_callback: as for `map_async`, and so is what is raised.
            timeout, retry, progress, return_exceptions: as for `map`.
        """
        job = self._start_map(
            fn, iterable, (), chunksize, self._options.but(timeout, retry), progress, return_exceptions,
            star=True, callback=callback, error_callback=error_callback, waits=False,
        )  # fmt: skip
        assert job.future is not None
        return job.future

    def imap(
        self,
        fn: Callable[..., T],
        iterable: Iterable[Any],
        *more: Any,
        chunksize: int | None = None,
        timeout: float | None = UNSET,
        retry: int | Retry | None = UNSET,
        progress: bool | int | str = False,
        return_exceptions: bool = False,
    ) -> ImapIterator[T]:
        """`map` one by one and lazily: results in the inputs' order, inputs read no further ahead than needed.

        The iterator also works with ``async for``, and has ``next(timeout=)``. A call's exception is raised at its
        place, and the next ``next()`` goes on behind it.

        Args:
            more, chunksize, timeout, retry, progress: as for `map`.
            return_exceptions: exceptions stand among the values instead of being raised.

        Raises:
            PoolClosed: the pool is closed.
        """
        more, chunksize, _, _ = told_apart(more, chunksize)
        options = self._options.but(timeout, retry)
        return self._start_stream(fn, iterable, more, chunksize, options, progress, return_exceptions, ordered=True)

    def imap_unordered(
        self,
        fn: Callable[..., T],
        iterable: Iterable[Any],
        *more: Any,
        chunksize: int | None = None,
        timeout: float | None = UNSET,
        retry: int | Retry | None = UNSET,
        progress: bool | int | str = False,
        return_exceptions: bool = False,
    ) -> ImapIterator[T]:
        """`imap` with results in the order in which they are done; it takes and raises the same."""
        more, chunksize, _, _ = told_apart(more, chunksize)
        options = self._options.but(timeout, retry)
        return self._start_stream(fn, iterable, more, chunksize, options, progress, return_exceptions, ordered=False)

    def calls(
        self,
        fn: Callable[[Any], T],
        iterable: Iterable[Any],
        *,
        ordered: bool = False,
        timeout: float | None = UNSET,
        retry: int | Retry | None = UNSET,
        progress: bool | int | str = False,
    ) -> ImapIterator[CallResult]:
        """`imap` with each call's index, input, value or error, and number of runs; no call's error is raised.

        Args:
            ordered: in the inputs' order; else, by default, as they are done.
            timeout, retry, progress: as for `map`.

        Raises:
            PoolClosed: the pool is closed.
        """
        options = self._options.but(timeout, retry)
        return self._start_stream(fn, iterable, (), None, options, progress, True, ordered=ordered, detail=True)

    # ---- inside --------------------------------------------------------------------------------------------------

    def _start_map(
        self,
        fn: Any,
        iterable: Any,
        more: tuple[Any, ...],
        chunksize: int | None,
        options: Options,
        progress: bool | int | str,
        return_exceptions: bool,
        *,
        star: bool,
        callback: Any = None,
        error_callback: Any = None,
        waits: bool = True,
    ) -> MapJob:
        pool = self._pool
        pool._check_open()
        check_callable(fn)
        values = inputs_of(iterable, more)
        shape = Shape.STAR if more or star else Shape.ONE
        bar = bar_of(progress, len(values), options, fn)
        job = MapJob(
            fn, options, shape, chunk_of(chunksize), pool._driver, return_exceptions=return_exceptions, bar=bar
        )
        job.callback, job.error_callback = callback, error_callback
        job.future = Future(pool, 0, job)
        pool._run_map(job, values, waits=waits)
        return job

    def _wait_for(self, job: MapJob) -> list[Any]:
        future = job.future
        assert future is not None
        try:
            return future.result()
        except BaseException:
            if not future.done():  # Ctrl-C while waiting: nobody else can have the results
                job.driver.drop(job)
            if job.bar is not None:
                job.bar.close()
            raise
        finally:
            del future, job  # breaks the cycle through the exception's traceback

    def _start_stream(
        self,
        fn: Any,
        iterable: Any,
        more: tuple[Any, ...],
        chunksize: int | None,
        options: Options,
        progress: bool | int | str,
        return_exceptions: bool,
        *,
        ordered: bool,
        detail: bool = False,
    ) -> ImapIterator[Any]:
        pool = self._pool
        pool._check_open()
        check_callable(fn)
        source = zip(iterable, *more, strict=False) if more else iterable
        total = len(iterable) if hasattr(iterable, "__len__") and not more else None
        job = StreamJob(
            fn,
            options,
            Shape.STAR if more else Shape.ONE,
            chunk_of(chunksize),
            pool._driver,
            source,
            ordered=ordered,
            return_exceptions=return_exceptions,
            detail=detail,
            bar=bar_of(progress, total, options, fn),
        )
        pool._run_stream(job)
        return ImapIterator(job, pool)
