"""A map over large inputs hands them over bit by bit, and keeps few of them in shared memory."""

from __future__ import annotations

import os
import threading
import time

import pytest

from elsewhere import Pool, PoolClosed, WorkerLost
from elsewhere.pool.outcomes import results
from tests.pool import large
from tests.require import require

np = require(module="numpy", install="pip install numpy")

if not hasattr(os, "memfd_create"):
    pytest.skip("needs memfd", allow_module_level=True)

SIZE = 100_000  # of float64: 800 kB
FEW = 4  # arrays that may lie there


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(results, "AHEAD_BYTES", FEW * SIZE * 8)


def blocks(pool):
    return pool._driver._freight.store.blocks


def test_few_lie_in_shared_memory():
    with Pool(2) as pool:
        assert pool.map(large.total, [np.full(SIZE, n) for n in range(60)]) == [n * SIZE for n in range(60)]
        assert blocks(pool) <= 3 * FEW  # some that are done have not been given back yet


def test_who_does_not_wait_has_all_of_them_there():
    with Pool(2) as pool:
        future = pool.map_async(large.total, [np.full(SIZE, n) for n in range(60)])
        assert future.get(30) == [n * SIZE for n in range(60)]


def test_another_thread_drives_meanwhile():
    with Pool(2) as pool, Pool(1, where="threads") as others:
        slow = others.submit(pool.map, hold, [0.3])
        assert pool.map(large.total, [np.ones(SIZE)] * 40) == [SIZE] * 40
        assert slow.result(30) == [0.3]


def hold(seconds: float) -> float:
    threading.Event().wait(seconds)
    return seconds


def test_large_and_small_inputs_in_one_map():
    inputs = [np.ones(SIZE), *range(100), np.ones(SIZE), *"abc"]
    with Pool(2) as pool:
        found = pool.map(large.identity, inputs)
        assert found[1:101] == list(range(100))
        assert found[-3:] == ["a", "b", "c"]
        assert found[0].sum() == found[101].sum() == SIZE


def test_an_input_that_cannot_be_pickled_ends_it():
    with Pool(2) as pool:
        with pytest.raises(TypeError, match="cannot pickle") as caught:
            pool.map(large.total, [np.ones(SIZE)] * 20 + [threading.Lock()])
        assert any("input 20" in note for note in caught.value.__notes__)
        assert pool.apply(large.total, (np.ones(SIZE),)) == SIZE
        assert pool.statistics().unfinished == 0


def test_a_failed_call_among_them_is_raised_at_the_end():
    arrays = [np.full(SIZE, n) for n in range(20)]
    arrays[7] = np.array(["no number"] * SIZE)
    with Pool(2) as pool:
        with pytest.raises(TypeError) as caught:
            pool.map(large.total, arrays)
        assert [n for n, value in enumerate(caught.value.results) if isinstance(value, TypeError)] == [7]


def test_a_pool_that_is_terminated_ends_it():
    with Pool(1) as pool:

        def stop():
            while not pool.statistics().running:
                time.sleep(0)
            pool.terminate()

        stopper = threading.Thread(target=stop)
        stopper.start()
        with pytest.raises((WorkerLost, PoolClosed)):
            pool.map(sleep_long, [np.ones(SIZE)] * 20)
        stopper.join()


def sleep_long(_: object) -> None:
    threading.Event().wait(60)


def test_ctrl_c_ends_it():
    import signal

    class Stop(Exception):
        pass

    def handler(*_: object) -> None:
        raise Stop

    before = signal.signal(signal.SIGALRM, handler)
    try:
        with Pool(1) as pool:
            with pytest.raises(Stop):  # it may come a moment before the wait
                signal.setitimer(signal.ITIMER_REAL, 0.5)
                pool.map(sleep_long, [np.ones(SIZE)] * 20)
            assert pool.apply(large.total, (np.ones(SIZE),)) == SIZE
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
