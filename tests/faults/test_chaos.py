"""Workers killed at random, calls retried: every result comes exactly once. `make faults` makes five times as many."""

from __future__ import annotations

import pytest

from benchmarks.faults import chaos
from elsewhere import Retry

CALLS, KILLS = 2_000, 100


@pytest.mark.slow
@pytest.mark.bound(400)
@pytest.mark.parametrize("way", chaos.WAYS)
def test_every_result_comes_exactly_once(way):
    found = chaos.run(way, CALLS, KILLS, seed=1)
    assert found.wrong == []
    assert found.kills >= KILLS
    assert found.retried > 0
    assert found.lost > 0


def test_without_retries_chaos_is_seen(monkeypatch):
    monkeypatch.setattr(chaos, "Retry", lambda retries, on: Retry(0, on))
    found = chaos.run("map", 500, 25, seed=1)
    assert any("WorkerLost" in line for line in found.wrong)
    assert any("too rarely" in line for line in found.wrong)


def test_a_result_that_comes_twice_is_seen(monkeypatch):
    monkeypatch.setitem(chaos.WAYS, "map", lambda pool, fn, inputs: [*pool.map(fn, inputs), 49])
    found = chaos.run("map", 100, 1, seed=1)
    assert found.wrong == ["49 came 1 times too often"]
