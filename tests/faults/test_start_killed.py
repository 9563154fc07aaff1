"""Workers killed from outside while they start: that is no reason to give the pool up."""

from __future__ import annotations

import os
import signal

from benchmarks.faults.processes import children
from elsewhere import Pool, WorkerStartError
from tests.faults.faults import die, same
from tests.faults.helpers import until, workers

MANY = 12  # more than the failures in a row that break a pool


def test_the_fork_server_killed_while_many_start():
    before = set(children(os.getpid()))
    with Pool(MANY, preload=["colorsys"]) as pool:  # a server of its own
        (server,) = until(lambda: set(children(os.getpid())) - before)
        os.kill(server, signal.SIGKILL)
        assert pool.map(same, range(100)) == list(range(100))


def test_all_of_them_killed_again_and_again():
    killed: set[int] = set()
    with Pool(MANY) as pool:
        for _ in range(4):  # a fifth stroke in a row would be too many
            for worker in (new := until(lambda: unhurt(pool, killed))):
                os.kill(worker, signal.SIGKILL)  # by its fork server's report alive, and reaped by nobody else
            killed.update(new)
        assert pool.options(retry=5).map(same, range(100)) == list(range(100))


def unhurt(pool: Pool, killed: set[int]) -> set[int] | None:
    """All of its workers, once none of them is one that was killed before."""
    new: set[int] = workers(pool) - killed
    return new if len(new) == MANY else None


def test_an_initializer_that_kills_each_worker_still_ends():
    with Pool(MANY, die) as pool:
        error = pool.submit(same, 1).exception(30)
    assert isinstance(error, WorkerStartError)
    assert "killed by SIGKILL" in str(error)
