"""How errors arrive: as themselves wherever they can, with the way they took, and never not at all."""

from __future__ import annotations

import multiprocessing.pool
import re
import traceback

import pytest

from elsewhere import ElsewhereError, MaybeEncodingError, RemoteError
from tests.contract.work import (
    Custom,
    NotUnpicklable,
    Slotted,
    Unpicklable,
    Unprintable,
    fail,
    fail_later,
    fail_odd,
    fail_with,
    make_lock,
    only,
    raise_kind,
    square,
)

WAYS = {
    "apply": lambda pool, fn, x: pool.apply(fn, (x,)),
    "submit": lambda pool, fn, x: pool.submit(fn, x).result(),
    "get": lambda pool, fn, x: pool.apply_async(fn, (x,)).get(),
    "map": lambda pool, fn, x: pool.map(fn, [x]),
    "starmap": lambda pool, fn, x: pool.starmap(fn, [(x,)]),
    "map_async": lambda pool, fn, x: pool.map_async(fn, [x]).get(),
    "imap": lambda pool, fn, x: next(pool.imap(fn, [x])),
    "imap_unordered": lambda pool, fn, x: next(pool.imap_unordered(fn, iter([x]))),
    "executor": lambda pool, fn, x: pool.executor().submit(fn, x).result(),
}
EVERY_WAY = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())


@EVERY_WAY
@pytest.mark.parametrize("fn", [fail, fail_later])
def test_an_error_keeps_its_type_and_attributes(pool, place, way, fn):
    with pytest.raises(Custom, match=r"^bad 3") as caught:
        way(pool, fn, 3)
    error = caught.value
    assert type(error) is Custom
    assert error.code == 3
    assert error.args == ("bad 3",)
    (note,) = error.__notes__
    assert f"tests.contract.work.{fn.__name__}(3)" in note
    assert "input " in note
    if place.isolated:
        assert isinstance(error.__cause__, multiprocessing.pool.RemoteTraceback)
        assert 'error = Custom(f"bad' in str(error.__cause__) or "raise error" in str(error.__cause__)
    else:
        assert error.__cause__ is None
        assert any(frame.name == "fail" for frame in traceback.extract_tb(error.__traceback__))


def test_the_note_names_function_shortened_arguments_index_and_worker(pool, place):
    with pytest.raises(Custom) as caught:
        pool.map(fail_odd, [0, 2, 4, 5, 6])
    (note,) = caught.value.__notes__
    assert "tests.contract.work.fail_odd(5), input 3, in " in note
    assert re.search(place.whose, note)
    with pytest.raises(Custom) as caught:
        pool.apply(fail, ("x" * 10_000,))
    (note,) = caught.value.__notes__
    assert len(note) < 300
    assert "tests.contract.work.fail('xxx" in note


def test_the_note_has_the_name_of_the_options(pool):
    with pytest.raises(Custom) as caught:
        pool.options(name="nightly job").submit(fail, 3).result()
    assert "nightly job" in caught.value.__notes__[0]


def test_arguments_whose_repr_raises_hide_nothing(pool):
    with pytest.raises(Custom, match="bad one"):
        pool.apply(fail_with, (Unprintable(),))


@EVERY_WAY
def test_an_error_that_cannot_be_pickled_arrives_in_words(pool, place, way):
    with pytest.raises((RemoteError, Unpicklable)) as caught:
        way(pool, raise_kind, "Unpicklable")
    error = caught.value
    assert "with a lock" in str(error)
    assert isinstance(error, RemoteError) is place.isolated
    if isinstance(error, RemoteError):
        assert error.type_name == "tests.contract.work.Unpicklable"
        assert error.text == "with a lock"
        assert 'raise Unpicklable("with a lock")' in error.traceback
        assert isinstance(error.__cause__, multiprocessing.pool.RemoteTraceback)
        assert isinstance(error, ElsewhereError)


@EVERY_WAY
def test_an_error_that_cannot_be_unpickled_arrives_in_words(pool, place, way):
    with pytest.raises((RemoteError, NotUnpicklable)) as caught:
        way(pool, raise_kind, "NotUnpicklable")
    error = caught.value
    assert "needs a code" in str(error)
    assert isinstance(error, RemoteError) is place.isolated
    if isinstance(error, RemoteError):
        assert error.type_name == "tests.contract.work.NotUnpicklable"
        assert error.text == "needs a code"
        assert 'raise NotUnpicklable("needs a code", 7)' in error.traceback
        assert "missing 1 required positional argument" in str(error)


