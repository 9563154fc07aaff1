"""`Pool`: calls on every core, in threads, on a loop, or right here.

Rule: a pool checks what it is given, picks the place, and looks after open and closed; calls are `calls`' business,
workers the driver's.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import threading
import time
import warnings
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextvars import Context, copy_context
from types import TracebackType
from typing import Any, Literal, Self

from elsewhere.call import Options, Retry
from elsewhere.errors import PoolClosed
from elsewhere.pool import watch
from elsewhere.pool.calls import Calls
from elsewhere.pool.outcomes.results import MapJob, SubmitJob
from elsewhere.pool.outcomes.stream import StreamJob
from elsewhere.pool.places import make_driver
from elsewhere.pool.statistics import RunningCall, Statistics
from elsewhere.runtime.future import Future
from elsewhere.sansio.frames import Shape

__all__ = ["Pool", "View"]

PAUSE = 0.05  # seconds between looks where another thread drives
PATIENCE = 5.0  # seconds of silent waiting at the end of a with block
STREAMS = 32  # functions whose submitted calls are remembered to be alike
DEFINITIONS = 1000  # definitions they may gather before their calls are counted anew
_numbers = itertools.count(1)


class Pool(Calls):
    """Workers that call functions: `multiprocessing.Pool`'s interface, futures, timeouts, retries and progress.

    Args:
        processes: how many workers; None for the cores this process may use (threads: min(32, cores + 4); loop: 100).
            A worker's share is ``max(1, cores // processes)``: that is how many workers a pool without a number has
            which is made inside a worker, and how many threads BLAS and OpenMP have there (``OMP_NUM_THREADS`` and the
            like, unless the caller has set one; ``ELSEWHERE_CPUS`` tells programs that a call starts).
        initializer: called as ``initializer(*initargs)`` in each worker before its first call.
        maxtasksperchild: calls after which a worker process is replaced; None for never.
        context: how processes start: "forkserver" (default), "spawn", "fork", or a context of multiprocessing.
        where: "processes", "threads", "loop" (coroutine functions) or "inline" (the caller's thread).
        timeout: seconds a call may run; None for no limit.
        retry: repeats of a call that fails, a number or a `Retry`; None for none.
        on_exit: what leaving a with block normally does: "wait" for what was submitted, or "terminate" as in
            multiprocessing. Leaving it by an exception always terminates.
        grace: seconds between interrupting a call that is late or cancelled, and killing its worker.
        preload: modules the fork server imports once for all workers.
        max_memory: bytes of memory (resident, not shared with others) above which a worker process is replaced between
            calls, when it has done those it holds, a few ms of work; None for no limit.

    What workers print, log and warn of is handled by the caller: `sys.stdout`, the logger of the same name, `warnings`.
    Levels and filters are those of the moment when the pool is made; handlers run in the thread that waits for the pool
    and must not wait for its calls. A worker whose root logger has a handler (from `initializer`) logs by itself.

    A worker that leaves in order (close, `maxtasksperchild`, `max_memory`) waits up to 5 s for its threads, and runs
    what was registered with `atexit`; one that is terminated does not.

    Raises:
        ValueError, TypeError: an argument is not what is described here.
    """

    def __init__(
        self,
        processes: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] = (),
        maxtasksperchild: int | None = None,
        context: Any = None,
        *,
        where: str = "processes",
        timeout: float | None = None,
        retry: int | Retry | None = None,
        on_exit: Literal["wait", "terminate"] = "wait",
        grace: float = 0.2,
        preload: Iterable[str] = (),
        max_memory: int | None = None,
    ) -> None:
        self._closed = True  # until it is whole: __del__ may run on half a pool
        if on_exit not in ("wait", "terminate"):
            raise ValueError(f'on_exit is "wait" or "terminate", not {on_exit!r}')
        self._options = Options.of(timeout, retry)
        self._on_exit = on_exit
        self._where = where
        self._pid = os.getpid()
        self._foreign = False  # is this a forked copy of the process that made it?
        self._number = next(_numbers)
        self._size, self._driver = make_driver(
            where,
            processes,
            f"elsewhere-pool-{self._number}",
            initializer=initializer,
            initargs=tuple(initargs),
            lifetime=maxtasksperchild,
            context=context,
            grace=grace,
            preload=tuple(preload),
            max_memory=max_memory,
        )
        self._lock = threading.RLock()
        self._submits: OrderedDict[Any, SubmitJob] = OrderedDict()
        self._well_known: dict[Any, SubmitJob] = {}  # those of `_submits` whose function every worker can import
        self._streams: weakref.WeakSet[StreamJob] = weakref.WeakSet()
        self._closed = False
        watch.add(self)
        self._driver.start()

    @property
    def _pool(self) -> Pool:
        return self

    # ---- what it is doing ----------------------------------------------------------------------------------------

    def options(self, *, timeout: Any = ..., retry: Any = ..., name: Any = ...) -> View:
        """A view of this pool whose calls have these options; options that are not given stay as they are."""
        return View(self, self._options.but(timeout, retry, name))

    def executor(self) -> Any:
        """A `concurrent.futures.Executor` on this pool, for code that wants one."""
        from elsewhere.pool.executor import PoolExecutor

        return PoolExecutor(self)

    def statistics(self) -> Statistics:
        """What the pool is doing now."""
        driver, now = self._driver, time.monotonic()
        running = [RunningCall(job.name, index, now - since, worker) for job, index, worker, since in driver.running()]
        machine = driver.scheduler
        return Statistics(
            size=self._size,
            workers=len(driver.workers()),
            running=tuple(sorted(running, key=lambda call: -call.age)),
            unfinished=machine.unfinished,
            succeeded=driver.succeeded,
            failed=driver.failed,
            retried=machine.retried,
            lost_workers=machine.lost_workers,
            abandoned=getattr(driver, "abandoned", 0),
        )

    def __repr__(self) -> str:
        driver = self._driver
        state = "ended" if driver.join(0) else "closed" if self._closed else "open"
        numbers = f"{driver.scheduler.unfinished} unfinished, {driver.succeeded} succeeded, {driver.failed} failed"
        return f"<Pool {self._number}: {self._size} {self._where}, {state}, {numbers}>"

    def __reduce__(self) -> Any:
        raise NotImplementedError("pool objects cannot be passed between processes or pickled")

    # ---- the end -------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Take no more calls; those there are go on, and the workers leave when they are done."""
        with self._lock:
            self._closed = True
        self._close_if_read()

    def _close_if_read(self) -> None:
        """Once no input of an imap is left to come, the driver may end when it is done."""
        if self._closed and all(stream.exhausted for stream in list(self._streams)):
            self._driver.close()

    def terminate(self) -> None:
        """Stop everything now: running calls fail with `WorkerLost`, others with `PoolClosed`."""
        with self._lock:
            self._closed = True
        if os.getpid() != self._pid:
            return
        for stream in list(self._streams):
            stream.stop_reading()
        self._driver.terminate()
        self._driver.join(PATIENCE)

    def join(self, timeout: float | None = None) -> None:
        """Wait until the workers have left; after `close` or `terminate` only.

        Args:
            timeout: seconds; None for no limit.

        Raises:
            ValueError: the pool is still open.
        """
        if not self._closed:
            raise ValueError("Pool is still running: close() or terminate() it before join()")
        for stream in list(self._streams):
            if not stream.exhausted:
                stream.run_to_the_end()
        self._driver.join(timeout)

    def __enter__(self) -> Self:
        self._check_open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None or self._on_exit == "terminate" or os.getpid() != self._pid:
            self.terminate()
            return
        try:
            for stream in list(self._streams):
                if not stream.exhausted or stream.done < stream.fed:
                    stream.drop()
            self.close()
            if not self._driver.join(PATIENCE):
                self._say_what_is_awaited()
                self._driver.join()
        except BaseException:
            self.terminate()
            raise

    def _say_what_is_awaited(self) -> None:
        statistics = self.statistics()
        names = sorted({call.name for call in statistics.running})
        if sys.stderr is not None:
            with contextlib.suppress(OSError, ValueError):
                doing = f", {len(statistics.running)} of them running ({', '.join(names)})" if names else ""
                print(  # noqa: T201 - the one line that says why the program does not go on
                    f"elsewhere: leaving the pool waits for {statistics.unfinished} calls{doing}; Ctrl-C ends them",
                    file=sys.stderr,
                )

    def __del__(self) -> None:
        if not self._closed and self._pid == os.getpid():
            with contextlib.suppress(Exception):
                warnings.warn(f"unclosed running pool {self!r}", ResourceWarning, source=self, stacklevel=2)
            self._closed = True
            with contextlib.suppress(Exception):
                self._driver.terminate()

    # ---- what futures ask of their pool --------------------------------------------------------------------------

    def forget(self, job: Any, index: int) -> None:
        """A future was cancelled."""
        job.release(index)
        if isinstance(job, MapJob):
            self._driver.drop(job)
        else:
            self._driver.forget(job, index)

    @property
    def stops_running(self) -> bool:
        """Can a call be stopped while it is being executed? Not in threads, nor inline."""
        return self._driver.stops_running_calls

    def is_running(self, job: Any, index: int) -> bool:
        """Is this call being executed right now?"""
        if isinstance(job, MapJob):
            return False
        return self._driver.is_running(job, index)

    def later(self, work: Callable[[], None]) -> None:
        """Run a callback."""
        self._driver.later(work)

    def wait_for(self, future: Future[Any], timeout: float | None) -> bool:
        """Wait until a future is done, making the pool go meanwhile; False when time is up."""
        return self._driver.wait(future.done, timeout, future._subscribe)

    def attend(self) -> None:
        """Somebody waits who cannot make the pool go."""
        self._driver.attend()

    # ---- making calls --------------------------------------------------------------------------------------------

    def _check_process(self) -> None:
        if self._foreign:
            raise PoolClosed(f"this pool belongs to process {self._pid}; this one is a forked copy: make a pool here")

    def _check_open(self) -> None:
        if self._foreign:
            self._check_process()
        if self._closed:
            raise PoolClosed("Pool not running: it is closed, and takes no more calls")
        broken = self._driver.scheduler.broken
        if broken is not None:
            raise broken

    def _share(self, obj: Any) -> Any:
        self._check_open()
        return self._driver.share(obj)

    def _submit(
        self,
        fn: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: Options,
        kind: type[Future[Any]] = Future,
        *,
        waits: bool = False,
    ) -> Future[Any]:
        self._check_open()
        if not callable(fn):
            raise TypeError(f"{fn!r} is not callable: the first argument is the function to call")
        shape = Shape.BOTH if kwargs else Shape.STAR
        if shape is Shape.STAR and kind is Future and self._driver.is_plain(args):
            packed = self._driver.by_reference(fn)
            if packed is not None and (known := self._well_known.get((packed, options))) is not None:
                return self._add(known, args, Future, copy_context(), None, waits)
        job = SubmitJob(fn, options, shape, self._driver)
        return self._submit_to(job, (args, kwargs) if kwargs else args, kind, waits=waits)

    def _submit_to(
        self, job: SubmitJob, item: Any, kind: type[Future[Any]] = Future, *, waits: bool = False
    ) -> Future[Any]:
        """Add one call to a fresh job, or to the one its like was added to before."""
        self._check_open()
        driver = self._driver
        driver.prepare(job)
        (item,) = driver.pack(job, [item], 0, "call")
        packer, context = job.packer, job.context
        if job.packed is not None and type(job) is SubmitJob:
            with self._lock:
                job = self._alike(job)
        return self._add(job, item, kind, context, packer, waits)

    def _add(
        self, job: SubmitJob, item: Any, kind: type[Future[Any]], context: Context, packer: Any, waits: bool
    ) -> Future[Any]:
        with self._lock:
            if self._closed:
                self._check_open()
            index = next(job.indices)
            future = kind(self, index, job)
            future._context = context
            if packer is not None and packer.definitions:
                future._packer = packer  # local classes that the result may come back as live as long as this
            job.items[index] = item
            job.futures[index] = future
            self._driver.add(job, index, index + 1, waits=waits)
        return future

    def _alike(self, job: SubmitJob) -> SubmitJob:
        """The job of earlier submits of the same function with the same options, so that they are measured as one."""
        key = (job.packed, job.shape, job.name, job.options)
        known = self._submits.get(key)
        if known is None or known.packer is None or len(known.packer.definitions) > DEFINITIONS:
            self._submits[key] = job
            if len(self._submits) > STREAMS:
                self._submits.popitem(last=False)
                self._well_known.clear()
            if job.shape is Shape.STAR and self._driver.by_reference(job.fn) == job.packed:
                self._well_known[job.packed, job.options] = job
            return job
        if job.packer is not None:
            known.packer.definitions.update(job.packer.definitions)
        known.mixed = known.mixed or job.mixed
        return known

    def _run_map(self, job: MapJob, values: list[Any] | range, *, waits: bool) -> None:
        driver = self._driver
        driver.prepare(job)
        job.left = len(values)
        job.values = [None] * len(values)
        if driver.all_plain(values):
            job.items = values
            self._add_inputs(job, 0, len(values), waits=waits)
            if not values:
                job.finish_if_empty()
            return
        try:
            self._pack_inputs(job, values, waits=waits)
        except BaseException:
            driver.drop(job)
            raise

    def _pack_inputs(self, job: MapJob, values: list[Any] | range, *, waits: bool) -> None:
        """Pickle the inputs of a map and hand them over: at once, or bit by bit if they are large.

        Then workers are busy meanwhile, and who waits for the map keeps no more of its inputs in shared memory than an
        imap would.
        """
        driver, size, total = self._driver, self._size, len(values)
        first = driver.pack(job, values[:size], 0, "input")
        if not job.weight:
            job.items = [*first, *driver.pack(job, values[size:], size, "input")]
            self._add_inputs(job, 0, total, waits=waits)
            return
        job.items = [*first, *[None] * (total - len(first))]
        job.whole = False
        for lo in range(0, total, size):
            hi = min(lo + size, total)
            if lo:
                job.items[lo:hi] = driver.pack(job, values[lo:hi], lo, "input")
            self._add_inputs(job, lo, hi)
            while waits and job.heavy_after(hi):
                driver.wait(lambda hi=hi: not job.heavy_after(hi), PAUSE, lambda _: None)  # type: ignore[misc]  # inferred

    def _add_inputs(self, job: MapJob, lo: int, hi: int, *, waits: bool = False) -> None:
        with self._lock:
            if self._closed:
                self._check_open()
            if lo < hi:
                self._driver.add(job, lo, hi, waits=waits)

    def _run_stream(self, job: StreamJob) -> None:
        self._driver.prepare(job)
        itself = weakref.ref(self)

        def on_exhausted() -> None:
            pool = itself()
            if pool is not None and pool._closed:
                pool._close_if_read()

        job.on_exhausted = on_exhausted
        self._streams.add(job)
        job.start()


class View(Calls):
    """A pool seen through other options."""

    def __init__(self, pool: Pool, options: Options) -> None:
        self._target = pool
        self._options = options

    @property
    def _pool(self) -> Pool:
        return self._target

    def options(self, *, timeout: Any = ..., retry: Any = ..., name: Any = ...) -> View:
        """A further view, with these options changed too."""
        return View(self._target, self._options.but(timeout, retry, name))

    def __repr__(self) -> str:
        return f"<View of {self._target!r} with {self._options}>"
