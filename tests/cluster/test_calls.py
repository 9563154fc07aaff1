"""What a pool on Dask does that has to do with Dask; what all places do is in tests/contract."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from elsewhere import Pool, WorkerLost
from tests.cluster import work
from tests.cluster.programs import descendants
from tests.contract.work import until
from tests.contract.yards import Dask


def test_calls_run_in_children_of_the_dask_workers_where_nothing_of_ours_is(pool: Pool, cluster: Dask) -> None:
    found = pool.map(work.whereabouts, range(50))
    assert {parent for _, parent, _ in found} <= {worker.pid for worker in cluster.workers}
    assert not any(ours for _, _, ours in found)


def test_equal_calls_are_different_calls(pool: Pool) -> None:
    assert len({pool.submit(work.draw).result() for _ in range(5)}) == 5


def test_each_call_runs_once_and_in_order(pool: Pool, tmp_path: Path) -> None:
    assert pool.starmap(work.note, ((tmp_path, x) for x in range(300))) == list(range(300))
    assert {path.read_text() for path in tmp_path.iterdir()} == {"x"}


def test_an_endless_generator_is_read_a_little_ahead(pool: Pool) -> None:
    read = 0

    def numbers():
        nonlocal read
        while True:
            read += 1
            yield read - 1

    rows = pool.imap(work.triple, numbers())
    assert [next(rows) for _ in range(500)] == [3 * x for x in range(500)]
    rows.close()
    assert read < 20_000


def test_a_killed_child_costs_its_call_and_the_dask_worker_lives(pool: Pool, cluster: Dask) -> None:
    rows = pool.options(retry=0).map(work.die_at_seven, range(20), return_exceptions=True)
    assert [x for x in rows if not isinstance(x, BaseException)] == [x for x in range(20) if x != 7]
    assert isinstance(rows[7], WorkerLost)
    assert rows[7].signal == "SIGKILL"
    assert "the Dask worker tcp://127.25.0." in str(rows[7])
    assert [worker.poll() for worker in cluster.workers] == [None, None]


def test_exceptions_are_the_functions_own_with_the_remote_traceback(pool: Pool) -> None:
    with pytest.raises(LookupError, match="nothing here") as caught:
        pool.apply(work.boom, ("nothing here",))
    assert "in boom" in str(caught.value.__cause__)


def test_a_late_call_is_stopped_in_its_child_and_no_other(pool: Pool) -> None:
    before = set(pool._driver.workers())
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        pool.options(timeout=0.3).apply(time.sleep, (60,))
    assert time.monotonic() - start < 20
    assert pool.apply(work.triple, (2,)) == 6
    assert before == set(pool._driver.workers())  # it was interrupted, not killed


def test_a_call_that_hears_nothing_is_killed(cluster: Dask, tmp_path: Path) -> None:
    with Pool(1, where=cluster.address, grace=0.2) as pool:
        with pytest.raises(TimeoutError):
            pool.options(timeout=0.3).apply(work.deaf, (60,))
        assert pool.apply(work.triple, (2,)) == 6
    assert [worker.poll() for worker in cluster.workers] == [None, None]


def test_a_cancelled_call_is_stopped(pool: Pool, tmp_path: Path) -> None:
    future = pool.submit(work.note_and_wait, tmp_path, 1)
    until((tmp_path / "1").exists, "the call has begun")
    assert future.cancel()
    start = time.monotonic()
    assert pool.map(work.triple, range(4)) == [0, 3, 6, 9]
    assert time.monotonic() - start < 30


def test_ctrl_c_ends_the_calls_that_are_waited_for(pool: Pool, tmp_path: Path) -> None:
    def interrupt() -> None:
        until((tmp_path / "1").exists, "the call has begun")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        pool.starmap(work.note_and_wait, [(tmp_path, 1), (tmp_path, 2)], timeout=60)
    thread.join()
    start = time.monotonic()
    assert pool.map(work.triple, range(4)) == [0, 3, 6, 9]
    assert time.monotonic() - start < 30


def test_no_more_calls_run_at_once_than_the_pool_has_workers(cluster: Dask, tmp_path: Path) -> None:
    with Pool(1, where=cluster.address) as pool:
        first = pool.submit(work.note_and_wait, tmp_path, 1)
        until((tmp_path / "1").exists, "the first call has begun")
        second = pool.submit(work.note, tmp_path, 2)
        assert pool.statistics().workers == 1
        assert second.cancel()
        first.cancel()
        pool.apply(abs, (1,))
    assert not (tmp_path / "2").exists()


def test_large_arguments_and_results_travel_as_data(pool: Pool) -> None:
    assert pool.apply(work.size_of, (bytes(30_000_000),)) == 30_000_000
    assert pool.apply(work.many_bytes, (30_000_000,)) == bytes(30_000_000)
    assert pool.map(work.many_bytes, [2_000_000] * 6) == [bytes(2_000_000)] * 6


def test_a_shared_object_goes_to_each_worker_once_and_is_given_back(cluster: Dask) -> None:
    from distributed import Client

    size = 20_000_000
    with Client(cluster.address.replace("dask", "tcp")) as client, Pool(where=cluster.address) as pool:
        before = _held(client)
        shared = pool.share(os.urandom(size))
        assert pool.starmap(work.size_of_both, [(shared, x) for x in range(60)]) == [size + x for x in range(60)]
        held = _held(client)
        assert sum(held.values()) - sum(before.values()) <= 2.2 * size
        del shared
        gc.collect()
        until(lambda: sum(_held(client).values()) <= sum(before.values()) + size / 10, "the memory is given back")


def _held(client):
    """Bytes of data that each Dask worker holds, by the scheduler's books."""
    return dict(_asked(client, "{address: state.nbytes for address, state in scheduler.workers.items()}"))


