"""imap at both ends: how far it reads ahead, what a source that blocks or raises does, and how it is consumed."""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import threading

import pytest

from elsewhere import PoolClosed, WorkerLost
from tests.contract.work import Custom, fail_odd, only, square, square_later, until

BOTH = pytest.mark.parametrize("name", ["imap", "imap_unordered"])
FURTHEST = 4096  # inputs read ahead: a few ms of the quickest calls, times the workers


class Counting:
    """A source that counts what is taken from it."""

    def __init__(self, values=None):
        self.taken = 0
        self._values = itertools.count() if values is None else iter(values)

    def __iter__(self):
        return self

    def __next__(self):
        value = next(self._values)
        self.taken += 1
        return value


@BOTH
def test_it_reads_no_further_ahead_than_a_window(pool, name):
    source = Counting()
    iterator = getattr(pool, name)(square, source)
    for consumed in range(1, 3001):
        next(iterator)
        assert source.taken <= consumed + FURTHEST
    iterator.close()


@BOTH
@only(beside=True)
def test_it_reads_few_slow_calls_ahead(make_pool, place, gate, name):
    """While nobody knows how long a call takes, what keeps two workers busy is a handful."""
    source = Counting(itertools.repeat(gate))
    iterator = getattr(make_pool(2), name)(place.hold, source)
    gate.wait_for("came", "call")
    until(lambda: source.taken >= 2)
    threading.Event().wait(0.1)  # nothing is to happen now: there is no event for that
    assert source.taken <= 16
    gate.open()
    assert next(iterator) == "call"
    iterator.close()


@BOTH
def test_a_consumer_that_stops_stops_the_reading(pool, name):
    source = Counting()
    iterator = getattr(pool, name)(square, source)
    for _ in range(100):
        next(iterator)
    until(lambda: pool.statistics().unfinished == 0, "what was read ahead")
    taken = source.taken
    threading.Event().wait(0.05)  # likewise
    assert source.taken <= max(taken, 100 + FURTHEST)
    iterator.close()


@BOTH
def test_a_map_with_a_chunksize_is_lazy_too(pool, name):
    source = Counting()
    iterator = getattr(pool, name)(square, source, 10)
    for consumed in range(1, 500):
        next(iterator)
        assert source.taken <= consumed + FURTHEST
    iterator.close()


@BOTH
def test_a_source_that_blocks_delays_nothing_that_is_done(pool, name):
    go_on = threading.Event()

    def source():
        yield 1
        yield 2
        assert go_on.wait(30)
        yield 3

    iterator = getattr(pool, name)(square, source())
    assert sorted([iterator.next(timeout=30), iterator.next(timeout=30)]) == [1, 4]
    with pytest.raises(multiprocessing.TimeoutError):
        iterator.next(timeout=0.01)
    go_on.set()
    assert iterator.next(timeout=30) == 9
    assert list(iterator) == []


def test_a_source_that_blocks_holds_up_no_other_calls(pool):
    go_on = threading.Event()
    iterator = pool.imap(square, (go_on.wait(30) and x for x in range(3)))
    assert pool.map(square, range(5)) == [0, 1, 4, 9, 16]
    go_on.set()
    assert list(iterator) == [0, 1, 4]


@pytest.mark.parametrize(
    ("chunksize", "odd"), [(None, ""), (2, ""), (3, "the last 1, which are no whole chunk, were not called")]
)
def test_a_source_that_raises_raises_at_its_place(pool, chunksize, odd):
    def source():
        yield 1
        yield 2
        yield 3
        yield 4
        raise Custom("from the source")

    iterator = pool.imap(square, source(), chunksize)
    called = 3 if odd else 4  # as multiprocessing, which leaves out what is no whole chunk
    assert [next(iterator) for _ in range(called)] == [1, 4, 9, 16][:called]
    with pytest.raises(Custom, match="from the source") as caught:
        next(iterator)
    assert caught.value.__notes__ == [
        f"raised by the inputs after 4 of them: {odd or 'these were called'}, and here it ends"
    ]
    with pytest.raises(StopIteration):
        next(iterator)


def test_a_source_that_raises_unordered_raises_after_all_results(pool):
    def source():
        yield 1
        raise Custom("from the source")

    iterator = pool.imap_unordered(square, source())
    assert next(iterator) == 1
    with pytest.raises(Custom, match="from the source"):
        next(iterator)


