"""A real scheduler and two workers of one thread, as programs: for all tests here, and gone behind the last one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from elsewhere import Pool
from tests.certificates import certificates
from tests.cluster.programs import worker
from tests.contract.work import until
from tests.contract.yards import Dask, dask

__all__ = ["certificates", "cluster", "mortal", "pool", "victim"]

SCHEDULER = "127.25.0.1"
WORKERS = ["127.25.0.2", "127.25.0.3"]
VICTIM = "127.25.0.12"


@pytest.fixture(scope="package")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dask]:
    with dask(tmp_path_factory.mktemp("dask"), SCHEDULER, WORKERS) as found:
        from distributed import Client

        with Client(found.address.replace("dask", "tcp")) as client:
            client.gather(client.scatter(bytes(20_000_000)))  # starts a thread of Dask's that stays with the process
        yield found


@pytest.fixture
def pool(cluster: Dask) -> Iterator[Pool]:
    """A pool on all of it, both of whose far workers are there."""
    with Pool(where=cluster.address) as pool:
        until(lambda: pool.statistics().workers == 2, "both far workers are there")
        yield pool


@pytest.fixture
def victim(cluster: Dask, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A third worker, of two threads, which may be killed."""
    from distributed import Client

    with worker(cluster.address, VICTIM, tmp_path, threads=2) as process:
        with Client(cluster.address.replace("dask", "tcp"), set_as_default=False) as client:
            until(lambda: any(VICTIM in address for address in client.nthreads()), "it has joined")
        yield process
        process.kill()
        process.wait()
        with Client(cluster.address.replace("dask", "tcp"), set_as_default=False) as client:
            until(lambda: not any(VICTIM in address for address in client.nthreads()), "it is missed")


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Dask]:
    """Another cluster, of one worker, all of whose programs may be killed."""
    folder = tmp_path / "dask"
    folder.mkdir()
    with dask(folder, "127.25.0.21", ["127.25.0.22"]) as found:
        yield found
