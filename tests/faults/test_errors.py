"""Nothing dies: what cannot be pickled, loaded or afforded is an error of its call, and the worker goes on."""

from __future__ import annotations

import os
import pickle
import resource
import sys
from pathlib import Path

import pytest

from elsewhere import MaybeEncodingError, Pool, RemoteError
from tests.faults.faults import (
    ErrorAtPickle,
    ErrorAtUnpickle,
    ExceptionThatFailsToUnpickle,
    ExceptionWithoutText,
    UnpicklableException,
    pid,
    raise_keyboard_interrupt,
    raise_one_that_fails_to_unpickle,
    raise_system_exit,
    raise_unpicklable,
    raise_without_text,
    result_that_errors_at_pickle,
    result_that_errors_at_unpickle,
    result_that_exits_at_unpickle,
    result_whose_error_has_no_text,
    same,
    unpicklable_result,
)
from tests.faults.helpers import WAYS, errors_in


@pytest.fixture
def pool():
    with Pool(1, on_exit="terminate") as pool:
        before = pool.submit(pid).result(30)
        yield pool
        assert pool.submit(pid).result(30) == before, "the worker was replaced"
        assert pool.statistics().lost_workers == 0


FAILURES = [
    (raise_unpicklable, RemoteError, ["UnpicklableException: locked", "it could not be pickled"]),
    (raise_one_that_fails_to_unpickle, RemoteError, ["ExceptionThatFailsToUnpickle: two", "could not be unpickled"]),
    (raise_without_text, ExceptionWithoutText, []),
    (unpicklable_result, MaybeEncodingError, ["lock"]),
    (result_that_errors_at_pickle, MaybeEncodingError, ["not with me"]),
    (result_that_errors_at_unpickle, RemoteError, ["not here"]),
    (result_that_exits_at_unpickle, RemoteError, ["SystemExit: 6"]),
    (result_whose_error_has_no_text, RemoteError, ["ExceptionWithoutText: <no text"]),
    (raise_system_exit, SystemExit, ["5"]),
    (raise_keyboard_interrupt, KeyboardInterrupt, []),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("function", "kind", "texts"), FAILURES)
def test_what_a_call_leaves(pool, function, kind, texts, way):
    if issubclass(kind, SystemExit | KeyboardInterrupt) and way.__name__ == "by_await":
        pytest.skip("a task that raises these ends asyncio.run, whoever made the future")
    outcomes = way(pool, function, [1, 2])
    assert [type(outcome) for outcome in outcomes] == [kind, kind]
    for error in outcomes:
        if not isinstance(error, ExceptionWithoutText):
            assert all(text in str(error) for text in texts)
        if not isinstance(error, MaybeEncodingError):
            assert any(function.__name__ in note for note in error.__notes__)


def test_an_exception_that_could_not_travel_is_told_in_words(pool):
    with pytest.raises(RemoteError) as caught:
        pool.apply(raise_unpicklable)
    error = caught.value
    assert error.type_name == f"{UnpicklableException.__module__}.UnpicklableException"
    assert error.text == "locked"
    assert 'raise UnpicklableException("locked")' in error.traceback
    assert 'raise UnpicklableException("locked")' in str(error.__cause__)


def test_an_exception_that_failed_to_load_is_told_in_words(pool):
    with pytest.raises(RemoteError) as caught:
        pool.apply(raise_one_that_fails_to_unpickle)
    assert caught.value.type_name.endswith(ExceptionThatFailsToUnpickle.__name__)
    assert caught.value.text == "two arguments"


@pytest.mark.parametrize("way", WAYS)
def test_an_argument_that_fails_to_load(pool, way):
    (error,) = errors_in(outcomes := way(pool, same, [1, ErrorAtUnpickle(), 3]))
    assert type(error) is OverflowError
    assert str(error) == "not here"
    assert [outcome for outcome in outcomes if outcome is not error] == [1, 3]


def test_an_argument_that_fails_to_pickle_raises_where_it_was_passed(pool):
    for call in (
        lambda: pool.submit(same, ErrorAtPickle()),
        lambda: pool.apply_async(same, (ErrorAtPickle(),)),
        lambda: pool.map(same, [1, ErrorAtPickle()]),
        lambda: pool.map_async(same, [ErrorAtPickle()]),
    ):
        with pytest.raises(OverflowError, match="not with me") as caught:
            call()
        assert caught.value.__notes__


