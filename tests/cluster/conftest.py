"""A real scheduler and two workers of one thread each, as programs, once for all tests here that leave them alive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from elsewhere import Pool
from tests.contract.work import until
from tests.contract.yards import Dask, dask

SCHEDULER = "127.25.0.1"
WORKERS = ["127.25.0.2", "127.25.0.3"]


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dask]:
    from distributed import Client

    with dask(tmp_path_factory.mktemp("dask"), SCHEDULER, WORKERS) as found:
        with Client(found.address.replace("dask", "tcp")) as client:
            client.gather(client.scatter(bytes(20_000_000)))  # starts a thread of Dask's that stays with the process
        yield found


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Dask]:
    """Another one, whose programs may be killed."""
    folder = tmp_path / "dask"
    folder.mkdir()
    with dask(folder, "127.25.0.11", ["127.25.0.12", "127.25.0.13"]) as found:
        yield found


@pytest.fixture
def pool(cluster: Dask) -> Iterator[Pool]:
    """A pool on all of it, both of whose far workers are there."""
    with Pool(where=cluster.address) as pool:
        until(lambda: pool.statistics().workers == 2, "both far workers are there")
        yield pool
