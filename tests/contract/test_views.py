"""A pool seen through others: options, the executor, threads, statistics, its repr, the bar; and wrong arguments."""

from __future__ import annotations

import asyncio
import concurrent.futures
import io
import re
import sys
import threading
from typing import Any, cast

import pytest

from elsewhere import Pool, Retry
from tests.contract.work import Custom, add, fail, fail_odd, only, square, square_later, until

# ---- options -----------------------------------------------------------------------------------------------------


def test_a_view_has_every_way_to_call(pool):
    view = pool.options(timeout=30, retry=1, name="viewed")
    assert view.apply(square, (3,)) == 9
    assert view.apply_async(square, (3,)).get() == 9
    assert view.submit(add, 1, y=2).result() == 3
    assert view.map(square, range(3)) == list(view.imap(square, range(3))) == [0, 1, 4]
    assert sorted(view.imap_unordered(square, range(3))) == view.map_async(square, range(3)).get() == [0, 1, 4]
    assert view.starmap(add, [(1, 2)]) == view.starmap_async(add, [(1, 2)]).get() == [3]
    assert "timeout=30" in repr(view)
    assert repr(pool) in repr(view)


@only(beside=True)
def test_the_name_is_seen_in_statistics(make_pool, place, gate):
    pool = make_pool()
    future = pool.options(name="nightly job").submit(place.hold, gate)
    gate.wait_for("came", "call")
    (running,) = pool.statistics().running
    assert running.name == "nightly job"
    gate.open()
    future.result()


# ---- the executor ------------------------------------------------------------------------------------------------


def test_the_executor_is_a_real_one(pool):
    executor = pool.executor()
    assert isinstance(executor, concurrent.futures.Executor)
    assert executor.submit(add, 1, y=2).result() == 3
    assert list(executor.map(square, range(5))) == [0, 1, 4, 9, 16]
    assert list(executor.map(add, [1, 2], [3, 4], timeout=30, chunksize=2)) == [4, 6]
    with pytest.raises(Custom):
        executor.submit(fail, 1).result()
    futures = [executor.submit(square, x) for x in range(10)]
    assert {future.result() for future in concurrent.futures.as_completed(futures)} == {x * x for x in range(10)}


def test_an_executor_has_the_options_of_its_view(pool):
    future = pool.options(retry=1).executor().submit(fail, 1)
    with pytest.raises(Custom):
        future.result()
    assert future.attempt == 2


def test_run_in_executor(pool):
    async def main():
        loop = asyncio.get_running_loop()
        with pool.executor() as executor:
            return await asyncio.gather(*(loop.run_in_executor(executor, square, x) for x in range(10)))

    assert asyncio.run(main()) == [x * x for x in range(10)]


def test_shutdown_ends_the_executor_and_not_the_pool(pool):
    with pool.executor() as executor:
        future = executor.submit(square, 3)
    assert future.done()
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(square, 3)
    executor.shutdown()
    assert pool.executor().submit(square, 4).result() == 16


@only(beside=True)
def test_shutdown_waits_or_cancels_what_has_not_begun(make_pool, place, gate):
    pool = make_pool(1)
    executor = pool.executor()
    running = executor.submit(place.hold, gate, "running")
    gate.wait_for("came", "running")
    waiting = [executor.submit(place.hold, gate, "waiting") for _ in range(5)]
    executor.shutdown(wait=False, cancel_futures=True)
    assert all(future.cancelled() for future in waiting)
    assert running.running()
    waiter = threading.Thread(target=executor.shutdown)
    waiter.start()
    assert not running.done()
    gate.open()
    waiter.join(30)
    assert running.result(timeout=0) == "running"
    assert not gate.has("came", "waiting")


@only(beside=True)
def test_a_running_call_of_an_executor_cannot_be_cancelled(make_pool, place, gate):
    future = make_pool(1).executor().submit(place.hold, gate)
    gate.wait_for("came", "call")
    assert future.running()
    assert not future.cancel()
    gate.open()
    assert future.result() == "call"


# ---- one pool, many threads --------------------------------------------------------------------------------------


