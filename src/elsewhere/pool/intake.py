"""The way of calls into a pool: packed in the caller's thread, added to a job, handed to the driver.

Rule: everything between a method of `Calls` and the driver's inbox, and what futures ask of their pool afterwards. When
a pool opens and closes is `pool`'s business.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any

from elsewhere.call import Options
from elsewhere.errors import PoolClosed
from elsewhere.pool.calls import Calls
from elsewhere.pool.outcomes.results import MapJob, SubmitJob
from elsewhere.pool.outcomes.stream import StreamJob
from elsewhere.runtime.driving.driver import Driver
from elsewhere.runtime.future import Future
from elsewhere.sansio.frames import Shape

__all__ = ["Intake"]

PAUSE = 0.05  # seconds between looks where another thread drives
STREAMS = 32  # functions whose submitted calls are remembered to be alike
DEFINITIONS = 1000  # definitions they may gather before their calls are counted anew


class Intake(Calls):
    """The half of `Pool` that takes calls."""

    _driver: Driver
    _pid: int
    _foreign: bool
    _closed: bool

    @property
    def _size(self) -> int:
        raise NotImplementedError

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._submits: OrderedDict[Any, SubmitJob] = OrderedDict()
        self._well_known: dict[Any, SubmitJob] = {}  # those of `_submits` whose function every worker can import
        self._streams: weakref.WeakSet[StreamJob] = weakref.WeakSet()

    def _close_if_read(self) -> None:
        """Once no input of an imap is left to come, the driver may end when it is done."""
        if self._closed and all(stream.exhausted for stream in list(self._streams)):
            self._driver.close()

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
        driver, size, total = self._driver, max(1, self._size), len(values)
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
