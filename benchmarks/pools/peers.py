"""The pools that are measured beside ours, each behind the same few questions.

A peer that is not installed gives a cell that says so; one that has no such method (NotImplementedError) an empty cell.
Libraries are imported when their pool is made, so that one peer's imports cost no other.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from typing import Any, Self

WORKERS = 2
CHUNKS = (1, 4, 16, 64)
Way = Callable[[], Iterable[Any]]


def parts(items: list[Any]) -> int:
    """The chunksize that multiprocessing.Pool.map takes by itself; given to those that have no rule of their own."""
    return max(1, -(-len(items) // (4 * WORKERS)))


class Peer:
    """One library: how to make its pool, and how to ask it."""

    key = ""
    name = ""
    heavy = False  # starting it takes seconds: all rounds in one process
    shown = True  # as a column of the table

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        """End the pool."""

    def each(self, fn: Callable[[Any], Any], items: list[Any]) -> Iterable[Any]:
        """Results one by one, each call tracked alone."""
        raise NotImplementedError

    def map(self, fn: Callable[[Any], Any], items: list[Any]) -> list[Any]:
        """A list, as fast as it can."""
        raise NotImplementedError

    def one(self, fn: Callable[[Any], Any], item: Any) -> Any:
        """One call, waited for."""
        raise NotImplementedError

    def submit(self, fn: Callable[[Any], Any], item: Any) -> Any:
        """One call, not waited for: gives its future."""
        raise NotImplementedError

    def result(self, future: Any) -> Any:
        """Wait for what `submit` gave."""
        return future.result()

    def futures(self, fn: Callable[[Any], Any], items: list[Any]) -> list[Any]:
        """A future each, then all results."""
        submit, result = self.submit, self.result
        futures = [submit(fn, item) for item in items]
        return [result(future) for future in futures]

    def ways(self, fn: Callable[[Any], Any], items: list[Any]) -> dict[str, Way]:
        """Every way to run these calls, by its name; chunksizes 1, 4, 16, 64 and automatic where there are such."""
        raise NotImplementedError


class Elsewhere(Peer):
    key = name = "elsewhere"

    def __enter__(self) -> Self:
        from elsewhere import Pool

        self.pool: Any = Pool(WORKERS)
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
        return self.pool.submit(fn, item)

    def ways(self, fn: Any, items: Any) -> dict[str, Way]:
        pool = self.pool
        return {"imap_unordered": lambda: pool.imap_unordered(fn, items), "map": lambda: pool.map(fn, items)}


class Multiprocessing(Elsewhere):
    key, name = "mp", "multiprocessing.Pool"
    method = "forkserver"

    def __enter__(self) -> Self:
        self.pool = multiprocessing.get_context(self.method).Pool(WORKERS)
        return self

    def submit(self, fn: Any, item: Any) -> Any:
        return self.pool.apply_async(fn, (item,))

    def result(self, future: Any) -> Any:
        return future.get()

    def ways(self, fn: Any, items: Any) -> dict[str, Way]:
        pool = self.pool
        ways: dict[str, Way] = {
            f"imap_unordered, chunksize {chunk}": lambda chunk=chunk: pool.imap_unordered(fn, items, chunk)
            for chunk in CHUNKS
        }
        return ways | {"map, chunksize auto": lambda: pool.map(fn, items)}


class Fork(Multiprocessing):
    key, name, method = "fork", "multiprocessing.Pool, fork", "fork"


class Executor(Peer):
    """Whatever has `submit` and `map` of concurrent.futures."""

    key, name = "ppe", "ProcessPoolExecutor"

    def make(self) -> Any:
        from concurrent.futures import ProcessPoolExecutor

        return ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("forkserver"))

    def __enter__(self) -> Self:
        self.pool = self.make()
        return self

    def __exit__(self, *args: object) -> None:
        self.pool.shutdown(wait=False)

    def chunked(self, fn: Any, items: Any, chunk: int) -> Any:
        return self.pool.map(fn, items, chunksize=chunk)

    def each(self, fn: Any, items: Any) -> Any:
        return self.chunked(fn, items, 1)

    def map(self, fn: Any, items: Any) -> Any:
        return list(self.chunked(fn, items, parts(items)))

    def submit(self, fn: Any, item: Any) -> Any:
        return self.pool.submit(fn, item)

    def one(self, fn: Any, item: Any) -> Any:
        return self.submit(fn, item).result()

    def ways(self, fn: Any, items: Any) -> dict[str, Way]:
        ways: dict[str, Way] = {
            f"map, chunksize {chunk}": lambda chunk=chunk: self.chunked(fn, items, chunk) for chunk in CHUNKS
        }
        return ways | {"map, chunksize auto": lambda: self.chunked(fn, items, parts(items))}


class Loky(Executor):
    key = name = "loky"

    def make(self) -> Any:
        from loky import ProcessPoolExecutor

        return ProcessPoolExecutor(WORKERS)


class Joblib(Peer):
    key = name = "joblib"

    def __enter__(self) -> Self:
        from joblib import Parallel, delayed

        self.make, self.delayed = Parallel, delayed
        self.parallel = Parallel(n_jobs=WORKERS).__enter__()
        return self

    def __exit__(self, *args: object) -> None:
        self.parallel.__exit__(None, None, None)

    def each(self, fn: Any, items: Any) -> Any:
        return self.parallel(self.delayed(fn)(item) for item in items)

    map = each

    def one(self, fn: Any, item: Any) -> Any:
        return self.parallel([self.delayed(fn)(item)])[0]

    def ways(self, fn: Any, items: Any) -> dict[str, Way]:
        call = self.delayed(fn)
        return {
            f"batch_size {chunk}": lambda chunk=chunk: self.make(n_jobs=WORKERS, batch_size=chunk)(map(call, items))
            for chunk in (*CHUNKS, "auto")
        }


class Mpire(Peer):
    """A pool for each function and method: in mpire 2.10.2 workers kept alive do the next map like the last one."""

    key = name = "mpire"

    def __enter__(self) -> Self:
        from mpire import WorkerPool

        self.make = WorkerPool
        self.pools: dict[Any, Any] = {}
        return self

    def __exit__(self, *args: object) -> None:
        for pool in self.pools.values():
            pool.terminate()

    def kept(self, fn: Any, method: str) -> Any:
        if (fn, method) not in self.pools:
            self.pools[fn, method] = self.make(n_jobs=WORKERS, keep_alive=True)
        return getattr(self.pools[fn, method], method)

    def each(self, fn: Any, items: Any) -> Any:
        return self.kept(fn, "imap_unordered")(fn, items, chunk_size=1, iterable_len=len(items))

    def map(self, fn: Any, items: Any) -> Any:
        return list(self.kept(fn, "imap")(fn, items, iterable_len=len(items)))

    def one(self, fn: Any, item: Any) -> Any:
        return self.kept(fn, "apply")(fn, (item,))

    def submit(self, fn: Any, item: Any) -> Any:
        return self.kept(fn, "apply_async")(fn, (item,))

    def result(self, future: Any) -> Any:
        return future.get()

    def ways(self, fn: Any, items: Any) -> dict[str, Way]:
        imap_unordered, size = self.kept(fn, "imap_unordered"), len(items)
        return {
            f"imap_unordered, chunk_size {chunk or 'auto'}": lambda chunk=chunk: imap_unordered(
                fn, items, chunk_size=chunk, iterable_len=size
            )
            for chunk in (*CHUNKS, None)
        }


class Pebble(Executor):
    key = name = "pebble"

    def make(self) -> Any:
        from pebble import ProcessPool

        return ProcessPool(max_workers=WORKERS)

    def __exit__(self, *args: object) -> None:
        self.pool.stop()
        self.pool.join()

    def chunked(self, fn: Any, items: Any, chunk: int) -> Any:
        return self.pool.map(fn, items, chunksize=chunk).result()

    def submit(self, fn: Any, item: Any) -> Any:
        return self.pool.schedule(fn, args=[item])


class Ray(Peer):
    """A task for each call; it has no pool of its own to ask."""

    key = name = "ray"
    heavy = True

    def __enter__(self) -> Self:
        os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
        import ray

        self.ray = ray
        self.folder = tempfile.mkdtemp(prefix="ray")
        self.remote: dict[Any, Any] = {}
        quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": "error"}
        ray.init(num_cpus=WORKERS, _temp_dir=self.folder, **quiet)
        return self

    def __exit__(self, *args: object) -> None:
        self.ray.shutdown()
        with contextlib.suppress(OSError):
            shutil.rmtree(self.folder)

    def submit(self, fn: Any, item: Any) -> Any:
        if fn not in self.remote:
            self.remote[fn] = self.ray.remote(fn)
        return self.remote[fn].remote(item)

    def result(self, future: Any) -> Any:
        return self.ray.get(future)

    def each(self, fn: Any, items: Any) -> Any:
        return self.ray.get([self.submit(fn, item) for item in items])

    map = futures = each

    def one(self, fn: Any, item: Any) -> Any:
        return self.ray.get(self.submit(fn, item))

    def ways(self, fn: Any, items: Any) -> dict[str, Way]:
        return {"a task each": lambda: self.each(fn, items)}


class PlainLoop(Peer):
    """One of `loops`: for one function, with nothing around it."""

    key, name, kind = "loop", "bare loop, one pickle a call", "Plain"
    shown = False

    def __enter__(self) -> Self:
        import loops
        import work

        self.loop = getattr(loops, self.kind)(work.inc)
        return self

    def __exit__(self, *args: object) -> None:
        self.loop.__exit__()

    def each(self, fn: Any, items: Any) -> Any:
        return self.loop(items)


class RunsLoop(PlainLoop):
    key, name, kind = "runs", "bare loop, runs of 64", "Runs"


PEERS: dict[str, type[Peer]] = {
    kind.key: kind
    for kind in (
        Elsewhere, PlainLoop, RunsLoop, Multiprocessing, Fork, Executor, Loky, Joblib, Mpire, Pebble, Ray,
    )
}  # fmt: skip
