"""Pools inside workers: they work, they share one budget (`test_threads_of_libraries`), and end with their worker."""

from __future__ import annotations

import os
import signal
import threading

import pytest

import elsewhere
from elsewhere import Pool, WorkerLost
from tests.faults.helpers import Ends, Post, family, script, server_pid
from tests.pool import nesting

METHODS = ["forkserver", "spawn", "fork"]
OUTER = pytest.mark.parametrize("outer", METHODS)
INNER = pytest.mark.parametrize("inner", METHODS)
SOON = 30.0  # seconds: far more than anything here takes, on a busy machine too


@pytest.fixture
def post(tmp_path):
    made = Post(tmp_path / "post")
    yield made
    made.close()


@OUTER
@INNER
def test_a_pool_is_made_in_several_workers_at_once(outer, inner):
    with Pool(3, context=outer) as pool:
        jobs = [(inner, count) for count in (3, 4, 5, 6)]
        assert pool.map(nesting.doubled_in_a_pool, jobs, chunksize=1) == [
            [2 * n for n in range(count)] for _, count in jobs
        ]


@OUTER
def test_map_in_workers(outer):
    with Pool(2, context=outer) as pool:
        assert pool.map(nesting.doubled_by_map, range(6)) == [[2 * n for n in range(count)] for count in range(6)]


def test_map_inside_map():
    assert elsewhere.map(nesting.doubled_by_map, range(5)) == [[2 * n for n in range(count)] for count in range(5)]
    assert elsewhere.map(nesting.deeper, [2, 2]) == [2, 2]


def test_map_in_a_worker_forked_while_another_thread_is_in_map():
    """The lock around the process-wide pool is held in the copy, by a thread that is not there."""
    from elsewhere.pool import shared

    held, done = threading.Event(), threading.Event()

    def hold():
        with shared._lock:
            held.set()
            done.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert held.wait(10)
        with Pool(1, context="fork") as pool:
            assert pool.submit(nesting.doubled_by_map, 3).result(20) == [0, 2, 4]
    finally:
        done.set()
        thread.join()


@OUTER
@INNER
@pytest.mark.parametrize("victim", ["worker", "server"])
def test_a_nested_pool_ends_with_its_worker(post, outer, inner, victim):
    with Pool(1, context=outer, on_exit="terminate") as pool:
        worker = pool.apply(nesting.pid)
        future = pool.submit(nesting.hold_a_pool, (inner, post.path))
        inners = {post.pid(), post.pid()}
        members = family(worker)
        assert inners < set(members)
        with Ends(*members) as ends:
            os.kill(worker if victim == "worker" else server_pid(pool), signal.SIGKILL)
            with pytest.raises(WorkerLost):
                future.result(SOON)
            assert ends.within(SOON)


@OUTER
@INNER
def test_a_nested_pool_ends_with_the_caller(tmp_path, post, outer, inner):
    program = """
import sys
from elsewhere import Pool
from tests.pool import nesting
post, outer, inner = sys.argv[1:]
with Pool(2, context=outer) as pool:
    pool.map(nesting.hold_a_pool, [(inner, post)] * 2, chunksize=1)
"""
    with script(tmp_path, program, post.path, outer, inner) as running:
        inners = {post.pid() for _ in range(4)}
        members = family(running.pid)
        assert inners < set(members)
        with Ends(*members) as ends:
            os.kill(running.pid, signal.SIGKILL)
            assert ends.within(SOON)
        assert running.left == []


@OUTER
@INNER
def test_a_nested_pool_that_is_left_open_ends_with_its_worker(outer, inner):
    with Pool(1, context=outer) as pool:
        inners = pool.apply(nesting.leave_a_pool_open, (inner,))
        ends = Ends(*inners)
    with ends:
        assert ends.within(SOON)


@OUTER
@INNER
def test_the_outer_pool_is_terminated(post, outer, inner):
    pool = Pool(1, context=outer)
    pool.submit(nesting.hold_a_pool, (inner, post.path))
    with Ends(post.pid(), post.pid()) as ends:
        pool.terminate()
        assert ends.within(SOON)
