"""Every way to call: multiprocessing's methods and `submit`, their arguments, their callbacks."""

from __future__ import annotations

import functools
import itertools
import logging
import operator
import threading

import pytest

from elsewhere import MaybeEncodingError
from tests.contract.work import (
    Custom,
    add,
    fail,
    fail_odd,
    hold_the_first,
    identity,
    make_lock,
    only,
    options_of_its_own,
    square,
    square_later,
    until,
)

SQUARES = [x * x for x in range(10)]


# ---- one call ----------------------------------------------------------------------------------------------------


def test_apply(pool):
    assert pool.apply(square, (5,)) == 25
    assert pool.apply(add, (1,), {"y": 2, "z": 3}) == 6
    assert pool.apply(add, [1], kwds={"z": 3}) == 4
    assert pool.apply(dict) == {}


def test_apply_async(pool):
    assert pool.apply_async(square, (5,)).get() == 25
    assert pool.apply_async(add, args=[1], kwds={"z": 3}).get(timeout=30) == 4


def test_submit(pool):
    assert pool.submit(add, 1, y=2, z=3).result() == 6
    futures = [pool.submit(square, x) for x in range(100)]
    assert [future.result() for future in futures] == [x * x for x in range(100)]


def test_the_keywords_of_submit_are_the_functions_own(pool):
    future = pool.submit(options_of_its_own, timeout=1, retry="two", name=None, fn=4, self=5)
    assert future.result() == [1, "two", None, 4, 5]


@pytest.mark.parametrize(
    ("fn", "value"),
    [
        (lambda x: x + 1, 4),
        (functools.partial(add, y=10), 13),
        (operator.methodcaller("bit_length"), 2),
        ("{}!".format, "3!"),
        (int.__neg__, -3),
        (str, "3"),
        (Custom, Custom(3)),
    ],
    ids=["lambda", "partial", "callable object", "bound method", "slot", "class", "exception class"],
)
def test_anything_callable_can_be_called(pool, fn, value):
    assert repr(pool.submit(fn, 3).result()) == repr(value)
    assert list(map(repr, pool.map(fn, [3]))) == [repr(value)]


def test_a_closure_sees_the_variable_as_it_is_at_the_call(pool):
    factor = 2

    def times(x):
        return factor * x

    assert pool.apply(times, (3,)) == 6
    factor = 5
    assert pool.apply(times, (3,)) == 15
    assert pool.map(times, [1, 2]) == [5, 10]


def test_a_coroutine_function_is_awaited_everywhere(pool):
    assert pool.apply(square_later, (3,)) == 9
    assert pool.submit(square_later, 3).result() == 9
    assert pool.map(square_later, range(10)) == SQUARES
    assert list(pool.imap(square_later, range(10))) == SQUARES
    assert sorted(pool.imap_unordered(square_later, range(10))) == SQUARES
    assert pool.submit(functools.partial(square_later, 4)).result() == 16
    with pool.executor() as executor:
        assert executor.submit(square_later, 5).result() == 25


def test_arguments_are_copies_where_calls_have_their_own_memory(pool, place):
    argument = [1]
    returned = pool.submit(list.append, argument, 2).result()
    assert returned is None
    assert argument == ([1] if place.isolated else [1, 2])
    same = pool.submit(identity, argument).result()
    assert same == argument
    assert (same is argument) is not place.isolated


# ---- maps --------------------------------------------------------------------------------------------------------


def test_map(pool):
    assert pool.map(square, range(10)) == SQUARES
    assert pool.map(square, (x for x in range(10))) == SQUARES
    assert pool.map(square, list(range(2000))) == [x * x for x in range(2000)]


def test_starmap(pool):
    pairs = [(x, x + 1) for x in range(10)]
    assert pool.starmap(add, pairs) == [x + y for x, y in pairs]
    assert pool.starmap(add, iter([[1], (2, 3), range(2)])) == [1, 5, 1]
    assert pool.starmap(add, pairs, 3) == pool.starmap(add, pairs, chunksize=3)


