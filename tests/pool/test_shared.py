"""`elsewhere.map`: one process-wide pool, there when it is wanted."""

from __future__ import annotations

import signal
import threading

import pytest

import elsewhere
from elsewhere import CallTimeout, Retry
from elsewhere.pool import shared
from tests.contract.work import Custom, Gate, add, fail_odd, flaky, hold, until
from tests.pool import work


@pytest.fixture
def gate(tmp_path):
    gate = Gate(tmp_path / "gate")
    yield gate
    gate.open()


def test_it_maps_as_map_does():
    assert elsewhere.map(work.square, range(10)) == [x * x for x in range(10)]
    assert elsewhere.map(add, [1, 2, 3], iter([10, 20])) == [11, 22]
    assert elsewhere.map(work.square, []) == []
    assert elsewhere.map(lambda x: x + 1, (x for x in range(3))) == [1, 2, 3]


def test_it_needs_something_to_map():
    with pytest.raises(TypeError, match="at least one iterable"):
        elsewhere.map(work.square)
    with pytest.raises(TypeError, match="not callable"):
        elsewhere.map(3, [1])


def test_one_pool_is_used_again():
    assert shared._pool is None
    pids = set(elsewhere.map(work.pid, range(100)))
    pool = shared._pool
    assert set(elsewhere.map(work.pid, range(100))) <= {*pids, *pool._driver.workers()}
    assert shared._pool is pool
    shared.shutdown()
    assert pids.isdisjoint(elsewhere.map(work.pid, range(100)))


def test_it_runs_again_after_an_error():
    for _ in range(3):
        with pytest.raises(Custom) as caught:
            elsewhere.map(fail_odd, range(4))
        assert [value for value in caught.value.results if isinstance(value, int)] == [0, 2]
    assert elsewhere.map(fail_odd, [0, 2]) == [0, 2]


def test_it_runs_again_after_its_pool_was_closed():
    assert elsewhere.map(work.square, [3]) == [9]
    shared._pool.terminate()
    assert elsewhere.map(work.square, [4]) == [16]


def test_its_options(gate):
    values = elsewhere.map(fail_odd, range(2), return_exceptions=True)
    assert [type(value) for value in values] == [int, Custom]
    with pytest.raises(CallTimeout):
        elsewhere.map(hold, [gate], timeout=0.1)
    assert elsewhere.map(flaky, [gate], ["a"], [1], retry=1) == [2]
    assert elsewhere.options(retry=Retry(2)).map(flaky, [gate], ["b"], [2]) == [3]
    with pytest.raises(Custom) as caught:
        elsewhere.options(name="nightly job", retry=1).options(retry=None).map(flaky, [gate], ["c"], [1])
    assert "nightly job" in caught.value.__notes__[0]


def test_many_threads_share_it():
    found = []
    threads = [threading.Thread(target=lambda: found.append(elsewhere.map(work.square, range(50)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [[x * x for x in range(50)]] * 8


def test_ctrl_c_leaves_it_usable(gate):
    """The map ends, its calls are dropped, and the cell can be run again."""

    def interrupt():
        until(lambda: gate.names("came"), "a running call")
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        elsewhere.map(hold, [gate] * 20, range(20))
    interrupter.join()
    pool = shared._pool
    assert elsewhere.map(work.square, range(10)) == [x * x for x in range(10)]
    assert shared._pool is pool
    assert len(gate.names("came")) <= pool.statistics().workers < 20


def test_it_is_gone_when_it_was_idle_long_enough(monkeypatch):
    monkeypatch.setattr(shared, "IDLE", 0.05)
    assert elsewhere.map(work.square, [3]) == [9]
    until(lambda: shared._pool is None, "its end")
    assert elsewhere.map(work.square, [3]) == [9]
