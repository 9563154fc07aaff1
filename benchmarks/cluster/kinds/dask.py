"""Dask's own client, as its documentation uses it."""

from __future__ import annotations

from typing import Any

from benchmarks.cluster import work
from benchmarks.cluster.kinds.base import Kind

WORKERS = 2
PATIENCE = 60  # seconds for the workers to be there


class Map(Kind):
    """``client.map`` and ``gather``, ``client.submit`` and ``result``, ``client.scatter``."""

    def open(self) -> None:
        from distributed import Client

        self.client = Client(self.scheduler)
        self.client.wait_for_workers(WORKERS, timeout=PATIENCE)
        assert self.client.gather(self.client.map(work.nap, range(-10, 0))) == list(range(-10, 0))

    def close(self) -> None:
        self.client.close()

    def many(self, name: str, calls: int) -> int:
        found = self.client.gather(self.client.map(getattr(work, name), range(calls), pure=False))
        return sum(found)

    def one(self, calls: int) -> int:
        return sum(self.client.submit(abs, -1, pure=False).result() for _ in range(calls))

    def array(self, megabytes: int, calls: int) -> float:
        large = made(megabytes)
        there = self.client.scatter(large, broadcast=True)
        futures = [self.client.submit(work.used, there, number, pure=False) for number in range(calls)]
        found: list[float] = self.client.gather(futures)
        return sum(found)


class Executor(Map):
    """``client.get_executor()``: the adapter to `concurrent.futures`."""

    def many(self, name: str, calls: int) -> int:
        with self.client.get_executor(pure=False) as executor:
            return sum(executor.map(getattr(work, name), range(calls)))


def made(megabytes: int) -> Any:
    """An array of so many megabytes, other ones each time: Dask knows again what it has seen."""
    import numpy as np

    large = np.arange(megabytes * 125_000, dtype=np.float64)
    large[-1] = np.random.default_rng().random()
    return large