def _asked(client, expression):
    """What the scheduler's process makes of it; it has no modules of ours."""
    words = f"[{expression} for scheduler in __import__('distributed').Scheduler._instances if scheduler.workers][0]"
    return client.run_on_scheduler(eval, words)


def test_two_pools_share_a_cluster(cluster: Dask) -> None:
    with Pool(where=cluster.address) as one, Pool(where=cluster.address) as other:
        rows = one.imap(work.triple, range(200))
        assert other.map(work.triple, range(200)) == [3 * x for x in range(200)]
        assert list(rows) == [3 * x for x in range(200)]


def test_nothing_of_a_pool_stays_on_the_cluster(cluster: Dask) -> None:
    from distributed import Client

    with Client(cluster.address.replace("dask", "tcp")) as client:
        before = _asked(client, TOPICS)
        with Pool(2, where=cluster.address) as pool:
            pids = {pid for pid, _, _ in pool.map(work.whereabouts, range(20))}
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "the children have ended")
        until(lambda: _asked(client, TOPICS) <= before, "its topic is gone")
        until(lambda: not _asked(client, TASKS), "its tasks are gone")


TOPICS = "{name for name in scheduler._broker._topics if name.startswith('elsewhere-pool')}"
TASKS = "[key for key in scheduler.tasks if str(key).startswith('elsewhere')]"


def test_the_children_of_a_killed_caller_are_killed(cluster: Dask, tmp_path: Path) -> None:
    import subprocess
    import sys

    script = (
        "import sys, time\nfrom elsewhere import Pool\nfrom tests.cluster import work\n"
        "pool = Pool(2, where=sys.argv[1])\n"
        "pool.map(work.triple, range(20))\n"
        "pool.submit(work.note_and_wait, sys.argv[2], 1)\n"
        "[f.result() for f in [pool.submit(time.sleep, 600)]]\n"
    )
    caller = subprocess.Popen([sys.executable, "-c", script, cluster.address, str(tmp_path)])
    try:
        until(lambda: (tmp_path / "1").exists() or caller.poll() is not None, "a call runs")
        until(lambda: len(_children(cluster)) == 2, "both far workers are there")
        children = _children(cluster)
    finally:
        caller.kill()
        caller.wait()
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), "the children have gone")
    assert [worker.poll() for worker in cluster.workers] == [None, None]


def _children(cluster: Dask) -> list[int]:
    return [pid for worker in cluster.workers for pid in descendants(worker.pid)]
