"""Worker processes: what they are given at their start, how they are initialized, how long they live."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import sys
import warnings

import pytest

from elsewhere import Pool, WorkerStartError
from tests.contract.work import Custom, until
from tests.pool import work
from tests.require import require

METHODS = pytest.mark.parametrize("method", ["forkserver", "spawn", "fork"])


@pytest.fixture
def changed_surroundings(tmp_path, monkeypatch):
    """Every one of them as it is not by default; in a package whose import needs the changed path."""
    folder = tmp_path / "working folder"
    folder.mkdir()
    (tmp_path / "only_here.py").write_text("def function(x):\n    return x + 1\n")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ELSEWHERE_TEST", "set, with a \N{SNOWMAN}")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["program", "--option"])
    before = os.umask(0o027)
    yield folder
    os.umask(before)
    sys.modules.pop("only_here", None)


@METHODS
def test_workers_have_the_callers_surroundings_as_they_are_when_the_pool_is_made(method, changed_surroundings):
    with Pool(1, context=method) as pool:
        os.environ["ELSEWHERE_TEST"] = "changed afterwards"
        found = pool.apply(work.surroundings)
        only_here = importlib.import_module("only_here")
        assert pool.map(only_here.function, [1]) == [2]
    assert found["variable"] == "set, with a \N{SNOWMAN}"
    assert found["folder"] == str(changed_surroundings)
    assert found["path"] == sys.path
    assert found["argv"] == ["program", "--option"]
    assert found["umask"] == 0o027


def test_each_pool_has_the_surroundings_of_its_own_moment(monkeypatch):
    seen = []
    for value in ("one", "two"):
        monkeypatch.setenv("ELSEWHERE_TEST", value)
        with Pool(1) as pool:
            seen.append(pool.apply(work.surroundings)["variable"])
    monkeypatch.delenv("ELSEWHERE_TEST")
    with Pool(1) as pool:
        seen.append(pool.apply(work.surroundings)["variable"])
    assert seen == ["one", "two", None]


@METHODS
@pytest.mark.parametrize(("action", "what"), [("error", "raised"), ("always", "shown"), ("ignore", "ignored")])
def test_workers_have_the_callers_warning_filters(method, action, what):
    with warnings.catch_warnings():
        warnings.simplefilter(action, DeprecationWarning)
        with Pool(1, context=method) as pool:
            assert pool.apply(work.warn_deprecated) == what


@METHODS
@pytest.mark.parametrize("preload", [(), ("numpy",)])
@pytest.mark.parametrize("name", ["random", "numpy"])
def test_workers_differ_in_their_random_generators(method, preload, name):
    if name == "numpy" or preload:
        require(module="numpy", install="pip install numpy")
    fn = work.randoms if name == "random" else work.numpy_randoms
    with Pool(2, context=method, preload=preload) as pool:
        found: dict[int, float] = {}
        until(lambda: found.update(pool.map(fn, range(50))) or len(found) == 2, "both workers")
    first, second = found.values()
    assert first != second


def test_what_is_preloaded_is_there_before_the_first_call():
    require(module="numpy", install="pip install numpy")
    with Pool(1) as plain, Pool(1, preload=("numpy",)) as loaded:
        assert plain.apply(work.is_loaded, ("numpy",)) is False
        assert loaded.apply(work.is_loaded, ("numpy",)) is True


# ---- the initializer ---------------------------------------------------------------------------------------------


@METHODS
def test_the_initializer_sets_what_the_work_function_reads(method):
    with Pool(2, work.set_state, ("key", [1, 2]), context=method) as pool:
        assert pool.map(work.get_state, ["key"] * 10) == [[1, 2]] * 10
    assert work.state == {}


@METHODS
def test_an_initializer_that_raises_is_one_error(method):
    with pytest.raises(WorkerStartError, match="its initializer raised Custom: no database") as caught:  # noqa: SIM117 - the pool is in the question
        with Pool(2, work.fail_in_initializer, ("no database",), context=method) as pool:
            pool.map(work.square, range(100))
    assert type(caught.value.__cause__) is Custom
    assert "workers in a row failed to start" in str(caught.value)


def test_an_initializer_that_exits_is_one_error():
    pool = Pool(2, os._exit, (3,))
    with pytest.raises(WorkerStartError, match="exited with code 3"):
        pool.map(work.square, range(10))
    pool.close()
    pool.join()


def test_an_initializer_that_cannot_be_pickled_raises_where_the_pool_is_made():
    import threading

    with pytest.raises(TypeError, match="cannot pickle") as caught:
        Pool(1, print, (threading.Lock(),))
    assert "the initializer and its initargs cannot be pickled" in caught.value.__notes__[0]


@pytest.fixture(scope="module")
def heap():
    """multiprocessing's heap for Values opens files on first use, which stay as long as the process."""
    return multiprocessing.get_context("spawn").Value("i", 0, lock=False)


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_locks_values_and_queues_of_multiprocessing_go_through_initargs(heap, method):
    context = multiprocessing.get_context("spawn")
    lock, value, queue = context.Lock(), context.Value("i", 0, lock=False), context.Queue()
    with Pool(2, work.use_lock, (lock, value, queue), context=method) as pool:
        before = pool.map(work.add_under_lock, [1] * 50)
        assert sorted(before) == list(range(50))
        assert value.value == 50
        assert os.getpid() not in {queue.get(timeout=30) for _ in range(50)}
    queue.close()
    queue.join_thread()


