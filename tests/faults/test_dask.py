"""A pool on Dask: what dies there costs the calls that were in it, and a cluster that others use goes on."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from elsewhere import ElsewhereError, Pool, Retry, WorkerLost
from tests.contract.work import Gate, hold, square
from tests.contract.yards import dask
from tests.faults.helpers import Ends, script, until

SCHEDULER, WORKERS = "127.26.0.13", ["127.26.0.14", "127.26.0.15"]
TOLD = 5.0  # seconds by which everybody knows that the scheduler has gone; twice as many on a busy machine


@pytest.fixture
def cluster(tmp_path):
    folder = tmp_path / "dask"
    folder.mkdir()
    with dask(folder, SCHEDULER, WORKERS) as found:
        yield found


@pytest.fixture
def gate(tmp_path):
    gate = Gate(tmp_path / "gate")
    yield gate
    gate.open()


def both_held(pool, gate, **options):
    """A call that runs on each worker, and the child process that it runs in."""
    futures = [pool.options(**options).submit(hold, gate, number) for number in range(2)]
    for number in range(2):
        gate.wait_for("came", number)
    return futures, [int((gate.folder / f"came-{number}").read_text()) for number in range(2)]


def parent(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def kill_worker(cluster, pid):
    """The Dask worker that has this child."""
    (found,) = [worker for worker in cluster.workers if worker.pid == parent(pid)]
    found.kill()


def test_a_worker_killed_mid_call_costs_that_call(cluster, gate):
    with Pool(2, where=cluster.address) as pool:
        futures, pids = both_held(pool, gate)
        others = pool.map_async(square, range(1000))
        with Ends(pids[0]) as ends:
            kill_worker(cluster, pids[0])
            error = futures[0].exception(60)
            assert ends.within(20)  # its child ends with it
        assert isinstance(error, WorkerLost)
        assert "may have run" in str(error)
        gate.open()
        assert futures[1].result(30) == 1
        assert others.get(60) == [x * x for x in range(1000)]


def test_a_worker_killed_mid_call_costs_nothing_with_a_retry(cluster, gate):
    with Pool(2, where=cluster.address) as pool:
        futures, pids = both_held(pool, gate, retry=Retry(1, on=(WorkerLost,)))
        kill_worker(cluster, pids[0])
        gate.open()
        assert [future.result(60) for future in futures] == [0, 1]
        assert gate.times("came", 0) == 2
        assert pool.map(square, range(100)) == [x * x for x in range(100)]


def test_when_the_scheduler_is_killed_each_call_is_told_soon(cluster, gate):
    with Pool(2, where=cluster.address, on_exit="terminate") as pool:
        running, pids = both_held(pool, gate)
        waiting = [*(pool.submit(square, x) for x in range(100)), pool.map_async(square, range(1000))]
        stream = pool.imap(square, iter(range(10)))
        with Ends(*pids) as ends:
            cluster.scheduler.kill()
            end = time.monotonic() + 2 * TOLD
            errors = [future.exception(max(0.0, end - time.monotonic())) for future in [*running, *waiting]]
            with pytest.raises(ElsewhereError):
                stream.next(max(0.01, end - time.monotonic()))
            assert ends.within(60)  # nobody wants what they do any more
        assert {type(error).__mro__.index(ElsewhereError) > 0 for error in errors} == {True}
        assert [type(error) for error in errors[:2]] == [WorkerLost, WorkerLost]
        assert {type(error) for error in errors[2:]} == {type(errors[2])}
        assert SCHEDULER in str(errors[2])
        with pytest.raises(ElsewhereError):
            pool.submit(square, 1).result(2 * TOLD)


CALLER = """
import sys, time
from pathlib import Path
from elsewhere import Pool
from tests.contract.work import Gate, hold
pool = Pool(2, where=sys.argv[1])
gate = Gate(Path(sys.argv[2]))
futures = [pool.submit(hold, gate, number) for number in range(2)]
for number in range(2):
    gate.wait_for("came", number)
print("held", flush=True)
time.sleep(1000)
"""


def test_when_the_caller_is_killed_its_calls_end_and_the_cluster_serves_others(cluster, gate, tmp_path):
    folder = tmp_path / "script"
    folder.mkdir()
    with script(folder, CALLER, cluster.address, gate.folder) as running:
        assert running.line() == "held"
        pids = [int((gate.folder / f"came-{number}").read_text()) for number in range(2)]
        with Ends(*pids) as ends:
            os.kill(running.pid, signal.SIGKILL)
            running.end()
            assert ends.within(60)
    assert [worker.poll() for worker in cluster.workers] == [None, None]
    with Pool(2, where=cluster.address) as pool:
        assert pool.map(square, range(100)) == [x * x for x in range(100)]


def test_workers_killed_one_after_the_other_until_none_is_left(cluster, gate):
    """Those that are lost are told; what waits goes on waiting for workers that may come, until the pool is ended."""
    with Pool(2, where=cluster.address, on_exit="terminate") as pool:
        futures, _ = both_held(pool, gate)
        for worker in cluster.workers:
            worker.kill()
        assert [type(future.exception(60)) for future in futures] == [WorkerLost, WorkerLost]
        waiting = pool.submit(square, 3)
        until(lambda: pool.statistics().workers == 0)
        assert not waiting.done()
    assert isinstance(waiting.exception(30), ElsewhereError)
