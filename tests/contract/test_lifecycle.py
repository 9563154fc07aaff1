"""The life of a pool: open, closed, terminated, left."""

from __future__ import annotations

import itertools
import pickle
import threading

import pytest

from elsewhere import NeverStarted, PoolClosed, WorkerLost, WorkerStartError
from tests.contract.work import (
    Custom,
    add,
    fail_odd,
    hold_stubbornly,
    initialize,
    initializer_that_raises,
    note,
    only,
    square,
    until,
    what_was_seen,
)


def test_close_and_join_finish_what_was_submitted(make_pool):
    pool = make_pool()
    futures = [pool.submit(square, x) for x in range(100)]
    mapped = pool.map_async(square, range(100), 7)
    pool.close()
    pool.join()
    assert [future.result(timeout=0) for future in futures] == mapped.get(timeout=0) == [x * x for x in range(100)]


@pytest.mark.parametrize("name", ["imap", "imap_unordered"])
@pytest.mark.parametrize(
    "source", [list, iter, lambda numbers: (x for x in numbers)], ids=["list", "iter", "generator"]
)
@pytest.mark.parametrize("chunksize", [None, 7])
def test_an_imap_that_nobody_reads_is_whole_after_close_and_join(make_pool, name, source, chunksize):
    pool = make_pool()
    iterator = getattr(pool, name)(square, source(range(1000)), chunksize)
    pool.close()
    pool.join()
    assert sorted(iterator) == [x * x for x in range(1000)]


def test_an_imap_read_between_close_and_join(make_pool):
    pool = make_pool()
    iterator = pool.imap(square, (x for x in range(500)))
    assert next(iterator) == 0
    pool.close()
    assert next(iterator) == 1
    pool.join()
    assert list(iterator) == [x * x for x in range(2, 500)]


def test_errors_of_an_unread_imap_are_kept_too(make_pool):
    pool = make_pool()
    iterator = pool.imap(fail_odd, iter(range(4)))
    pool.close()
    pool.join()
    assert next(iterator) == 0
    with pytest.raises(Custom):
        next(iterator)
    assert next(iterator) == 2


@pytest.mark.parametrize(
    "call",
    [
        lambda pool: pool.apply(square, (1,)),
        lambda pool: pool.apply_async(square, (1,)),
        lambda pool: pool.apply_async(square, (1,), callback=print),
        lambda pool: pool.submit(square, 1),
        lambda pool: pool.map(square, [1]),
        lambda pool: pool.map(square, []),
        lambda pool: pool.map_async(square, [1]),
        lambda pool: pool.starmap(add, [(1,)]),
        lambda pool: pool.starmap_async(add, [(1,)]),
        lambda pool: pool.imap(square, [1]),
        lambda pool: pool.imap_unordered(square, [1]),
        lambda pool: pool.options(timeout=3).submit(square, 1),
        lambda pool: pool.executor().submit(square, 1),
        lambda pool: pool.__enter__(),
    ],
)
@pytest.mark.parametrize("end", ["close", "terminate"])
def test_a_pool_that_ended_takes_no_more_calls(make_pool, call, end):
    pool = make_pool(1)
    getattr(pool, end)()
    with pytest.raises(PoolClosed, match="Pool not running") as caught:
        call(pool)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, NeverStarted)


def test_join_before_close_is_a_mistake(make_pool):
    pool = make_pool(1)
    with pytest.raises(ValueError, match="still running"):
        pool.join()
    assert pool.apply(square, (3,)) == 9


@pytest.mark.parametrize("ends", list(itertools.product(["close", "terminate"], repeat=2)))
def test_ending_twice_does_nothing_more(make_pool, ends):
    pool = make_pool()
    assert pool.map(square, range(3)) == [0, 1, 4]
    for end in ends:
        getattr(pool, end)()
    pool.join()
    pool.join()
    for end in ends:
        getattr(pool, end)()
    assert "ended" in repr(pool)


def test_a_with_block_waits_for_what_was_submitted(make_pool):
    with make_pool() as pool:
        futures = [pool.submit(square, x) for x in range(50)]
        mapped = pool.map_async(square, range(50))
    assert all(future.done() for future in futures)
    assert mapped.successful()
    assert "ended" in repr(pool)
    with pytest.raises(PoolClosed), pool:
        pass


@only(beside=True)
def test_a_with_block_waits_for_a_call_that_runs(make_pool, place, gate):
    opener = threading.Thread(target=lambda: (gate.wait_for("came", "last"), gate.open()))
    opener.start()
    with make_pool() as pool:
        future = pool.submit(place.hold, gate, "last")
    assert future.result(timeout=0) == "last"
    opener.join()


@only(beside=True)
def test_leaving_by_an_exception_stops_everything(make_pool, place, gate):
    with pytest.raises(Custom), make_pool(2) as pool:
        running = pool.submit(place.hold, gate, "running")
        gate.wait_for("came", "running")
        waiting = [pool.submit(place.hold, gate, f"waiting {number}") for number in range(20)]
        raise Custom
    assert isinstance(running.exception(timeout=0), WorkerLost)
    assert isinstance(waiting[-1].exception(timeout=0), PoolClosed)
    assert len(gate.names("came")) <= 2
    if place.kills:
        assert not gate.has("left", "running") or gate.has("CallCancelled", "running")


@only(beside=True)
def test_on_exit_terminate_is_multiprocessings_way(make_pool, place, gate):
    with make_pool(2, on_exit="terminate") as pool:
        running = pool.submit(place.hold, gate, "running")
        gate.wait_for("came", "running")
    assert isinstance(running.exception(timeout=0), WorkerLost)