# ---- their life --------------------------------------------------------------------------------------------------


@METHODS
def test_workers_are_replaced_after_so_many_calls(method):
    with Pool(1, maxtasksperchild=3, context=method) as pool:
        pids = [pool.apply(work.pid) for _ in range(10)]
        assert pool.statistics().lost_workers == 0
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 3, 1]


def test_each_chunk_counts_as_one_call():
    with Pool(1, maxtasksperchild=1) as pool:
        pids = pool.map(work.pid, range(12), chunksize=4)
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [4, 4, 4]


def test_many_calls_in_workers_that_live_for_one():
    with Pool(2, maxtasksperchild=1) as pool:
        assert pool.map(work.square, range(60)) == [x * x for x in range(60)]
        assert len(set(pool.map(work.pid, range(10)))) == 10


def test_workers_that_are_replaced_are_initialized_again():
    with Pool(1, work.set_state, ("key", "value"), maxtasksperchild=1) as pool:
        assert pool.map(work.get_state, ["key"] * 5) == ["value"] * 5


def test_a_pool_inside_a_worker():
    with Pool(2) as pool:
        assert pool.map(work.nested, [3, 4]) == [[0, 1, 4], [0, 1, 4, 9]]
        assert pool.apply(work.nested_shared, (3,)) == [0, 1, 4]


# ---- arguments that cannot travel --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "cure"),
    [
        ("queue.Queue()", "use an elsewhere.Queue"),
        ("threading.Lock()", "make it in the pool's `initializer`"),
        ("open(os.devnull)", "pass its path and open it in the function"),
        ("(x for x in [])", "pass a list, or iterate it with imap"),
        ("sqlite3.connect(':memory:')", "make it in the pool's `initializer`"),
    ],
)
def test_the_note_names_the_argument_and_the_cure(make, cure):
    import contextlib
    import queue
    import sqlite3
    import threading

    modules = {"queue": queue, "sqlite3": sqlite3, "threading": threading, "os": os}
    value = eval(make, modules)
    with contextlib.closing(value) if hasattr(value, "close") else contextlib.nullcontext(), Pool(1) as pool:
        with pytest.raises(TypeError, match="cannot pickle") as caught:
            pool.submit(work.square, 1, key=[value])
        assert "call cannot be pickled" in caught.value.__notes__[0] or "argument key=" in caught.value.__notes__[0]
        assert cure in caught.value.__notes__[0]
        assert pool.apply(work.square, (3,)) == 9
