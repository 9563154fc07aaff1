"""Ours: the Pool on a Dask cluster, and functions on a host."""

from __future__ import annotations

import asyncio
from typing import Any

from benchmarks.cluster import work
from benchmarks.cluster.kinds.base import Kind
from benchmarks.cluster.kinds.dask import PATIENCE, WORKERS, made


class OnDask(Kind):
    """``Pool(where="dask://...")``."""

    def open(self) -> None:
        from elsewhere import Pool

        self.pool: Any = Pool(WORKERS, where=self.scheduler.replace("tcp://", "dask://"))
        assert self.pool.map_async(work.nap, range(-10, 0)).get(PATIENCE) == list(range(-10, 0))

    def close(self) -> None:
        self.pool.close()
        self.pool.join()

    def many(self, name: str, calls: int) -> int:
        return sum(self.pool.map(getattr(work, name), range(calls)))

    def one(self, calls: int) -> int:
        return sum(self.pool.apply(abs, (-1,)) for _ in range(calls))

    def array(self, megabytes: int, calls: int) -> float:
        shared = self.pool.share(made(megabytes))
        found: list[float] = self.pool.starmap(work.used, ((shared, number) for number in range(calls)))
        return sum(found)


class OnHost(Kind):
    """``host.call`` on an open connection."""

    def open(self) -> None:
        from elsewhere.fleet import Host

        self.there: Any = Host(self.host, **options(self.config))
        assert self.one(10) == 10

    def close(self) -> None:
        self.there.close()

    def one(self, calls: int) -> int:
        return sum(self.there.call(abs, -1) for _ in range(calls))


class Awaited(OnHost):
    """``await host.submit`` in a loop of asyncio's."""

    def one(self, calls: int) -> int:
        async def each() -> int:
            found = 0
            for _ in range(calls):
                found += await self.there.submit(abs, -1)
            return found

        return asyncio.run(each())


class OnFleet(OnDask):
    """``Pool(where=fleet)``, with one interpreter on each of two hosts: one that has NumPy."""

    def open(self) -> None:
        from elsewhere import Pool
        from elsewhere.fleet import Fleet

        self.fleet: Any = Fleet(*self.config["hosts"], python=self.config["python"], **options(self.config))
        self.pool = Pool(WORKERS, where=self.fleet)
        assert self.pool.map_async(work.nap, range(-10, 0)).get(PATIENCE) == list(range(-10, 0))

    def close(self) -> None:
        super().close()
        self.fleet.close()


def options(config: dict[str, Any]) -> dict[str, Any]:
    """Of a host: nothing of who runs this decides how it is reached."""
    return {
        "user": config["user"],
        "port": config["port"],
        "keys": (config["key"],),
        "known_hosts": (config["known_hosts"],),
        "config": (),
        "agent": False,
    }
