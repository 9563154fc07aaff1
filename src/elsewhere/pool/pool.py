"""`Pool`: calls on every core, in threads, on a loop, or right here.

Rule: a pool checks what it is given, picks the place, and looks after open and closed; calls are the business of
`calls` and `intake`, workers the driver's.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Literal, Self

from elsewhere.call import UNSET, Options, Retry
from elsewhere.pool import watch
from elsewhere.pool.calls import Calls
from elsewhere.pool.intake import Intake
from elsewhere.pool.places import Wanted, make_driver
from elsewhere.pool.statistics import RunningCall, Statistics

__all__ = ["Pool", "View"]

PATIENCE = 5.0  # seconds of silent waiting at the end of a with block
_numbers = itertools.count(1)


class Pool(Intake):
    """Workers that call functions: `multiprocessing.Pool`'s interface, futures, timeouts, retries and progress.

    Args:
        processes: how many workers; None for the cores this process may use (threads: min(32, cores + 4); loop: 100).
            A worker's share is ``max(1, cores // processes)``: that is how many workers a pool without a number has
            which is made inside a worker, and how many threads BLAS and OpenMP have there (``OMP_NUM_THREADS`` and the
            like, unless the caller has set one; ``ELSEWHERE_CPUS`` tells programs that a call starts).
        initializer: called as ``initializer(*initargs)`` in each worker before its first call.
        maxtasksperchild: calls after which a worker process is replaced; None for never.
        context: how processes start: "forkserver" (default), "spawn", "fork", or a context of multiprocessing.
        where: "processes", "threads", "loop" (coroutine functions) or "inline" (the caller's thread); a `Fleet` or a
            `Host`; ``"dask://host:8786"``, ``"dask+tls://host:8786"``, a `distributed.Client` or one of its clusters,
            or "dask" for one on this machine.
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

    _closed = True  # until it is whole: __del__ runs on half a pool too, and where __init__ refused its arguments

    def __init__(
        self,
        processes: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] = (),
        maxtasksperchild: int | None = None,
        context: Any = None,
        *,
        where: Any = "processes",
        timeout: float | None = None,
        retry: int | Retry | None = None,
        on_exit: Literal["wait", "terminate"] = "wait",
        grace: float = 0.2,
        preload: Iterable[str] = (),
        max_memory: int | None = None,
    ) -> None:
        if on_exit not in ("wait", "terminate"):
            raise ValueError(f'on_exit is "wait" or "terminate", not {on_exit!r}')
        self._options = Options.of(timeout, retry)
        self._on_exit = on_exit
        self._place = where if isinstance(where, str) else repr(where)
        self._pid = os.getpid()
        self._foreign = False  # is this a forked copy of the process that made it?
        self._number = next(_numbers)
        wanted = Wanted(
            processes,
            f"elsewhere-pool-{self._number}",
            initializer,
            tuple(initargs),
            maxtasksperchild,
            context,
            grace,
            tuple(preload),
            max_memory,
        )
        self._driver = make_driver(where, wanted)
        super().__init__()
        self._closed = False
        watch.add(self)
        self._driver.start()

    @property
    def _pool(self) -> Pool:
        return self

    @property
    def _size(self) -> int:
        return self._driver.width

    # ---- what it is doing ----------------------------------------------------------------------------------------

    def options(
        self, *, timeout: float | None = UNSET, retry: int | Retry | None = UNSET, name: str | None = UNSET
    ) -> View:
        """A view of this pool whose calls have these options; what is left out stays as it is.

        Args:
            timeout: seconds a call may run; None for no limit.
            retry: repeats of a call that fails, a number or a `Retry`; None for none.
            name: what the calls are called in notes, logs and statistics; None for their function's name.

        Raises:
            TypeError, ValueError: one of them is wrong.
        """
        return View(self, self._options.but(timeout, retry, name))

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
        return f"<Pool {self._number}: {self._size} {self._place}, {state}, {numbers}>"

    def __reduce__(self) -> Any:
        raise NotImplementedError("pool objects cannot be passed between processes or pickled")

    # ---- the end -------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Take no more calls; those there are go on, and the workers leave when they are done."""
        with self._lock:
            self._closed = True
        self._close_if_read()

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
        """Wait until the workers have left, or the time is over; after `close` or `terminate` only.

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
        try:
            self._check_open()
        except BaseException:
            if not self._closed:  # its workers could not start: there is no block whose end would end it
                self.terminate()
            raise
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


class View(Calls):
    """A pool seen through other options: it has all methods of the pool that make calls."""

    def __init__(self, pool: Pool, options: Options) -> None:
        self._target = pool
        self._options = options

    @property
    def _pool(self) -> Pool:
        return self._target

    def options(
        self, *, timeout: float | None = UNSET, retry: int | Retry | None = UNSET, name: str | None = UNSET
    ) -> View:
        """A further view, with these options changed too; see `Pool.options`."""
        return View(self._target, self._options.but(timeout, retry, name))

    def __repr__(self) -> str:
        return f"<View of {self._target!r} with {self._options}>"