def test_map_async_and_starmap_async(pool):
    assert pool.map_async(square, range(10)).get() == SQUARES
    assert pool.starmap_async(add, [(1, 2), (3, 4)]).get() == [3, 7]
    assert pool.map_async(square, range(10), 3).result() == SQUARES
    assert pool.starmap_async(add, [(1, 2), (3, 4)], 2).result() == [3, 7]


def test_imap_gives_results_in_the_inputs_order(pool):
    iterator = pool.imap(square, range(1000))
    assert iter(iterator) is iterator
    assert next(iterator) == 0
    assert iterator.next() == 1
    assert iterator.next(timeout=30) == 4
    assert list(iterator) == [x * x for x in range(3, 1000)]
    with pytest.raises(StopIteration):
        next(iterator)
    with pytest.raises(StopIteration):
        iterator.next(timeout=1)


def test_imap_unordered_gives_each_result_once(pool):
    assert sorted(pool.imap_unordered(square, range(1000))) == [x * x for x in range(1000)]


def test_further_iterables_are_further_arguments(pool):
    assert pool.map(add, [1, 2, 3], [10, 20, 30]) == [11, 22, 33]
    assert pool.map(add, (1, 2), (3, 4, 5), chunksize=2) == [4, 6]  # the shortest ends it, as in zip
    assert list(pool.imap(add, itertools.count(), [1, 2])) == [1, 3]
    assert sorted(pool.imap_unordered(add, [1, 2], (10, 20))) == [11, 22]
    assert pool.map_async(add, [1], [2]).get() == [3]


@pytest.mark.parametrize("chunksize", [1, 3, 10, 1000])
def test_an_int_in_third_place_is_the_chunksize(pool, chunksize):
    assert pool.map(square, range(10), chunksize) == SQUARES
    assert pool.map(square, range(10), chunksize=chunksize) == SQUARES
    assert pool.map_async(square, range(10), chunksize).get() == SQUARES
    assert list(pool.imap(square, range(10), chunksize)) == SQUARES
    assert list(pool.imap(square, iter(range(10)), chunksize)) == SQUARES
    assert sorted(pool.imap_unordered(square, range(10), chunksize=chunksize)) == SQUARES
    assert pool.starmap(square, zip(range(10)), chunksize) == SQUARES


def test_none_in_third_place_is_no_chunksize(pool):
    assert pool.map(square, range(10), None) == SQUARES
    assert list(pool.imap(square, range(10), None)) == SQUARES


def test_nothing_in_nothing_out(pool):
    assert pool.map(square, []) == []
    assert pool.map(square, iter(())) == []
    assert pool.map(square, [], 1) == []
    assert pool.map(add, [], [1, 2]) == []
    assert pool.starmap(add, []) == []
    assert pool.map_async(square, []).get(timeout=30) == []
    assert pool.starmap_async(add, []).get(timeout=30) == []
    assert list(pool.imap(square, [])) == []
    assert list(pool.imap(square, iter([]))) == []
    assert list(pool.imap_unordered(square, [])) == []


def test_the_callback_of_an_empty_map_is_called(pool):
    given = []
    assert pool.map_async(square, [], callback=given.append).get(timeout=30) == []
    assert given == [[]]


def test_inputs_of_every_size_and_kind(pool):
    inputs = [None, True, 1, 1.5, "x" * 10_000, b"y" * 300_000, [1], {"a": (2,)}, (), {3}, range(3), Custom]
    assert pool.map(identity, inputs) == inputs
    assert list(pool.imap(identity, inputs)) == inputs
    assert [pool.apply(identity, (value,)) for value in inputs] == inputs


def test_calls_with_their_index_input_and_outcome(pool):
    found = list(pool.calls(fail_odd, [10, 11, 12], ordered=True))
    assert [(call.index, call.input, call.value, call.attempt) for call in found] == [
        (0, 10, 10, 1),
        (1, 11, None, 1),
        (2, 12, 12, 1),
    ]
    assert [type(call.error) for call in found] == [type(None), Custom, type(None)]


