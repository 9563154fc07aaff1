"""The backend: joblib's interface on one side, a lease of a kept pool on the other.

Rule: joblib decides what a batch is and when it goes; here it is only carried.
"""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable
from typing import Any

try:
    from joblib import cpu_count
    from joblib.externals.loky.process_executor import TerminatedWorkerError
    from joblib.parallel import (
        AutoBatchingMixin,
        FallbackToBackend,
        ParallelBackendBase,
        SequentialBackend,
        register_parallel_backend,
    )
except ImportError as failure:
    raise ImportError(
        f"elsewhere.joblib needs joblib 1.4 or newer ({failure}): python -m pip install 'elsewhere[joblib]'"
    ) from failure

from elsewhere.errors import WorkerLost
from elsewhere.joblib.kept import IDLE, Key, Lease, lease
from elsewhere.runtime.future import Future

__all__ = ["ElsewhereBackend", "WorkerTerminated", "register_parallel_backend"]

OPTIONS = {
    "initializer", "initargs", "context", "maxtasksperchild", "max_memory", "preload", "grace", "retry",
    "idle_worker_timeout",
}  # fmt: skip
# What joblib hands every backend; the arrays that the middle three are about travel through shared memory anyway.
IGNORED = {"prefer", "require", "max_nbytes", "temp_folder", "mmap_mode", "verbose", "context"}


class WorkerTerminated(WorkerLost, TerminatedWorkerError):  # type: ignore[misc]  # joblib ships no types
    """A worker died in a batch: our `WorkerLost`, and joblib's error for it too."""


class ElsewhereBackend(AutoBatchingMixin, ParallelBackendBase):  # type: ignore[misc]  # joblib ships no types
    """``joblib.parallel_config("elsewhere", **options)``.

    Args:
        nesting_level: joblib's.
        inner_max_num_threads: threads that BLAS and OpenMP libraries may start in each worker; None for the worker's
            share of the cores, or what the environment says.
        options: what `Pool` takes: ``initializer``, ``initargs``, ``context``, ``maxtasksperchild``,
            ``max_memory``, ``preload``, ``grace``, ``retry``; and ``idle_worker_timeout``, the seconds
            (300) after which unused workers end.

    Raises:
        TypeError: an option that is none of these.
    """

    supports_retrieve_callback = True
    supports_inner_max_num_threads = True
    supports_sharedmem = False
    uses_threads = False

    _workers: Lease | None = None

    def __init__(
        self, nesting_level: int | None = None, inner_max_num_threads: int | None = None, **options: Any
    ) -> None:
        _check(options, OPTIONS)
        super().__init__(nesting_level=nesting_level, inner_max_num_threads=inner_max_num_threads, **options)
        self._options = options

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """How many workers ``n_jobs`` means: -1 for one on each core, -2 for one less, None for 1."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is None:
            return 1
        return max(cpu_count() + 1 + n_jobs, 1) if n_jobs < 0 else n_jobs

    def configure(self, n_jobs: int = 1, parallel: Any = None, **options: Any) -> int:
        """Get ready for a ``Parallel``."""
        _check(options, OPTIONS | IGNORED)
        n_jobs = self.effective_n_jobs(n_jobs)
        if n_jobs == 1:
            raise FallbackToBackend(SequentialBackend(nesting_level=self.nesting_level))
        own = {name: value for name, value in options.items() if name not in IGNORED}
        chosen = {**self._options, **own}
        self._idle = chosen.pop("idle_worker_timeout", None) or IDLE
        self._key = Key(n_jobs, self._prepare_worker_env(n_jobs=n_jobs), chosen)
        self._release()
        self._workers = lease(self._key, self._idle)
        self.parallel = parallel
        return n_jobs

    def submit(self, func: Callable[[], Any], callback: Callable[[Any], object] | None = None) -> Future[Any]:
        """Send a batch."""
        workers = self._workers
        if workers is None:  # it was aborted while a callback was on its way here
            future: Future[Any] = Future()
            future.cancel()
            return future
        return workers.submit(func, callback)

    def retrieve_result_callback(self, future: Future[Any]) -> Any:
        """A batch's values, or what it raised."""
        try:
            return future.result()
        except WorkerLost as lost:
            raise WorkerTerminated(str(lost), exitcode=lost.exitcode, pid=lost.pid, call=lost.call) from lost

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Stop the batches of this ``Parallel``; the workers, and what others run on them, go on."""
        if self._workers is not None:
            self._workers.cancel()
        self._release()
        if ensure_ready:
            _forget_ready_batches(self.parallel)
            self._workers = lease(self._key, self._idle)

    def terminate(self) -> None:
        """The ``Parallel`` is over; the workers wait for the next."""
        self._release()
        self.reset_batch_stats()

    def _release(self) -> None:
        workers, self._workers = self._workers, None
        if workers is not None:
            workers.release()


def _forget_ready_batches(parallel: Any) -> None:
    """Batches that were cut but not sent when a call failed: joblib (1.6) would send them in the next call."""
    ready = getattr(parallel, "_ready_batches", None)
    if ready is not None:
        with contextlib.suppress(queue.Empty):
            while True:
                ready.get_nowait()


def _check(options: dict[str, Any], known: set[str]) -> None:
    unknown = sorted(options.keys() - known)
    if unknown:
        raise TypeError(f'the backend "elsewhere" has no option {unknown[0]!r}; it has {", ".join(sorted(OPTIONS))}')
