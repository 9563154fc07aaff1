"""What the tests of the suite ask for. The places are in `places.py`.

A test asks for `place` (which one), `pool` (one pool of two workers for the whole module; leave its workers alive) or
`make_pool` (pools of its own). `only` leaves out places where the question makes no sense.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from elsewhere import Pool
from tests.contract import work
from tests.contract.places import PLACES, WORKERS, Place
from tests.contract.work import Gate, until
from tests.contract.yards import dask_address, fleet

__all__ = ["dask_address", "fleet", "gate", "make_pool", "no_driver_failed", "place", "pool"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = [item for item in items if not _left_out(item)]


def _left_out(item: pytest.Item) -> bool:
    wanted = getattr(getattr(item, "function", None), "only_where", None)
    if not wanted:
        return False
    place = item.callspec.params["place"]  # type: ignore[attr-defined]
    return any(getattr(place, name) is not value for name, value in wanted.items())


@pytest.fixture(
    scope="module",
    params=[pytest.param(place, id=place.name, marks=[pytest.mark.slow] * place.slow) for place in PLACES],
)
def place(request: pytest.FixtureRequest) -> Place:
    place: Place = request.param
    if not place.fixture:
        return place
    return replace(place, options={**place.options, "where": request.getfixturevalue(place.fixture)})


@pytest.fixture(scope="module")
def pool(place: Place) -> Iterator[Pool]:
    pool = place.pool()
    pool.map(abs, range(4))
    if place.isolated:  # all of them are here before the leak check takes its first look
        until(lambda: pool.statistics().workers == WORKERS and len(set(pool.map(work.pid_of, range(50)))) == WORKERS)
    elif place.name == "threads":  # each has its own asyncio loop
        pool.map(work.meet, [threading.Barrier(WORKERS)] * WORKERS)
    yield pool
    pool.terminate()
    pool.join()


@pytest.fixture
def make_pool(place: Place) -> Iterator[Callable[..., Pool]]:
    pools = []

    def make(*args: Any, **options: Any) -> Pool:
        pools.append(place.pool(*args, **options))
        return pools[-1]

    yield make
    for pool in pools:
        pool.terminate()
        pool.join()


@pytest.fixture(autouse=True)
def no_driver_failed(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A driver that fails may leave the results right, when it was about to end: the log tells."""
    yield
    records = [*caplog.get_records("setup"), *caplog.get_records("call"), *caplog.get_records("teardown")]
    assert [record.getMessage() for record in records if record.levelno >= logging.CRITICAL] == []


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    gate = Gate(tmp_path / "gate")
    yield gate
    gate.open()
