"""``import elsewhere as multiprocessing``: the names, the start methods, and programs of its documentation."""

from __future__ import annotations

import multiprocessing
import queue
import subprocess
import sys

import pytest

import elsewhere
from elsewhere.process import names
from tests.process import work
from tests.process.work import ALL_METHODS, METHODS

MORE = [
    "AuthenticationError",
    "BufferTooShort",
    "ProcessError",
    "TimeoutError",
    "get_all_start_methods",
    "get_start_method",
    "set_start_method",
    "set_forkserver_preload",
    "set_executable",
    "log_to_stderr",
    "get_logger",
    "allow_connection_pickling",
    "freeze_support",
    "reducer",
]


@pytest.mark.parametrize("name", sorted({*multiprocessing.__all__, *MORE}))
def test_every_name_of_multiprocessing_is_here(name):
    assert name in elsewhere.__all__
    assert name in dir(elsewhere)
    ours, theirs = getattr(elsewhere, name), getattr(multiprocessing, name)
    assert callable(ours) == callable(theirs)
    if isinstance(theirs, type) and issubclass(theirs, Exception):
        assert issubclass(ours, theirs)


def test_a_name_that_nobody_has():
    with pytest.raises(AttributeError, match="has no attribute 'Fork'"):
        _ = elsewhere.Fork
    with pytest.raises(AttributeError, match="has no attribute 'Fork'"):
        _ = names.Fork


def test_start_methods():
    assert elsewhere.get_all_start_methods() == ["forkserver", "spawn", "fork"]
    assert elsewhere.get_start_method(allow_none=True) is None
    elsewhere.set_start_method("spawn")
    assert elsewhere.get_start_method() == "spawn"
    assert elsewhere.get_context().get_start_method() == "spawn"
    with pytest.raises(RuntimeError, match="context has already been set"):
        elsewhere.set_start_method("fork")
    with pytest.raises(ValueError, match="cannot find context for 'thread'"):
        elsewhere.set_start_method("thread", force=True)
    elsewhere.set_start_method(None, force=True)
    assert elsewhere.get_start_method() == "forkserver"  # which fixes it
    with pytest.raises(RuntimeError, match="context has already been set"):
        elsewhere.set_start_method("spawn")


@pytest.mark.parametrize("method", ALL_METHODS)
def test_the_start_method_is_the_childs_too(method):
    elsewhere.set_start_method(method)
    assert elsewhere.call(elsewhere.get_start_method) == method
    with elsewhere.Pool(1) as pool:
        assert pool.apply(work.square, (3,)) == 9


@pytest.mark.parametrize("method", ALL_METHODS)
def test_a_context_makes_ours(method):
    context = elsewhere.get_context(method)
    each = context.Process(target=work.square, args=(3,))
    assert isinstance(each, elsewhere.Process)
    each.start()
    assert each._popen.method == method
    assert each.result() == 9
    each.join()
    assert context.get_context("spawn").Process is elsewhere.get_context("spawn").Process
    with pytest.raises(ValueError, match="cannot find context"):
        context.get_context("thread")
    assert context.Process is type(each)


@pytest.mark.parametrize("method", METHODS)
def test_a_contexts_manager_is_ours_and_serves_our_processes(method):
    with elsewhere.get_context(method).Manager() as manager:
        assert isinstance(manager, elsewhere.SyncManager)
        shared = manager.dict()
        each = elsewhere.Process(target=shared.update, args=({"a": 1},))
        each.start()
        each.join()
        assert shared.copy() == {"a": 1}


def test_what_the_fork_server_imports():
    def loaded() -> bool:
        return "tests.pool.rare" in sys.modules

    assert elsewhere.call(loaded) is False
    elsewhere.set_forkserver_preload(["__main__", "tests.pool.rare"])
    assert elsewhere.call(loaded) is True
    with pytest.raises(TypeError, match="must be a list of strings"):
        elsewhere.set_forkserver_preload([3])
    with pytest.raises(TypeError, match="must be a list of strings"):
        elsewhere.set_forkserver_preload("os")


def run(program: str, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *flags, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)


def test_a_script_without_a_main_guard():
    done = run("""
import elsewhere as multiprocessing
print("once")
class Greeter(multiprocessing.Process):
    def run(self):
        return f"hello {name}"
name = "bob"
def f(q):
    q.put([42, None, name])
q = multiprocessing.Queue()
p = multiprocessing.Process(target=f, args=(q,))
p.start()
print(q.get())
p.join()
g = Greeter()
g.start()
print(g.result())
g.join()
""")
    assert (done.stdout, done.stderr) == ("once\n[42, None, 'bob']\nhello bob\n", "")


@pytest.mark.parametrize("first", ["multiprocessing", "elsewhere"])
@pytest.mark.parametrize("method", ALL_METHODS)
def test_at_exit_daemons_are_ended_and_others_joined(first, method):
    done = run(f"""
import {first}, elsewhere, atexit, os, sys
elsewhere.set_start_method({method!r})
gate, daemon_gate = elsewhere.Semaphore(0), elsewhere.Semaphore(0)
def patient_with(gate):
    gate.acquire()
    print("joined", flush=True)
def daemon_with(gate):
    gate.release()
    elsewhere.Semaphore(0).acquire()
elsewhere.Process(target=patient_with, args=(gate,)).start()
elsewhere.Process(target=daemon_with, args=(daemon_gate,), daemon=True).start()
daemon_gate.acquire()
with elsewhere.Pool(1, context="spawn") as pool:  # another fork server, started later
    pool.apply(abs, (1,))
atexit.register(gate.release)  # the process ends only after this
print("end", flush=True)
""")
    assert (done.stdout, done.stderr, done.returncode) == ("end\njoined\n", "", 0)


def test_a_name_with_a_home_of_ours_has_it_in_each_context(monkeypatch):
    monkeypatch.setitem(names.HOMES, "Queue", "elsewhere.process.process")
    monkeypatch.setattr("elsewhere.process.process.Queue", list, raising=False)
    assert names.Queue is list
    assert elsewhere.get_context("spawn").Queue is list
    assert elsewhere.get_context("spawn").Lock is not list


def test_errors_are_theirs():
    assert elsewhere.TimeoutError is multiprocessing.TimeoutError
    items = elsewhere.Queue()
    with pytest.raises(queue.Empty):
        items.get_nowait()
    items.close()
    items.join_thread()