@only(beside=True)
def test_pending_results_of_a_terminated_pool_raise(make_pool, place, gate):
    pool = make_pool(2)
    first = pool.submit(place.hold, gate, "first")
    gate.wait_for("came", "first")
    mapped = pool.map_async(place.hold, [gate] * 10)
    unread = pool.imap(place.hold, [gate] * 10)
    lazy = pool.imap_unordered(place.hold, (gate for _ in itertools.count()))
    last = pool.submit(square, 3)
    pool.terminate()
    pool.join()
    with pytest.raises(PoolClosed):
        last.result(timeout=10)
    with pytest.raises(WorkerLost):
        first.result(timeout=10)
    with pytest.raises((PoolClosed, WorkerLost)):
        mapped.get(timeout=10)
    for iterator in (unread, lazy):
        with pytest.raises((PoolClosed, WorkerLost)):
            iterator.next(timeout=10)


@only(beside=True)
def test_a_thread_that_waits_for_a_terminated_pool_is_told(make_pool, place, gate):
    pool = make_pool(1)
    running = pool.submit(place.hold, gate, "running")
    gate.wait_for("came", "running")
    waiting = pool.submit(square, 3)
    told = []

    def wait():
        told.append(waiting.exception())
        told.append(running.exception())

    waiter = threading.Thread(target=wait)
    waiter.start()
    pool.terminate()
    waiter.join(30)
    assert [type(error) for error in told] == [PoolClosed, WorkerLost]


@only(kills=True)
def test_terminate_ends_a_call_that_does_not_let_itself_be_interrupted(make_pool, gate):
    pool = make_pool(2)
    future = pool.submit(hold_stubbornly, gate)
    gate.wait_for("came", "call")
    pool.terminate()
    pool.join()
    assert isinstance(future.exception(timeout=0), WorkerLost)


@pytest.mark.parametrize("name", ["imap", "imap_unordered"])
def test_breaking_out_of_an_endless_imap_ends_at_once(make_pool, name):
    with make_pool() as pool:
        for value in getattr(pool, name)(square, itertools.count()):
            if value > 100:
                break
    assert "ended" in repr(pool)


def test_a_lazy_imap_is_dropped_when_its_with_block_is_left(make_pool):
    with make_pool() as pool:
        iterator = pool.imap(square, itertools.count())
        assert next(iterator) == 0
    with pytest.raises((PoolClosed, StopIteration)):
        for _ in range(100_000):
            next(iterator)


def test_an_imap_that_was_closed_is_gone(make_pool):
    pool = make_pool()
    pulled = []
    iterator = pool.imap(square, (pulled.append(x) or x for x in itertools.count()))
    assert next(iterator) == 0
    iterator.close()
    with pytest.raises((PoolClosed, StopIteration)):
        for _ in range(100_000):
            next(iterator)
    assert pool.apply(square, (3,)) == 9
    until(lambda: pool.statistics().unfinished == 0, "the calls of the dropped imap")


def test_an_imap_that_nobody_holds_any_more_is_dropped(make_pool, gate):
    pool = make_pool()
    iterator = pool.imap(square, (note(gate, f"read {x}") and x for x in itertools.count()))
    assert next(iterator) == 0
    del iterator
    until(lambda: pool.statistics().unfinished == 0, "its calls")
    pool.close()
    pool.join()


def test_the_initializer_has_run_before_each_workers_first_call(make_pool):
    pool = make_pool(2, initialize, ("word",))
    for seen in pool.map(what_was_seen, range(20)):
        assert "word" in seen
    from tests.contract import work

    work.seen.clear()


@only(beside=True)
def test_an_initializer_that_raises_is_one_clear_error(make_pool):
    pool = make_pool(2, initializer_that_raises)
    with pytest.raises(WorkerStartError, match=r"its initializer raised Custom: no start") as caught:
        pool.submit(square, 3).result(timeout=30)
    assert isinstance(caught.value.__cause__, Custom)
    until(lambda: not pool.statistics().unfinished)
    with pytest.raises(WorkerStartError, match="no start"):
        pool.map(square, [1])
    pool.close()
    pool.join()


@only(beside=True)
def test_a_with_block_that_cannot_be_entered_ends_the_pool(make_pool):
    pool = make_pool(1, initializer_that_raises)
    with pytest.raises(WorkerStartError):
        pool.submit(square, 1).result(timeout=30)  # by now it is known
    with pytest.raises(WorkerStartError), pool:
        pass
    assert ", ended, " in repr(pool)
    with pytest.raises(PoolClosed):
        pool.submit(square, 1)


@only(beside=False)
def test_inline_an_initializer_raises_where_the_pool_is_made(make_pool):
    with pytest.raises(Custom):
        make_pool(1, initializer_that_raises)


def test_a_pool_that_is_forgotten_warns_and_ends(place):
    pool = place.pool(1)
    assert pool.apply(square, (2,)) == 4
    with pytest.warns(ResourceWarning, match="unclosed running pool"):
        del pool


def test_a_pool_cannot_be_pickled(pool):
    with pytest.raises(NotImplementedError, match="cannot be passed between processes or pickled"):
        pickle.dumps(pool)


def test_a_pool_that_refuses_what_it_is_given_says_so_and_nothing_else(make_pool):
    """What its `__del__` raised would be a warning, and an error of this test."""
    with pytest.raises(TypeError, match="unexpected keyword argument 'timout'"):
        make_pool(2, timout=3)
    with pytest.raises(TypeError, match="timeout is a number of seconds, not '3'"):
        make_pool(2, timeout="3")