@EVERY_WAY
@only(isolated=True)
def test_a_result_that_nothing_can_pickle(make_pool, way):
    pool = make_pool(1)
    with pytest.raises(MaybeEncodingError) as caught:
        way(pool, make_lock, 1)
    error = caught.value
    assert isinstance(error, multiprocessing.pool.MaybeEncodingError)
    assert isinstance(error, RemoteError)
    assert "cannot pickle '_thread.lock' object" in error.exc
    assert "lock" in error.value
    assert "Error sending result" in str(error)
    assert pool.apply(square, (3,)) == 9


@EVERY_WAY
def test_an_error_that_takes_no_note_arrives_too(pool, way):
    with pytest.raises(Slotted, match="no room"):
        way(pool, raise_kind, "Slotted")


@EVERY_WAY
@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_system_exit_and_keyboard_interrupt_come_back_as_such(make_pool, way, kind):
    pool = make_pool(1)
    with pytest.raises(kind) as caught:
        way(pool, raise_kind, kind.__name__)
    if kind is SystemExit:
        assert caught.value.code == 3
    assert pool.apply(square, (3,)) == 9
    assert pool.statistics().lost_workers == 0


@only(beside=True)
def test_a_future_has_the_error(pool):
    future = pool.submit(fail, 3)
    error = future.exception()
    assert type(error) is Custom
    with pytest.raises(Custom) as caught:
        future.result()
    assert caught.value is error
    with pytest.raises(Custom) as caught:
        future.get()
    assert caught.value is error


# ---- some of many ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunksize", [None, 4])
def test_everything_finishes_then_one_error_carries_all_results(pool, chunksize):
    with pytest.raises(Custom) as caught:
        pool.map(fail_odd, range(6), chunksize)
    assert caught.value.code == 1  # the first by place
    results = caught.value.results
    assert [value.code if isinstance(value, Custom) else value for value in results] == [0, 1, 2, 3, 4, 5]
    assert [type(value) for value in results] == [int, Custom] * 3
    assert results[1] is caught.value


def test_the_error_of_map_async_and_starmap_carries_them_too(pool):
    with pytest.raises(Custom) as caught:
        pool.map_async(fail_odd, range(2)).get()
    assert caught.value.results[0] == 0
    with pytest.raises(Custom) as caught:
        pool.starmap(fail_odd, [(1,), (2,)])
    assert caught.value.results[1] == 2


def test_return_exceptions_gives_them_among_the_values(pool):
    def tell(values):
        return [value.code if isinstance(value, Custom) else f"value {value}" for value in values]

    expected = ["value 0", 1, "value 2", 3]
    assert tell(pool.map(fail_odd, range(4), return_exceptions=True)) == expected
    assert tell(pool.starmap(fail_odd, zip(range(4)), return_exceptions=True)) == expected
    assert tell(pool.imap(fail_odd, range(4), return_exceptions=True)) == expected
    unordered = tell(pool.imap_unordered(fail_odd, iter(range(4)), return_exceptions=True))
    assert sorted(map(str, unordered)) == sorted(map(str, expected))


def test_exceptions_that_are_returned_are_values(pool):
    (value,) = pool.map(Custom, ["a value"])
    assert type(value) is Custom
    assert type(pool.apply(Custom, ("a value",))) is Custom
    assert type(next(pool.imap(Custom, ["a value"]))) is Custom


# ---- arguments ---------------------------------------------------------------------------------------------------


class Refuses:
    def __reduce__(self):
        raise Custom("will not be pickled")


@only(isolated=True)
@pytest.mark.parametrize("way", [WAYS[name] for name in ("apply", "submit", "map", "starmap", "map_async")])
def test_an_argument_that_cannot_be_pickled_raises_where_it_was_passed(pool, way):
    with pytest.raises(Custom, match="will not be pickled") as caught:
        way(pool, square, Refuses())
    assert "cannot be pickled" in caught.value.__notes__[0]
    assert pool.apply(square, (3,)) == 9


@only(isolated=True)
@pytest.mark.parametrize("source", [list, iter])
def test_an_input_of_imap_that_cannot_be_pickled_raises_at_its_place(pool, source):
    iterator = pool.imap(str, source([1, Refuses(), 3]))
    assert next(iterator) == "1"
    with pytest.raises(Custom, match="will not be pickled") as caught:
        next(iterator)
    assert "item 1 cannot be pickled" in caught.value.__notes__[0]
    assert next(iterator) == "3"
    assert list(iterator) == []


@only(beside=False)
@pytest.mark.parametrize("name", ["map", "imap"])
def test_inline_ctrl_c_ends_the_whole_map(make_pool, name):
    called = []

    def call(x):
        called.append(x)
        if x == 1:
            raise KeyboardInterrupt

    pool = make_pool()
    with pytest.raises(KeyboardInterrupt):
        list(getattr(pool, name)(call, range(5)))
    assert pool.apply(square, (3,)) == 9
    assert called == [0, 1]
    assert pool.statistics().unfinished == 0