@pytest.mark.parametrize("name", ["imap", "imap_unordered"])
def test_an_argument_of_an_imap_that_fails_to_pickle_raises_at_its_place(pool, name):
    results = getattr(pool, name)(same, [1, ErrorAtPickle(), 3])
    outcomes = []
    for _ in range(3):
        try:
            outcomes.append(results.next(10))
        except OverflowError as error:
            outcomes.append(type(error))
    assert set(outcomes) == {1, OverflowError, 3}
    with pytest.raises(StopIteration):
        results.next(10)


# ---- memory ----------------------------------------------------------------------------------------------------------


def want_too_much(_=None):
    return bytes(1 << 62)


def want_too_much_within_a_limit(_=None):
    """As `ulimit -v`: whatever is there may stay, and no more than 64 MB may come."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (64 << 20), limits[1]))
    try:
        return sum(map(len, [bytes(1 << 20) for _ in range(4096)]))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


def reply_within_a_limit(_=None):
    """The result is there, but there is no room for its pickle."""
    value = [os.urandom(40 << 20)]
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (8 << 20), limits[1]))
    return value


def lift_limit(_=None):
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_AS)[1]))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("function", [want_too_much, want_too_much_within_a_limit])
def test_a_shortage_of_memory_is_the_call_s(pool, function, way):
    assert [type(outcome) for outcome in way(pool, function, [1, 2])] == [MemoryError, MemoryError]


def test_a_reply_that_finds_no_memory(pool):
    with pytest.raises((MemoryError, MaybeEncodingError)):
        pool.submit(reply_within_a_limit).result(30)
    pool.submit(lift_limit).result(30)


def recurse(depth=0):
    return recurse(depth + 1)


def nested(_=None):
    value = []
    for _ in range(100_000):
        value = [value]
    return value


def test_a_recursion_without_end(pool):
    with pytest.raises(RecursionError):
        pool.submit(recurse).result(30)


def test_a_result_nested_too_deep_to_pickle(pool):
    with pytest.raises(MaybeEncodingError):
        pool.submit(nested).result(30)


# ---- no terminal -----------------------------------------------------------------------------------------------------


def stop_here(_=None):
    breakpoint()  # noqa: T100 - what it says in a worker is what is tested


def ask(_=None):
    return input("name? ")


def test_breakpoint_says_in_a_sentence_what_to_do(pool):
    with pytest.raises(RuntimeError) as caught:
        pool.apply(stop_here)
    assert 'where="inline"' in str(caught.value)
    assert "\n" not in str(caught.value)


def test_input_finds_no_terminal(pool):
    with pytest.raises(EOFError):
        pool.apply(ask)


# ---- the worker's exceptions in the caller ---------------------------------------------------------------------------


class Bossy(Exception):
    """Forbids notes and attributes."""

    __slots__ = ()

    def add_note(self, note):
        raise TypeError("no notes")

    def __setattr__(self, name, value):
        raise AttributeError(name)


def raise_bossy(_=None):
    raise Bossy("mine")


@pytest.mark.parametrize("way", WAYS)
def test_an_exception_that_forbids_notes(pool, way):
    outcomes = way(pool, raise_bossy, [1, 2])
    assert [(type(outcome), str(outcome)) for outcome in outcomes] == [(Bossy, "mine")] * 2


def raise_group(_=None):
    raise ExceptionGroup("several", [ValueError(1), raise_from()])


def raise_from():
    try:
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise LookupError("outer") from error
    except LookupError as error:
        return error


def test_a_group_and_its_remote_traceback(pool):
    with pytest.raises(ExceptionGroup, match="several") as caught:
        pool.apply(raise_group)
    assert [type(each) for each in caught.value.exceptions] == [ValueError, LookupError]
    assert "KeyError: 'inner'" in str(caught.value.__cause__)


def exit_with(text):
    sys.exit(text)


def test_sys_exit_is_an_error_of_its_call(pool):
    with pytest.raises(SystemExit, match="bye"):
        pool.submit(exit_with, "bye").result(30)


def test_errors_can_be_pickled_again(pool):
    """As a test runner or a queue does."""
    for function in (raise_unpicklable, unpicklable_result):
        error = pool.submit(function).exception(30)
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again)) == (type(error), str(error))