# ---- callbacks ---------------------------------------------------------------------------------------------------


def test_callbacks_run_here_and_before_get_returns(pool):
    given = []

    def callback(value):
        threading.Event().wait(0.02)  # the point: whoever does not wait for it is back by then
        given.append(value)

    assert pool.apply_async(square, (3,), callback=callback).get() == 9
    assert given == [9]
    assert pool.map_async(square, range(3), callback=callback).get() == [0, 1, 4]
    assert given == [9, [0, 1, 4]]
    assert pool.starmap_async(add, [(1, 2)], callback=callback).result() == [3]
    assert given == [9, [0, 1, 4], [3]]


def test_error_callbacks_too(pool):
    values, errors = [], []
    future = pool.apply_async(fail, (3,), {}, values.append, errors.append)
    with pytest.raises(Custom) as caught:
        future.get()
    assert errors == [caught.value]
    with pytest.raises(Custom) as caught:
        pool.map_async(fail_odd, range(3), 1, values.append, errors.append).get()
    assert errors[1:] == [caught.value]
    assert values == []


def test_a_callback_for_the_other_outcome_is_left_alone(pool):
    given = []
    assert pool.apply_async(square, (3,), error_callback=given.append).get() == 9
    with pytest.raises(Custom):
        pool.apply_async(fail, (3,), callback=given.append).get()
    assert given == []


def test_callbacks_run_one_at_a_time(pool):
    inside, most, done = 0, 0, []

    def callback(value):
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        threading.Event().wait(0.005)  # the point: another one would come in meanwhile
        inside -= 1
        done.append(value)

    futures = [pool.apply_async(square, (x,), callback=callback) for x in range(8)]
    for future in futures:
        future.wait()
    assert most == 1
    assert sorted(done) == [x * x for x in range(8)]


def test_a_callback_may_submit_and_wait(pool):
    results = []

    def callback(value):
        results.append(pool.submit(square, value).result())

    assert pool.apply_async(square, (3,), callback=callback).get() == 9
    assert results == [81]


@pytest.mark.parametrize("way", ["apply_async", "map_async", "error_callback", "add_done_callback"])
def test_a_callback_that_raises_is_logged_and_stops_nothing(pool, caplog, way):
    def callback(value):
        raise RuntimeError("from the callback")

    with caplog.at_level(logging.ERROR, "elsewhere"):
        if way == "apply_async":
            assert pool.apply_async(square, (3,), callback=callback).get() == 9
        elif way == "map_async":
            assert pool.map_async(square, [3], callback=callback).get() == [9]
        elif way == "error_callback":
            with pytest.raises(Custom):
                pool.apply_async(fail, (3,), error_callback=callback).get()
        else:
            future = pool.submit(square, 3)
            future.add_done_callback(callback)
            assert future.result() == 9
        until(lambda: "from the callback" in caplog.text, "the log")
    assert pool.apply(square, (4,)) == 16


@only(isolated=True)
def test_the_callback_gets_the_error_of_a_result_that_cannot_travel(make_pool):
    errors = []
    future = make_pool().apply_async(make_lock, error_callback=errors.append)
    assert future.exception() is errors[0]
    assert isinstance(errors[0], MaybeEncodingError)


# ---- chunks ------------------------------------------------------------------------------------------------------


@only(parallel=True)
def test_a_chunksize_is_honoured(pool, gate):
    """The first call keeps the worker that has its chunk; the rest of the chunk waits for it, other chunks do not."""
    future = pool.map_async(hold_the_first, [(gate, index) for index in range(20)], chunksize=5)
    until(lambda: len(gate.names("came")) >= 11, "the chunks of the other worker")
    assert gate.names("came").isdisjoint({"1", "2", "3", "4"})
    gate.open()
    assert future.get() == list(range(20))
