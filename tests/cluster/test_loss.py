"""What is lost when a Dask worker or the scheduler is killed, with SIGKILL, in the middle of work."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from elsewhere import ConnectionLost, Pool, WorkerLost
from tests.cluster import work
from tests.contract.work import until
from tests.contract.yards import Dask

pytestmark = pytest.mark.slow


def test_a_killed_dask_worker_costs_what_it_was_in(mortal: Dask, tmp_path: Path) -> None:
    with Pool(where=mortal.address) as pool:
        long = [pool.submit(work.note_and_wait, tmp_path, x) for x in (1, 2)]
        until(lambda: (tmp_path / "1").exists() and (tmp_path / "2").exists(), "both run")
        waiting = [pool.submit(work.triple, x) for x in range(20)]
        mortal.workers[0].kill()
        lost = next(iter(_failed(long)))
        error = lost.exception()
        assert isinstance(error, WorkerLost)
        assert "the Dask worker tcp://127.25.0.12" in str(error)
        assert "may have run" in str(error)
        assert next(x for x in long if x is not lost).cancel()
        assert [future.result() for future in waiting] == [3 * x for x in range(20)]
        assert pool.statistics().size == 1
    assert sorted(path.read_text() for path in tmp_path.glob("[12]")) == ["x", "x"]  # neither was run again


def _failed(futures):
    until(lambda: any(future.done() for future in futures), "a call is lost")
    return [future for future in futures if future.done()]


def test_each_call_of_a_map_has_one_outcome_when_a_dask_worker_dies(mortal: Dask, tmp_path: Path) -> None:
    count = 1500
    with Pool(where=mortal.address) as pool:
        rows = pool.imap(work.note_slowly, [(str(tmp_path), x) for x in range(count)], return_exceptions=True)
        found = [next(rows) for _ in range(200)]
        mortal.workers[1].kill()
        found += rows
    assert len(found) == count
    lost = [x for x, value in enumerate(found) if isinstance(value, WorkerLost)]
    assert [value for value in found if not isinstance(value, WorkerLost)] == [x for x in range(count) if x not in lost]
    assert len(lost) < 400
    twice = [path.name for path in tmp_path.glob("[0-9]*") if path.read_text() != "x"]
    assert twice == []


def test_retries_make_good_for_a_killed_dask_worker(mortal: Dask) -> None:
    with Pool(where=mortal.address, retry=3) as pool:
        rows = pool.imap(work.nap, range(1500))
        found = [next(rows) for _ in range(200)]
        mortal.workers[0].kill()
        assert found + list(rows) == list(range(1500))


def test_a_dask_worker_that_joins_is_used(mortal: Dask, tmp_path: Path) -> None:
    from tests.cluster.programs import worker

    with Pool(where=mortal.address) as pool:
        assert pool.statistics().size == 2
        with worker(mortal.address, "127.25.0.14", tmp_path) as third:
            until(lambda: pool.statistics().size == 3, "it is counted")
            until(lambda: third.pid in {ppid for _, ppid, _ in pool.map(work.whereabouts, range(60), chunksize=1)})
        until(lambda: pool.statistics().size == 2, "it is missed")
        assert pool.map(work.triple, range(10)) == [3 * x for x in range(10)]


def test_calls_wait_for_the_first_dask_worker(mortal: Dask, tmp_path: Path) -> None:
    from tests.cluster.programs import worker

    for process in mortal.workers:
        process.terminate()
        process.wait()
    with Pool(where=mortal.address) as pool:
        future = pool.submit(work.triple, 5)
        with worker(mortal.address, "127.25.0.14", tmp_path):
            assert future.result(timeout=60) == 15


def test_when_the_scheduler_dies_every_future_fails_soon_with_one_error(mortal: Dask, tmp_path: Path) -> None:
    pool = Pool(where=mortal.address)
    try:
        running = [pool.submit(work.note_and_wait, tmp_path, x) for x in (1, 2)]
        waiting = [pool.submit(work.triple, x) for x in range(10)]
        until(lambda: (tmp_path / "1").exists() and (tmp_path / "2").exists(), "both run")
        mortal.scheduler.send_signal(signal.SIGKILL)
        start = time.monotonic()
        errors = [future.exception(timeout=30) for future in running + waiting]
        assert time.monotonic() - start < 25  # 5 s on a machine that has time
        assert {type(error) for error in errors[:2]} == {WorkerLost}
        assert all("may have run" in str(error) for error in errors[:2])
        assert {type(error) for error in errors[2:]} == {ConnectionLost}
        assert all("Dask's scheduler is lost" in str(error) for error in errors)
        with pytest.raises(ConnectionLost):
            pool.submit(work.triple, 1)
    finally:
        start = time.monotonic()
        pool.terminate()
        pool.join()
        assert time.monotonic() - start < 20


def test_a_client_that_its_user_closes_ends_the_pools_calls(cluster: Dask, tmp_path: Path) -> None:
    from distributed import Client

    client = Client(cluster.address.replace("dask", "tcp"), set_as_default=False)
    pool = Pool(1, where=client)
    future = pool.submit(work.note_and_wait, tmp_path, 1)
    until((tmp_path / "1").exists, "it runs")
    client.close()
    with pytest.raises(WorkerLost, match="the client"):
        future.result(timeout=30)
    pool.terminate()


def test_an_orphan_of_the_dask_worker_is_no_orphan_for_long(mortal: Dask, tmp_path: Path) -> None:
    with Pool(where=mortal.address) as pool:
        future = pool.submit(work.note_pid_and_wait, str(tmp_path / "pid"))
        until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().endswith("\n"), "it runs")
        child, parent = map(int, (tmp_path / "pid").read_text().split())
        os.kill(parent, signal.SIGKILL)
        until(lambda: not Path(f"/proc/{child}").exists(), "the far worker has ended")
        assert isinstance(future.exception(timeout=30), WorkerLost)
