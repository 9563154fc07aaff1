"""Futures: the standard library's, asyncio's, multiprocessing's AsyncResult; and what cancelling means where."""

from __future__ import annotations

import asyncio
import concurrent.futures
import multiprocessing
import threading

import pytest

import elsewhere
from elsewhere import CallCancelled
from tests.contract.work import Custom, fail, hold, hold_stubbornly, only, pid_of, square, until


def test_it_is_a_future_of_the_standard_library(pool):
    future = pool.submit(square, 3)
    assert isinstance(future, concurrent.futures.Future)
    assert isinstance(future, elsewhere.Future)
    assert future.result() == 9
    assert future.done()
    assert not future.running()
    assert not future.cancelled()
    assert future.exception() is None
    assert future.attempt == 1
    assert isinstance(pool.map_async(square, [1]), concurrent.futures.Future)


def test_it_has_the_methods_of_asyncresult(pool):
    future = pool.apply_async(square, (3,))
    future.wait()
    future.wait(timeout=0)
    assert future.ready()
    assert future.successful()
    assert future.get() == future.get(timeout=1) == 9
    failed = pool.map_async(fail, [1])
    failed.wait(30)
    assert failed.ready()
    assert not failed.successful()
    with pytest.raises(Custom):
        failed.get()


@only(beside=True)
def test_waiting_that_ends_too_early_stops_only_the_waiting(make_pool, place, gate):
    future = make_pool().submit(place.hold, gate)
    with pytest.raises(multiprocessing.TimeoutError) as caught:
        future.get(timeout=0.01)
    assert isinstance(caught.value, TimeoutError)
    with pytest.raises(TimeoutError, match=r"^no result within 0\.01 s; the call goes on$"):
        future.result(timeout=0.01)
    with pytest.raises(TimeoutError, match="within -1 s"):
        future.exception(timeout=-1)
    with pytest.raises(TypeError, match="timeout is a number of seconds, not 'soon'"):
        future.result(timeout="soon")
    with pytest.raises(ValueError, match="timeout is a number of seconds, not nan"):
        future.get(timeout=float("nan"))
    future.wait(0.01)
    assert not future.ready()
    assert not future.done()
    with pytest.raises(ValueError, match="not ready"):
        future.successful()
    gate.wait_for("came", "call")
    assert future.running()
    gate.open()
    assert future.result() == "call"
    assert not future.running()


@pytest.mark.parametrize("module", [concurrent.futures, elsewhere])
def test_wait_and_as_completed(pool, module):
    futures = [pool.submit(square, x) for x in range(20)]
    assert sorted(future.result() for future in module.as_completed(futures, timeout=30)) == [x * x for x in range(20)]
    done, pending = module.wait(futures, timeout=30)
    assert (done, pending) == (set(futures), set())


@only(beside=True)
def test_wait_returns_when_the_first_is_done(make_pool, place, gate):
    pool = make_pool()
    slow, quick = pool.submit(place.hold, gate), pool.submit(square, 3)
    done, pending = elsewhere.wait([slow, quick], timeout=30, return_when="FIRST_COMPLETED")
    assert (done, pending) == ({quick}, {slow})
    assert next(elsewhere.as_completed([slow, quick], timeout=30)) is quick
    done, pending = elsewhere.wait([slow, quick], timeout=0.01)
    assert pending == {slow}
    failing = pool.submit(fail, 1)
    done, pending = elsewhere.wait([slow, failing], timeout=30, return_when="FIRST_EXCEPTION")
    assert (done, pending) == ({failing}, {slow})
    gate.open()
    assert {slow, failing} == set(elsewhere.as_completed([slow, failing], timeout=30))


def test_futures_of_other_pools_can_be_waited_for_together(pool):
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        futures = [pool.submit(square, 3), executor.submit(square, 4)]
        assert {future.result() for future in elsewhere.as_completed(futures)} == {9, 16}


# ---- asyncio -----------------------------------------------------------------------------------------------------


def test_it_can_be_awaited(pool):
    async def main():
        with pytest.raises(Custom):
            await pool.submit(fail, 1)
        done = pool.submit(square, 2)
        done.wait()
        return [await pool.submit(square, 3), await done, await pool.map_async(square, [1, 2])]

    assert asyncio.run(main()) == [9, 4, [1, 4]]


def test_many_can_be_gathered_and_awaited_twice(pool):
    async def main():
        futures = [pool.submit(square, x) for x in range(50)]
        values = await asyncio.gather(*(asyncio.ensure_future(_await(future)) for future in futures))
        return values, [await future for future in futures]

    expected = [x * x for x in range(50)]
    assert asyncio.run(main()) == (expected, expected)


async def _await(future):
    return await future


def test_asyncio_wrap_future(pool):
    async def main():
        with pytest.raises(Custom):
            await asyncio.wrap_future(pool.submit(fail, 1))
        return await asyncio.wait_for(asyncio.wrap_future(pool.submit(square, 3)), 30)

    assert asyncio.run(main()) == 9


