"""The pools that outlive a ``Parallel``, and what one ``Parallel`` has running on one of them.

Rule: a pool belongs to all who ask for the same one. Who is done, or gives up, ends his own batches, never the pool.

::

    lease(key) ── the kept pool of that key, or a new one ──> Lease: submit, cancel, release
                                                                  │ the last one released
    idle for a while, or too many idle ── close <─────────────────┘
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from elsewhere.call import function_name
from elsewhere.errors import PoolClosed, WorkerStartError
from elsewhere.joblib.worker import Environment, run_batch, start
from elsewhere.pool import Pool
from elsewhere.runtime.future import Future

__all__ = ["IDLE", "Key", "Lease", "lease", "shutdown"]

IDLE = 300.0  # seconds; loky's
MOST_IDLE = 2  # pools nobody uses: programs alternate between few, and each holds its workers' memory
PATIENCE = 5.0  # seconds for workers with nothing to do to leave


class Key(NamedTuple):
    """What makes two pools the same.

    Attributes:
        n_jobs: workers.
        environment: variables that are set in each.
        options: further arguments of `Pool`, `initializer` and `initargs` among them.
    """

    n_jobs: int
    environment: dict[str, str]
    options: dict[str, Any]

    def same(self, other: Key) -> bool:
        """Would a pool of the other do?"""
        if self[:2] != other[:2] or self.options.keys() != other.options.keys():
            return False
        return all(_equal(value, other.options[name]) for name, value in self.options.items())

    def pool(self) -> Pool:
        """Make one."""
        options = dict(self.options)
        initializer, initargs = options.pop("initializer", None), tuple(options.pop("initargs", ()))
        if initializer is not None and not callable(initializer):
            raise TypeError(f"initializer must be a callable, not {initializer!r}")
        arguments = (Environment(self.environment), initializer, initargs)
        return Pool(self.n_jobs, initializer=start, initargs=arguments, **options)


class Kept:
    """One pool: how many use it, since when nobody does."""

    def __init__(self, key: Key, idle: float) -> None:
        self.key = key
        self.pool = key.pool()
        self.users = 0
        self.idle = idle
        self.since = 0.0


class Lease:
    """What one ``Parallel`` runs on a kept pool."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._futures: set[Future[Any]] = set()
        self._over = self._released = False

    def submit(self, batch: Callable[[], Any], callback: Callable[[Any], object] | None) -> Future[Any]:
        """Run a batch; the future has whatever goes wrong, here too: nobody hears what is raised in a callback."""
        try:
            future = self._kept.pool.options(name=_name(batch)).submit(run_batch, batch)
        except Exception as error:  # noqa: BLE001 - pickling runs the user's code, which may raise anything
            future = Future()
            future.set_exception(self._explained(error))
        else:
            self._futures.add(future)
            future.add_done_callback(self._done)
            if self._over:  # a callback was on its way here when the lease was cancelled
                future.cancel()
        if callback is not None:
            future.add_done_callback(callback)
        return future

    def cancel(self) -> None:
        """Stop what runs and forget what waits."""
        self._over = True
        for future in list(self._futures):
            future.cancel()

    def release(self) -> None:
        """This one needs the pool no more."""
        if not self._released:
            self._over = self._released = True
            _leave(self._kept)

    def _done(self, future: Future[Any]) -> None:
        self._futures.discard(future)
        if not future.cancelled() and isinstance(future.exception(), PoolClosed | WorkerStartError):
            _forget(self._kept)

    def _explained(self, error: Exception) -> Exception:
        """What went wrong with the submission: joblib's users know all that cannot be pickled as a PicklingError."""
        if isinstance(error, PoolClosed | WorkerStartError):
            _forget(self._kept)
            return error
        from pickle import PicklingError

        notes = getattr(error, "__notes__", ())
        unsent = PicklingError(f"could not pickle the task to send to a worker: {type(error).__name__}: {error}")
        unsent.__cause__ = error
        for note in notes:
            unsent.add_note(note)
        return unsent


_lock = threading.RLock()  # a generator that is collected while it is held releases its lease
_pools: list[Kept] = []
_timer: threading.Timer | None = None


def lease(key: Key, idle: float = IDLE) -> Lease:
    """Use a pool.

    Args:
        key: which.
        idle: seconds without any use after which it is ended.
    """
    with _lock:
        kept = next((kept for kept in list(_pools) if kept.key.same(key)), None)
        if kept is None:
            kept = Kept(key, idle)
            _pools.append(kept)
        kept.users += 1
        kept.idle = idle
        surplus = _take(_idle()[MOST_IDLE:])
    _close(surplus)
    return Lease(kept)


def shutdown() -> None:
    """End all pools now; what runs on them fails."""
    global _timer
    with _lock:
        gone = _take(list(_pools))
        timer, _timer = _timer, None
    if timer is not None:
        timer.cancel()
        if timer is not threading.current_thread():
            timer.join()
    _close(gone)
    deadline = time.monotonic() + PATIENCE
    for kept in gone:
        if not kept.users:
            kept.pool.join(max(0.0, deadline - time.monotonic()))
        kept.pool.terminate()


def _leave(kept: Kept) -> None:
    with _lock:
        kept.users -= 1
        kept.since = time.monotonic()
        surplus = _take(_idle()[MOST_IDLE:])
        if not kept.users and kept not in _pools:
            surplus.append(kept)  # it was forgotten meanwhile
        _set_timer()
    _close(surplus)


def _forget(kept: Kept) -> None:
    """It seems to take no more calls: nobody else gets it, and who has it may go on."""
    with _lock:
        gone = [one for one in _take([kept]) if not one.users]
    _close(gone)


def _idle() -> list[Kept]:
    """Those nobody uses, the last used first."""
    return sorted((kept for kept in list(_pools) if not kept.users), key=lambda kept: -kept.since)


def _take(some: list[Kept]) -> list[Kept]:
    """These, taken out of the list by whoever is first."""
    taken = [kept for kept in some if kept in _pools]
    for kept in taken:
        _pools.remove(kept)
    return taken


def _close(some: list[Kept]) -> None:
    for kept in some:
        kept.pool.close()


def _set_timer() -> None:
    """One thread, and only while a pool is idle."""
    global _timer
    idle = _idle()
    if idle and _timer is None:
        first = min(kept.since + kept.idle for kept in idle)
        _timer = threading.Timer(max(0.0, first - time.monotonic()), _expire)
        _timer.daemon = True
        _timer.name = "elsewhere-joblib-idle"
        _timer.start()


def _expire() -> None:
    global _timer
    with _lock:
        _timer = None
        now = time.monotonic()
        gone = _take([kept for kept in _idle() if kept.since + kept.idle <= now])
        _set_timer()
    _close(gone)


def _after_fork() -> None:
    """The pools are the parent's."""
    global _lock, _timer
    _lock = threading.RLock()
    _timer = None
    _pools.clear()


os.register_at_fork(after_in_child=_after_fork)


def _equal(one: Any, other: Any) -> bool:
    """Never raises; objects that cannot be compared are equal only to themselves."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(_equal, one, other))
    try:
        return (one == other) is True
    except Exception:  # noqa: BLE001 - an object's own comparison may raise anything
        return False


def _name(batch: Any) -> str:
    """The function that the batch calls, for error messages."""
    try:
        return function_name(batch.items[0][0])
    except Exception:  # noqa: BLE001 - a batch is only promised to be callable
        return function_name(batch)
