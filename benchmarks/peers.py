"""The pools that are measured beside ours, each behind the same five questions.

A peer that is not installed gives no row; one that has no such method gives no figure.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable
from typing import Any, Self

WORKERS = 2


class Peer:
    """One library: how to make its pool, and how to ask it."""

    name = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        """End the pool."""

    def each(self, fn: Callable[[Any], Any], items: Iterable[Any]) -> Iterable[Any]:
        """Results one by one, each call tracked alone."""
        raise NotImplementedError

    def map(self, fn: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        """A list, as fast as it can."""
        raise NotImplementedError

    def one(self, fn: Callable[[Any], Any], item: Any) -> Any:
        """One call, waited for."""
        raise NotImplementedError

    def submit(self, fn: Callable[[Any], Any], item: Any) -> Callable[[], Any]:
        """One call, not waited for: what it gives waits."""
        raise NotImplementedError

    def futures(self, fn: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        """A future each, then all results."""
        raise NotImplementedError


class Elsewhere(Peer):
    name = "elsewhere"

    def __enter__(self) -> Self:
        from elsewhere import Pool

        self.pool = Pool(WORKERS)
        return self

    def __exit__(self, *args: object) -> None:
        self.pool.terminate()

    def each(self, fn: Any, items: Any) -> Any:
        return self.pool.imap_unordered(fn, items)

    def map(self, fn: Any, items: Any) -> Any:
        return self.pool.map(fn, items)

    def one(self, fn: Any, item: Any) -> Any:
        return self.pool.apply(fn, (item,))

    def submit(self, fn: Any, item: Any) -> Any:
        return self.pool.submit(fn, item).result

    def futures(self, fn: Any, items: Any) -> Any:
        futures = [self.pool.submit(fn, item) for item in items]
        return [future.result() for future in futures]


class Multiprocessing(Elsewhere):
    name = "multiprocessing.Pool"

    def __enter__(self) -> Self:
        self.pool = multiprocessing.get_context("forkserver").Pool(WORKERS)
        return self

    def submit(self, fn: Any, item: Any) -> Any:
        return self.pool.apply_async(fn, (item,)).get

    def futures(self, fn: Any, items: Any) -> Any:
        results = [self.pool.apply_async(fn, (item,)) for item in items]
        return [result.get() for result in results]


class Executor(Peer):
    """Whatever has `submit` and `map` of concurrent.futures."""

    name = "ProcessPoolExecutor"

    def make(self) -> Any:
        from concurrent.futures import ProcessPoolExecutor

        return ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("forkserver"))

    def __enter__(self) -> Self:
        self.pool = self.make()
        return self

    def __exit__(self, *args: object) -> None:
        self.pool.shutdown(wait=False)

    def each(self, fn: Any, items: Any) -> Any:
        return self.pool.map(fn, items)

    def map(self, fn: Any, items: Any) -> Any:
        items = list(items)
        return list(self.pool.map(fn, items, chunksize=max(1, len(items) // (4 * WORKERS))))

    def one(self, fn: Any, item: Any) -> Any:
        return self.pool.submit(fn, item).result()

    def submit(self, fn: Any, item: Any) -> Any:
        return self.pool.submit(fn, item).result

    def futures(self, fn: Any, items: Any) -> Any:
        futures = [self.pool.submit(fn, item) for item in items]
        return [future.result() for future in futures]


class Loky(Executor):
    name = "loky"

    def make(self) -> Any:
        from loky import ProcessPoolExecutor

        return ProcessPoolExecutor(WORKERS)


class Joblib(Peer):
    name = "joblib"

    def __enter__(self) -> Self:
        from joblib import Parallel, delayed

        self.delayed = delayed
        self.parallel = Parallel(n_jobs=WORKERS).__enter__()
        return self

    def __exit__(self, *args: object) -> None:
        self.parallel.__exit__(None, None, None)

    def each(self, fn: Any, items: Any) -> Any:
        return self.parallel(self.delayed(fn)(item) for item in items)

    map = each

    def one(self, fn: Any, item: Any) -> Any:
        return self.parallel([self.delayed(fn)(item)])[0]


class Mpire(Peer):
    """New workers for each map: in mpire 2.10.2 those kept alive call the next map's function wrongly."""

    name = "mpire"

    def __enter__(self) -> Self:
        from mpire import WorkerPool

        self.pool = WorkerPool(n_jobs=WORKERS)
        return self

    def __exit__(self, *args: object) -> None:
        self.pool.terminate()

    def each(self, fn: Any, items: Any) -> Any:
        items = list(items)
        return self.pool.imap_unordered(fn, items, chunk_size=1, iterable_len=len(items))

    def map(self, fn: Any, items: Any) -> Any:
        items = list(items)
        return list(self.pool.imap(fn, items, iterable_len=len(items)))

    def one(self, fn: Any, item: Any) -> Any:
        (value,) = self.each(fn, [item])
        return value


class Pebble(Executor):
    name = "pebble"

    def make(self) -> Any:
        from pebble import ProcessPool

        return ProcessPool(max_workers=WORKERS)

    def __exit__(self, *args: object) -> None:
        self.pool.stop()
        self.pool.join()

    def each(self, fn: Any, items: Any) -> Any:
        return self.pool.map(fn, items, chunksize=1).result()

    def map(self, fn: Any, items: Any) -> Any:
        items = list(items)
        return list(self.pool.map(fn, items, chunksize=max(1, len(items) // (4 * WORKERS))).result())

    def one(self, fn: Any, item: Any) -> Any:
        return self.pool.schedule(fn, args=[item]).result()

    def submit(self, fn: Any, item: Any) -> Any:
        return self.pool.schedule(fn, args=[item]).result

    def futures(self, fn: Any, items: Any) -> Any:
        futures = [self.pool.schedule(fn, args=[item]) for item in items]
        return [future.result() for future in futures]


PEERS: list[type[Peer]] = [Elsewhere, Multiprocessing, Executor, Loky, Joblib, Mpire, Pebble]
