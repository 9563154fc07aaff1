"""A pool on Dask when its scheduler dies, by every way to wait; more of Dask's deaths is in `tests/cluster`."""

from __future__ import annotations

import time

import pytest

from elsewhere import ConnectionLost, ElsewhereError, Pool, WorkerLost
from tests.contract.work import Gate, hold, square
from tests.contract.yards import dask
from tests.faults.helpers import Ends

SCHEDULER, WORKERS = "127.26.0.13", ["127.26.0.14", "127.26.0.15"]
TOLD = 5.0  # seconds by which everybody knows that the scheduler has gone; more on a busy machine


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


def test_when_the_scheduler_is_killed_each_call_is_told_soon(cluster, gate):
    with Pool(2, where=cluster.address, on_exit="terminate") as pool:
        running = [pool.submit(hold, gate, number) for number in range(2)]
        for number in range(2):
            gate.wait_for("came", number)
        pids = [int((gate.folder / f"came-{number}").read_text()) for number in range(2)]
        waiting = [*(pool.submit(square, x) for x in range(100)), pool.map_async(square, range(1000))]
        stream = pool.imap(square, iter(range(10)))
        with Ends(*pids) as ends:
            cluster.scheduler.kill()
            end = time.monotonic() + 4 * TOLD
            errors = [future.exception(max(0.0, end - time.monotonic())) for future in [*running, *waiting]]
            with pytest.raises(ElsewhereError):
                stream.next(max(0.01, end - time.monotonic()))
            assert ends.within(60)  # nobody wants what they do any more
        assert [type(error) for error in errors[:2]] == [WorkerLost, WorkerLost]
        assert {type(error) for error in errors[2:]} == {ConnectionLost}
        assert SCHEDULER in errors[2].address
        with pytest.raises(ElsewhereError):
            pool.submit(square, 1).result(4 * TOLD)