def test_one_pool_serves_32_threads_at_once(pool, place):
    failures: list[BaseException] = []
    start = threading.Barrier(32)
    turns = 1 if place.slow else 5

    def work(number):
        try:
            start.wait(30)
            for turn in range(turns):
                numbers = range(number, number + 10)
                squares = [x * x for x in numbers]
                assert pool.map(square, numbers) == squares
                assert list(pool.imap(square, iter(numbers))) == squares
                assert [pool.submit(square, x).result() for x in numbers] == squares
                assert pool.apply(add, (number,), {"z": turn}) == number + turn
                assert pool.map(square_later, numbers) == squares
                with pytest.raises(Custom) as caught:
                    pool.map(fail_odd, numbers)
                assert caught.value.code in numbers
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
    assert failures == []
    assert not any(thread.is_alive() for thread in threads)
    until(lambda: pool.statistics().unfinished == 0)


# ---- what it tells about itself ----------------------------------------------------------------------------------


def test_statistics_and_repr_of_an_idle_pool(make_pool, place):
    pool = make_pool()
    pool.map(square, range(10))
    with pytest.raises(Custom):
        pool.apply(fail, (1,))
    statistics = pool.statistics()
    assert statistics.size == (2 if place.beside else 1)
    assert statistics.running == ()
    assert (statistics.unfinished, statistics.succeeded, statistics.failed) == (0, 10, 1)
    assert (statistics.retried, statistics.lost_workers, statistics.abandoned) == (0, 0, 0)
    with pytest.raises(AttributeError):
        statistics.size = 3
    assert re.search(f"{statistics.size} {place.shown}, open, 0 unfinished, 10 succeeded, 1 failed", repr(pool))
    pool.close()
    pool.join()
    assert re.search(f"{place.shown}, ended, 0 unfinished", repr(pool))


@only(beside=True)
def test_statistics_and_repr_of_a_busy_pool(make_pool, place, gate):
    pool = make_pool(1)
    first = pool.submit(place.hold, gate, "first")
    gate.wait_for("came", "first")
    waiting = [pool.submit(square, x) for x in range(3)]
    until(lambda: pool.statistics().unfinished == 4)
    statistics = pool.statistics()
    assert statistics.workers == 1
    (running,) = statistics.running
    assert running.name == f"tests.contract.work.{place.hold.__name__}"
    assert running.index == 0
    assert 0 <= running.age < 60
    if place.isolated:
        assert running.worker == int((gate.folder / "came-first").read_text())
    assert "open, 4 unfinished" in repr(pool)
    pool.close()
    assert "closed, 4 unfinished" in repr(pool)
    gate.open()
    assert [future.result() for future in [first, *waiting]] == ["first", 0, 1, 4]


@pytest.mark.parametrize("progress", [True, 20])
@pytest.mark.parametrize("name", ["map", "imap", "imap_unordered", "starmap"])
def test_a_bar_does_no_harm(pool, monkeypatch, name, progress):
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    inputs = zip(range(20)) if name == "starmap" else range(20)
    results = list(getattr(pool, name)(square, inputs, progress=progress))
    assert sorted(results) == [x * x for x in range(20)]
    assert "20" in stderr.getvalue()
    assert "square" in stderr.getvalue()


@pytest.mark.parametrize("name", ["map_async", "starmap_async"])
def test_who_does_not_wait_has_the_same_options(pool, monkeypatch, name):
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    inputs = [(x,) for x in range(10)] if name == "starmap_async" else range(10)
    future = getattr(pool, name)(fail_odd, inputs, timeout=60, retry=1, progress="odd ones", return_exceptions=True)
    assert [isinstance(value, Custom) for value in future.result(60)] == [False, True] * 5
    assert "odd ones" in stderr.getvalue()
    assert "5 failed" in stderr.getvalue()


def test_each_call_told_has_the_same_options(pool):
    told = list(pool.calls(fail_odd, range(4), ordered=True, timeout=60, retry=1))
    assert [(call.index, call.attempt) for call in told] == [(0, 1), (1, 2), (2, 1), (3, 2)]


def test_a_bar_that_is_none(pool):
    with pytest.raises(TypeError, match=r"progress is True, False, a label or a number of calls, not 2\.5"):
        pool.map(square, range(3), progress=2.5)


