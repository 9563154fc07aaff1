"""Calls whose way is longer than the scheduler's patience with workers of this machine."""

from __future__ import annotations

import time

import pytest

from elsewhere import CallTimeout, Pool
from elsewhere.pool.far.channel import Channel
from elsewhere.pool.places import Wanted
from elsewhere.sansio.scheduling.jobs import Observe, Recall
from elsewhere.sansio.scheduling.scheduler import PATIENCE
from tests.contract.nearby import Nearby
from tests.contract.work import Gate, hold, square
from tests.sansio.stories import known

WAY = 0.03  # seconds there: other continents are further away


@pytest.mark.parametrize("longer", [False, True])
def test_what_is_on_its_way_is_not_taken_back(longer):
    """Another worker is idle and wants it; it would be on its way there, the first would be idle, and so on."""
    driver = Nearby().__elsewhere_place__(Wanted(2, "test", None, (), None, None, 0.2, ()))
    scheduler, channel, job = driver.scheduler, Channel(2, "near"), known()
    driver._way, driver._longer = (0.001, 100.0) if longer else (50.0, 0.0)
    scheduler.open()
    for key in (1, 2):
        scheduler.worker_ready(key, 0.0)
    job.heap, job.chunk = 8, 3
    fed = time.monotonic()
    scheduler.add(job, 0, 6, fed)
    driver._channels[2] = channel
    scheduler.finished(1, 3, 0.001, fed)
    scheduler.actions.clear()
    peer = scheduler.peers[2]
    peer.fed = fed - 2 * PATIENCE
    driver._tell(channel, Observe(2))
    assert Recall not in map(type, scheduler.actions)
    peer.fed = channel.fed = fed - 1000
    with pytest.raises(AssertionError):  # it has no line to send it by
        driver._tell(channel, Observe(2))
        driver._tell(channel, next(action for action in scheduler.actions if type(action) is Recall))
    driver._give_back()


@pytest.fixture
def pool():
    with Pool(2, where=Nearby(delay=WAY), grace=20.0) as pool:
        yield pool


@pytest.mark.parametrize("chunksize", [None, 3])
def test_maps_far_away(pool, chunksize):
    for count in (1, 3, 10, 100):
        assert pool.map(square, range(count), chunksize) == [x * x for x in range(count)]
        assert list(pool.imap(square, iter(range(count)), chunksize)) == [x * x for x in range(count)]


def test_a_call_far_away_is_stopped_all_the_same(pool, tmp_path):
    gate = Gate(tmp_path / "gate")
    with pytest.raises(CallTimeout):
        pool.options(timeout=0.5).submit(hold, gate).result()
    gate.wait_for("left", "call")
    future = pool.submit(hold, gate, "another")
    gate.wait_for("came", "another")
    assert future.cancel()
    gate.wait_for("left", "another")
    assert pool.statistics().lost_workers == 0
