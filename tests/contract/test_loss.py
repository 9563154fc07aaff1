"""A worker that dies costs the call it was in, wherever it was."""

from __future__ import annotations

import os
import signal

import pytest

from elsewhere import Retry, WorkerLost
from tests.contract.work import die_at, hold, only, pid_of, square, until

KINDS = [("kill", -9, "SIGKILL"), ("exit", 3, None)]
COUNT = 200  # calls: several runs


@only(kills=True)
@pytest.mark.parametrize("way", ["map", "imap", "imap_unordered", "submit"])
@pytest.mark.parametrize(("how", "exitcode", "name"), KINDS, ids=["kill", "exit"])
def test_only_the_call_that_ended_its_worker_is_lost(make_pool, way, how, exitcode, name):
    pool = make_pool(2)
    if way == "submit":
        futures = [pool.submit(die_at, x, 77, how) for x in range(COUNT)]
        found = [future.exception() or future.result() for future in futures]
    else:
        arguments = range(COUNT), [77] * COUNT, [how] * COUNT
        found = list(getattr(pool, way)(die_at, *arguments, return_exceptions=True))
    (error,) = [outcome for outcome in found if isinstance(outcome, BaseException)]
    assert type(error) is WorkerLost
    assert (error.exitcode, error.signal) == (exitcode, name)
    assert "tests.contract.work.die_at" in error.call
    found.remove(error)
    assert sorted(found) == [x for x in range(COUNT) if x != 77]
    assert pool.statistics().lost_workers == 1
    assert pool.apply(square, (3,)) == 9


@only(kills=True)
@pytest.mark.parametrize("how", ["kill", "exit"])
def test_with_a_retry_nothing_is_lost(make_pool, gate, how):
    pool = make_pool(2)
    assert pool.starmap(die_at, [(x, 77, how, gate) for x in range(COUNT)], retry=1) == list(range(COUNT))
    assert pool.statistics().retried == 1


@only(kills=True)
def test_a_call_that_ends_each_worker_is_tried_as_often_as_asked(make_pool):
    pool = make_pool(1)
    future = pool.options(retry=Retry(2, on=(WorkerLost,))).submit(die_at, 0, 0, "exit")
    assert isinstance(future.exception(), WorkerLost)
    assert future.attempt == 3
    assert pool.statistics().lost_workers == 3


@only(kills=True)
def test_a_worker_that_is_killed_from_outside(make_pool, gate):
    pool = make_pool(1)
    running = pool.submit(hold, gate, "running")
    waiting = pool.submit(square, 3)
    gate.wait_for("came", "running")
    pid = int((gate.folder / "came-running").read_text())
    os.kill(pid, signal.SIGKILL)
    error = running.exception()
    assert isinstance(error, WorkerLost)
    assert (error.pid, error.exitcode) == (pid, -9)
    assert str(pid) in str(error)
    assert waiting.result() == 9


@only(kills=True)
def test_an_idle_worker_that_is_killed_costs_nothing(make_pool):
    pool = make_pool(1)
    pid = pool.apply(pid_of)
    os.kill(pid, signal.SIGKILL)
    until(lambda: pid not in pool._driver.workers(), "its end to be seen")
    assert pool.apply(pid_of) != pid
    assert pool.map(square, range(10)) == [x * x for x in range(10)]


@only(kills=True)
def test_a_worker_is_replaced_after_so_many_calls(make_pool):
    pool = make_pool(1, maxtasksperchild=5)
    pids = [pool.apply(pid_of) for _ in range(11)]
    assert [len(set(pids[at : at + 5])) for at in (0, 5, 10)] == [1, 1, 1]
    assert len(set(pids)) == 3
    assert pool.statistics().lost_workers == 0