def test_a_bar_counts_failures(pool, monkeypatch):
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    with pytest.raises(Custom):
        pool.map(fail_odd, range(10), progress=True)
    assert "5 failed" in stderr.getvalue()


# ---- wrong arguments ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"processes": 0}, ValueError, "Number of processes must be at least 1, not 0"),
        ({"processes": -1}, ValueError, "at least 1"),
        ({"processes": 2.0}, TypeError, "processes is a whole number, not 2.0"),
        ({"processes": True}, TypeError, "whole number"),
        ({"initializer": "no function"}, TypeError, "initializer must be a callable, not 'no function'"),
        ({"initializer": print, "initargs": 3}, TypeError, "not iterable"),
        ({"maxtasksperchild": 0}, ValueError, "maxtasksperchild must be a positive int or None, not 0"),
        ({"maxtasksperchild": 1.5}, ValueError, "positive int"),
        ({"timeout": 0}, ValueError, "timeout is more than 0 seconds, not 0"),
        ({"timeout": float("nan")}, ValueError, "more than 0 seconds"),
        ({"timeout": "1"}, TypeError, "timeout is a number of seconds, not '1'"),
        ({"retry": -1}, ValueError, "retries is 0 or more, not -1"),
        ({"retry": 1.5}, TypeError, "retries is a whole number, not 1.5"),
        ({"on_exit": "close"}, ValueError, 'on_exit is "wait" or "terminate", not \'close\''),
        ({"grace": -1}, ValueError, "grace is a number of seconds from 0 up, not -1"),
        ({"where": "nowhere"}, ValueError, "where is one of 'processes', 'threads', 'loop', 'inline', \"dask\""),
    ],
)
def test_a_pool_that_is_asked_for_wrongly(place, arguments, kind, message):
    with pytest.raises(kind) as caught:
        Pool(**{**place.options, **arguments})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda pool: pool.submit(3), TypeError, "3 is not callable"),
        (lambda pool: pool.apply(None), TypeError, "None is not callable"),
        (lambda pool: pool.apply_async("f", callback=print), TypeError, "'f' is not callable"),
        (lambda pool: pool.map(3, [1]), TypeError, "3 is not callable"),
        (lambda pool: pool.imap(3, [1]), TypeError, "3 is not callable"),
        (lambda pool: pool.starmap(3, [()]), TypeError, "3 is not callable"),
        (lambda pool: pool.map(square), TypeError, "iterable"),
        (lambda pool: pool.map(square, [1], 0), ValueError, "Chunksize must be 1+, not 0"),
        (lambda pool: pool.imap(square, [1], -1), ValueError, "Chunksize must be 1+, not -1"),
        (lambda pool: pool.imap_unordered(square, [1], chunksize=0), ValueError, "Chunksize must be 1+"),
        (lambda pool: pool.map(square, [1], chunksize=1.5), TypeError, "chunksize is a whole number, not 1.5"),
        (lambda pool: pool.map(square, [1], 1, 2, 3, 4), TypeError, "at most two callbacks"),
        (lambda pool: pool.map(square, [1], timeout=-1), ValueError, "timeout is more than 0"),
        (lambda pool: pool.map(square, [1], retry="twice"), TypeError, "retries is a whole number"),
        (lambda pool: pool.options(timeout=0), ValueError, "timeout is more than 0"),
        (lambda pool: pool.options(retry=Retry), TypeError, "retries is a whole number"),
        (lambda pool: pool.options(patience=3), TypeError, "patience"),
        (lambda pool: Retry(1, on=cast(Any, "OSError")), TypeError, "takes exception types, not 'OSError'"),
        (lambda pool: Retry(1, backoff=-1), ValueError, "backoff is a number of seconds from 0 up"),
    ],
)
def test_calls_that_are_asked_for_wrongly(pool, call, kind, message):
    with pytest.raises(kind) as caught:
        call(pool)
    assert message in str(caught.value)
    assert pool.apply(square, (3,)) == 9


def test_wrong_arguments_for_the_function_are_its_own_error(pool):
    with pytest.raises(TypeError, match=r"square\(\) takes 1 positional argument but 2 were given"):
        pool.submit(square, 1, 2).result()
    with pytest.raises(TypeError, match=r"argument after|not iterable"):
        pool.starmap(square, [3])
