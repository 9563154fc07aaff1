"""The table of `elsewhere.pool.contexts`, row by row; the standard library's contexts; and copies of a pool by fork."""

from __future__ import annotations

import multiprocessing
import multiprocessing.synchronize
import os
import pickle
import subprocess
import sys
import time

import pytest

import elsewhere
from elsewhere import Pool, PoolClosed, get_context
from tests.pool import work

METHODS = ["forkserver", "spawn", "fork"]


@pytest.mark.parametrize(
    ("context", "method"),
    [
        (None, "forkserver"),
        ("forkserver", "forkserver"),
        ("spawn", "spawn"),
        ("fork", "fork"),
        (multiprocessing.get_context("forkserver"), "forkserver"),
        (multiprocessing.get_context("spawn"), "spawn"),
        (multiprocessing.get_context("fork"), "fork"),
        (multiprocessing, multiprocessing.get_start_method()),  # the module is its default context
        (multiprocessing.get_context(), multiprocessing.get_start_method()),
        (get_context("spawn"), "spawn"),
        (get_context(), "forkserver"),
    ],
)
def test_a_context_means_its_start_method(context, method, monkeypatch):
    with Pool(1, context=context) as pool:
        assert pool.map(work.square, range(3)) == [0, 1, 4]
        # What the pool had in memory when it was made is in a forked worker and in no other.
        monkeypatch.setitem(work.state, "key", "here")
        assert pool.apply(work.get_state, ("key",)) is None
    with Pool(1, context=context) as pool:
        assert pool.apply(work.get_state, ("key",)) == ("here" if method == "fork" else None)


@pytest.mark.parametrize("method", METHODS)
def test_get_context_makes_pools(method):
    context = get_context(method)
    assert context.get_start_method() == method
    assert repr(context) == f"<Context {method!r}>"
    assert type(context).__name__ == f"{method.capitalize()}Context"  # as multiprocessing's are called
    assert context is get_context(method) is context.get_context() is pickle.loads(pickle.dumps(context))
    assert context.get_context("spawn") is get_context("spawn")
    with context.Pool(2, work.set_state, ("key", 3)) as pool:
        assert isinstance(pool, elsewhere.Pool)
        assert pool.apply(work.get_state, ("key",)) == 3
    with context.Pool(processes=1, maxtasksperchild=1) as pool:
        assert pool.apply(work.pid) != pool.apply(work.pid)
    assert isinstance(context.Lock(), multiprocessing.synchronize.Lock)
    assert context.cpu_count() == multiprocessing.cpu_count()


@pytest.mark.parametrize(
    ("context", "kind", "message"),
    [
        ("thread", ValueError, "cannot find context for 'thread'"),
        (3, TypeError, "a start method's name or a context of multiprocessing, not 3"),
    ],
)
def test_something_that_is_no_context(context, kind, message):
    with pytest.raises(kind) as caught:
        Pool(1, context=context)
    assert message in str(caught.value)
    if isinstance(context, str):
        with pytest.raises(ValueError, match="cannot find context"):
            get_context(context)


@pytest.mark.parametrize("method", METHODS)
def test_the_callers_process_is_not_the_workers_parent(method):
    """The fork server reports how workers ended, in all three."""
    with Pool(1, context=method) as pool:
        assert pool.apply(work.parent) != os.getpid()


SCRIPT = """
import sys
import time
from elsewhere import Pool

print("main runs")
early, late, unused = "early", "before", "unused"

def names():
    import __main__
    return late, sorted(name for name in ("early", "late", "unused", "names") if hasattr(__main__, name))

with Pool(1, context=sys.argv[1]) as pool:
    late = "changed"
    print(pool.apply(names))
    late = "changed again"
    print(pool.apply(names))
"""


@pytest.mark.parametrize(
    ("method", "names", "values"),
    [
        ("forkserver", ["late", "names"], ["changed", "changed again"]),
        ("spawn", ["late", "names"], ["changed", "changed again"]),
        ("fork", ["early", "late", "names", "unused"], ["before", "before"]),
    ],
)
def test_what_each_means_for_globals_and_main(tmp_path, method, names, values):
    """Never run again; what calls use of it travels by value, at each call. A fork has it all, as it was then."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, script, method], env=environment, capture_output=True, text=True, timeout=50, check=True
    )
    lines = done.stdout.splitlines()
    assert lines[0] == "main runs"
    assert lines[1:] == [repr((value, names)) for value in values]
    assert done.stderr == ""


def test_a_forked_copy_says_so_in_one_sentence():
    with Pool(1) as pool:
        assert pool.apply(work.square, (3,)) == 9
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                pool.submit(work.square, 3)
            except PoolClosed as error:
                os.write(writer, str(error).encode())
            except BaseException as error:
                os.write(writer, repr(error).encode())
            finally:
                pool.terminate()  # does nothing: the workers are not its own
                os._exit(0)
        os.close(writer)
        with open(reader) as file:
            message = file.read()
        os.waitpid(pid, 0)
        assert message.startswith(f"this pool belongs to process {os.getpid()}; ")
        assert "forked copy" in message
        assert "\n" not in message
        assert pool.apply(work.square, (4,)) == 16


def test_a_forked_child_can_make_its_own_pool():
    with Pool(1) as pool:
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                with Pool(1) as own:
                    os.write(writer, str(own.map(work.square, range(3))).encode())
            except BaseException as error:
                os.write(writer, repr(error).encode())
            finally:
                os._exit(0)
        os.close(writer)
        with open(reader) as file:
            assert file.read() == "[0, 1, 4]"
        os.waitpid(pid, 0)
        assert pool.apply(work.square, (4,)) == 16


def test_a_forked_worker_leaves_the_callers_processes_alone(capfd):
    child = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,), daemon=True)
    child.start()
    try:
        with Pool(1, context="fork") as pool:
            assert pool.apply(abs, (-1,)) == 1
        assert child.is_alive()
        assert "Error" not in capfd.readouterr().err
    finally:
        child.terminate()
        child.join(10)
        child.close()