@only(beside=True)
@pytest.mark.parametrize("wrap", [False, True], ids=["await", "wrap_future"])
def test_cancelling_the_task_that_awaits_cancels_the_call(make_pool, place, gate, wrap):
    pool = make_pool()

    async def main():
        future = pool.submit(place.hold, gate)
        task = asyncio.ensure_future(asyncio.wrap_future(future) if wrap else _await(future))
        await asyncio.to_thread(gate.wait_for, "came", "call")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return future

    future = asyncio.run(main())
    assert future.cancelled() is place.stops_running
    if place.stops_running:
        gate.wait_for("left", "call")
    gate.open()
    until(future.done)
    assert pool.apply(square, (3,)) == 9


@only(beside=True)
def test_asyncio_timeout_stops_the_call(make_pool, place, gate):
    pool = make_pool()

    async def main():
        async with asyncio.timeout(30) as limit:
            future = pool.submit(place.hold, gate)
            await asyncio.to_thread(gate.wait_for, "came", "call")
            limit.reschedule(asyncio.get_running_loop().time())
            await future

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    if place.stops_running:
        gate.wait_for("left", "call")
    gate.open()


@only(beside=True)
def test_awaiting_a_cancelled_call_is_cancelled_as_well(make_pool, place, gate):
    pool = make_pool(1)
    running, waiting = pool.submit(place.hold, gate), pool.submit(square, 1)
    assert waiting.cancel()

    async def main():
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())
    gate.open()
    assert running.result() == "call"


# ---- cancelling --------------------------------------------------------------------------------------------------


@only(beside=True)
def test_a_call_that_waits_can_be_cancelled_and_never_runs(make_pool, place, gate):
    pool = make_pool(1)
    running, waiting = pool.submit(place.hold, gate, "running"), pool.submit(place.hold, gate, "waiting")
    last = pool.submit(square, 3)
    gate.wait_for("came", "running")
    told = []
    waiting.add_done_callback(told.append)
    assert waiting.cancel()
    assert waiting.cancel()
    assert waiting.cancelled()
    assert waiting.done()
    with pytest.raises(concurrent.futures.CancelledError):
        waiting.result()
    with pytest.raises(concurrent.futures.CancelledError):
        waiting.exception()
    gate.open()
    assert (running.result(), last.result()) == ("running", 9)
    assert not gate.has("came", "waiting")
    until(lambda: told == [waiting], "the callback")


@only(beside=True)
def test_cancel_while_it_runs(make_pool, place, gate):
    pool = make_pool(1)
    future = pool.submit(place.hold, gate)
    gate.wait_for("came", "call")
    assert future.cancel() is place.stops_running
    assert future.cancelled() is place.stops_running
    if place.stops_running:
        gate.wait_for("left", "call")  # finally ran
        stopped_by = asyncio.CancelledError if place.hold is not hold else CallCancelled
        assert gate.has(stopped_by.__name__, "call")
    else:
        gate.open()
        assert future.result() == "call"
    assert pool.apply(square, (3,)) == 9


@only(beside=False)
def test_inline_a_running_call_cannot_be_cancelled(make_pool):
    pool = make_pool()
    inner = []

    def call():
        inner.append(pool.statistics().running)
        return 3

    future = pool.submit(call)
    assert not future.cancel()
    assert future.result() == 3
    assert len(inner[0]) == 1


@only(kills=True)
def test_cancelling_a_call_that_does_not_stop_kills_its_worker(make_pool, gate):
    pool = make_pool(1, grace=0.5)  # enough to say that it was told, on a busy machine too
    before = pool.apply(pid_of)
    future = pool.submit(hold_stubbornly, gate)
    gate.wait_for("came", "call")
    assert future.cancel()
    gate.wait_for("CallCancelled", "call")
    assert pool.apply(pid_of) != before
    assert pool.statistics().lost_workers == 1


def test_a_call_that_is_over_cannot_be_cancelled(pool):
    future = pool.submit(square, 3)
    assert future.result() == 9
    assert not future.cancel()
    assert not future.cancelled()


@only(beside=True)
def test_cancelling_a_map_drops_the_rest_of_it(make_pool, place, gate):
    pool = make_pool(1)
    future = pool.map_async(place.hold, [gate] * 50)
    gate.wait_for("came", "call")
    assert future.cancel()
    gate.open()
    assert pool.apply(square, (3,)) == 9
    assert gate.times("came", "call") == 1
    until(lambda: pool.statistics().unfinished == 0)


# ---- callbacks ---------------------------------------------------------------------------------------------------


def test_done_callbacks(pool):
    told, done = [], threading.Event()
    future = pool.submit(square, 3)
    future.add_done_callback(lambda given: (told.append(given), done.set()))
    assert done.wait(30)
    assert told == [future]
    future.add_done_callback(told.append)  # it is done: called at once
    assert told == [future, future]
    failed = pool.submit(fail, 1)
    failed.wait()
    failed.add_done_callback(told.append)
    assert told[2] is failed


def test_a_done_callback_may_submit_and_wait(pool):
    results, done = [], threading.Event()

    def callback(future):
        results.append(pool.submit(square, future.result()).result())
        done.set()

    pool.submit(square, 3).add_done_callback(callback)
    assert done.wait(30)
    assert results == [81]


def test_the_outcome_is_told_once(pool):
    future = pool.submit(square, 3)
    assert future.result() == 9
    with pytest.raises(concurrent.futures.InvalidStateError):
        future.set_result(10)
    with pytest.raises(concurrent.futures.InvalidStateError):
        future.set_exception(Custom())
    assert future.result() == 9
