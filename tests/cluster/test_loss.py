"""What is lost when a Dask worker or the scheduler is killed, with SIGKILL, in the middle of work."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from elsewhere import ConnectionLost, Pool, WorkerLost
from tests.cluster import work
from tests.cluster.conftest import VICTIM
from tests.cluster.programs import worker
from tests.contract.work import until
from tests.contract.yards import Dask
from tests.ports import free_port

pytestmark = pytest.mark.slow
Victim = subprocess.Popen[bytes]


def test_a_killed_dask_worker_costs_what_it_was_in(cluster: Dask, victim: Victim, tmp_path: Path) -> None:
    with Pool(where=cluster.address) as pool:
        running = [pool.submit(work.note_pid_and_wait, str(tmp_path / f"pid{x}")) for x in range(4)]
        until(lambda: all(_told(tmp_path / f"pid{x}") for x in range(4)), "all threads are taken")
        waiting = [pool.submit(work.triple, x) for x in range(20)]
        victim.kill()
        until(lambda: sum(future.done() for future in running) == 2, "the calls there are lost")
        lost = [future for future in running if future.done()]
        for future in lost:
            error = future.exception()
            assert isinstance(error, WorkerLost)
            assert f"the Dask worker tcp://{VICTIM}" in str(error)
            assert "may have run" in str(error)
        until(lambda: pool.statistics().size == 2, "it is missed")
        assert [future.cancel() for future in running if future not in lost] == [True, True]
        assert [future.result() for future in waiting] == [3 * x for x in range(20)]
        children = [int((tmp_path / f"pid{x}").read_text().split()[0]) for x in range(4)]  # and none was run again
        until(lambda: not any(Path(f"/proc/{children[running.index(future)]}").exists() for future in lost))


def _told(file: Path) -> bool:
    return file.exists() and file.read_text().endswith("\n")


def test_each_call_of_a_map_has_one_outcome(cluster: Dask, victim: Victim, tmp_path: Path) -> None:
    count = 1500
    with Pool(where=cluster.address) as pool:
        rows = pool.imap(work.note_slowly, [(str(tmp_path), x) for x in range(count)], return_exceptions=True)
        found = [next(rows) for _ in range(200)]
        victim.kill()
        found += rows
    assert len(found) == count
    lost = {x for x, value in enumerate(found) if isinstance(value, WorkerLost)}
    assert [value for value in found if not isinstance(value, WorkerLost)] == [x for x in range(count) if x not in lost]
    assert len(lost) < 1000
    assert {path.read_text() for path in tmp_path.glob("[0-9]*") if path.name.isdigit()} == {"x"}


def test_retries_make_good_for_it(cluster: Dask, victim: Victim) -> None:
    with Pool(where=cluster.address, retry=3) as pool:
        rows = pool.imap(work.nap, range(1500))
        found = [next(rows) for _ in range(200)]
        victim.kill()
        assert found + list(rows) == list(range(1500))


def test_one_that_comes_back_under_its_address_runs_nothing_again(cluster: Dask, tmp_path: Path) -> None:
    place = ("127.25.0.14", tmp_path, "--worker-port", str(free_port()))
    with contextlib.ExitStack() as stack, Pool(where=cluster.address) as pool:
        first = stack.enter_context(worker(cluster.address, *place))
        until(lambda: pool.statistics().workers == 3, "one that joins is used")
        running = [pool.submit(work.note_pid_and_wait, str(tmp_path / f"pid{x}")) for x in range(3)]
        until(lambda: all(_told(tmp_path / f"pid{x}") for x in range(3)), "all run")
        parents = [int((tmp_path / f"pid{x}").read_text().split()[1]) for x in range(3)]
        lost = running[parents.index(first.pid)]
        first.kill()
        second = stack.enter_context(worker(cluster.address, *place))  # soon, so that nobody may have missed it
        assert isinstance(lost.exception(timeout=60), WorkerLost)
        for future in running:
            future.cancel()
        until(lambda: second.pid in {parent for _, parent, _ in pool.map(work.whereabouts, range(60), chunksize=1)})
        assert [len((tmp_path / f"pid{x}").read_text().split()) for x in range(3)] == [2, 2, 2]
        second.kill()
        until(lambda: pool.statistics().size == 2, "it is missed")


def test_what_is_shared_is_sent_again(cluster: Dask, victim: Victim) -> None:
    data = os.urandom(3_000_000)
    with Pool(1, where=cluster.address, retry=3) as pool:  # beside the victim, which has most threads
        shared = pool.share(data)
        assert pool.starmap(work.size_of_both, [(shared, 1)]) == [3_000_001]
        assert pool.apply(work.whereabouts)[1] == victim.pid
        victim.kill()
        assert pool.starmap(work.size_of_both, [(shared, x) for x in range(50)]) == [3_000_000 + x for x in range(50)]


def test_calls_of_a_worker_with_threads_run_side_by_side(cluster: Dask, victim: Victim, tmp_path: Path) -> None:
    with Pool(where=cluster.address) as pool:
        until(lambda: pool.statistics().workers == 4, "there is a child for each thread")
        assert pool.map(work.meet, [(str(tmp_path), x, 4) for x in range(4)]) == [0, 1, 2, 3]
        assert pool.map(work.nap, range(3000)) == list(range(3000))


def test_a_far_worker_ends_with_its_dask_worker(cluster: Dask, victim: Victim, tmp_path: Path) -> None:
    with Pool(1, where=cluster.address) as pool:
        future = pool.submit(work.note_pid_and_wait, str(tmp_path / "pid"))
        until(lambda: _told(tmp_path / "pid"), "it runs")
        child, parent = map(int, (tmp_path / "pid").read_text().split())
        assert parent == victim.pid
        victim.kill()
        until(lambda: not Path(f"/proc/{child}").exists(), "the far worker has ended")
        assert isinstance(future.exception(timeout=30), WorkerLost)


def test_calls_wait_for_the_first_dask_worker(mortal: Dask, tmp_path: Path) -> None:
    for process in mortal.workers:
        process.terminate()
        process.wait()
    with Pool(where=mortal.address) as pool:
        future = pool.submit(work.triple, 5)
        with worker(mortal.address, "127.25.0.24", tmp_path):
            assert future.result(timeout=60) == 15


def test_when_the_scheduler_dies_every_future_fails_soon_with_one_error(mortal: Dask, tmp_path: Path) -> None:
    pool = Pool(where=mortal.address)
    try:
        running = pool.submit(work.note_and_wait, tmp_path, 1)
        waiting = [pool.submit(work.triple, x) for x in range(10)]
        until((tmp_path / "1").exists, "it runs")
        mortal.scheduler.send_signal(signal.SIGKILL)
        start = time.monotonic()
        errors = [future.exception(timeout=30) for future in [running, *waiting]]
        assert time.monotonic() - start < 25  # 5 s on a machine that has time
        assert isinstance(errors[0], WorkerLost)
        assert "may have run" in str(errors[0])
        assert {type(error) for error in errors[1:]} == {ConnectionLost}
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