@BOTH
def test_a_source_that_cannot_be_iterated_fails_at_once(pool, name):
    with pytest.raises(TypeError, match="not iterable"):
        getattr(pool, name)(square, 3)
    with pytest.raises(TypeError, match="not iterable"):
        pool.map(square, 3)


def test_map_gives_the_error_of_its_source(pool):
    with pytest.raises(Custom, match="from the source") as caught:
        pool.map(square, (raise_custom() if x == 2 else x for x in range(3)))
    how_far = "raised by the inputs after 2 of them: no call was made, as a map reads all inputs before the first"
    assert caught.value.__notes__ == [how_far]
    with pytest.raises(TypeError, match="not iterable") as caught:
        pool.map(square, 3)
    assert not hasattr(caught.value, "__notes__")


def raise_custom():
    raise Custom("from the source")


def test_an_error_is_raised_at_its_place_and_next_goes_on(pool):
    iterator = pool.imap(fail_odd, range(5))
    found = []
    for _ in range(5):
        try:
            found.append(next(iterator))
        except Custom as error:
            found.append((error.code,))
    assert found == [0, (1,), 2, (3,), 4]
    with pytest.raises(StopIteration):
        next(iterator)


def test_next_with_a_timeout_only_stops_waiting(make_pool, place, gate):
    if not place.beside:
        gate.open()
    iterator = make_pool().imap(place.hold, iter([gate]))
    if place.beside:
        with pytest.raises(multiprocessing.TimeoutError, match="the calls go on") as caught:
            iterator.next(timeout=0.01)
        assert isinstance(caught.value, TimeoutError)
        gate.open()
    assert iterator.next(timeout=30) == "call"


@BOTH
@pytest.mark.parametrize("source", [list, iter])
def test_async_for(pool, name, source):
    async def consume():
        return [value async for value in getattr(pool, name)(square_later, source(range(300)))]

    assert sorted(asyncio.run(consume())) == [x * x for x in range(300)]


@BOTH
def test_async_for_leaves_the_loop_free(make_pool, place, gate, name):
    """The consumer waits, and the loop runs on: here, until another task lets the calls go."""
    if not place.beside:
        gate.open()

    async def consume():
        iterator = getattr(make_pool(), name)(place.hold, iter([gate, gate]))
        asyncio.get_running_loop().call_later(0.01, gate.open)
        return [value async for value in iterator]

    assert asyncio.run(consume()) == ["call", "call"]


def test_async_for_raises_at_its_place_and_goes_on(pool):
    async def consume():
        iterator = pool.imap(fail_odd, iter(range(3)))
        found = [await anext(iterator)]
        with pytest.raises(Custom):
            await anext(iterator)
        found.append(await anext(iterator))
        with pytest.raises(StopAsyncIteration):
            await anext(iterator)
        return found

    assert asyncio.run(consume()) == [0, 2]


@only(beside=True)
def test_async_for_is_told_when_the_pool_ends(make_pool, place, gate):
    async def consume():
        pool = make_pool()
        iterator = pool.imap(place.hold, itertools.repeat(gate))
        asyncio.get_running_loop().call_later(0.02, pool.terminate)
        async for _ in iterator:
            pass

    with pytest.raises((PoolClosed, WorkerLost)):
        asyncio.run(asyncio.wait_for(consume(), 30))


def test_two_consumers_share_one_imap(pool):
    iterator = pool.imap(square, iter(range(2000)))
    found: list[list[int]] = [[], []]
    threads = [threading.Thread(target=lambda at=at: found[at].extend(iterator)) for at in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(found[0] + found[1]) == [x * x for x in range(2000)]


def test_imaps_beside_each_other(pool):
    iterators = [pool.imap(square, iter(range(200))) for _ in range(5)]
    assert [values for values in zip(*iterators, strict=True)] == [(x * x,) * 5 for x in range(200)]  # noqa: C416 - the point is to read them in turn


def test_an_imap_inside_an_imap(pool):
    outer = pool.imap(square, pool.imap(square, iter(range(10))))
    assert list(outer) == [x**4 for x in range(10)]


def test_a_stream_of_a_closed_pool_says_so(make_pool):
    pool = make_pool()
    iterator = pool.imap(square, itertools.count())
    pool.terminate()
    with pytest.raises((PoolClosed, StopIteration)):
        for _ in range(100_000):
            next(iterator)
