"""`elsewhere.call`: one call in a fresh process, and the limits it does not survive."""

from __future__ import annotations

import inspect
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import types

import pytest

import elsewhere
from elsewhere import CallTimeout, LimitExceeded, Retry, WorkerLost
from tests.contract.work import until
from tests.process import work
from tests.process.work import ALL_METHODS

ALL = pytest.mark.parametrize("method", ALL_METHODS)


@pytest.fixture
def default(method):
    elsewhere.set_start_method(method, force=True)


@ALL
@pytest.mark.usefixtures("default")
def test_a_value_or_an_exception_comes_back(method, capfd):
    offset = 1
    assert elsewhere.call(lambda a, *, b: a + b + offset, 1, b=2) == 4
    assert elsewhere.call(os.getpid) != os.getpid()
    assert elsewhere.call(work.square_later, 3) == 9
    with pytest.raises(work.Told, match="as told") as caught:
        elsewhere.call(work.fail, 5)
    assert caught.value.number == 5
    assert "work.py" in str(caught.value.__cause__)
    assert capfd.readouterr().err == ""  # it is raised here, and not printed there too
    with pytest.raises(WorkerLost, match="exited with code 3"):
        elsewhere.call(os._exit, 3)
    assert multiprocessing.active_children() == []


def test_a_call_in_a_call():
    assert elsewhere.call(elsewhere.call, work.square, 4) == 16


def test_calls_of_many_threads():
    found = []
    threads = [threading.Thread(target=lambda n=n: found.append(elsewhere.call(work.square, n))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [n * n for n in range(8)]


@ALL
@pytest.mark.usefixtures("default")
def test_a_timeout_kills_the_process_and_what_it_has_started(method):
    near, far = elsewhere.Pipe()
    with near, far:
        with pytest.raises(
            CallTimeout, match=r"with_children\(.*\) ran longer than its timeout of 2 s, and was killed"
        ):
            elsewhere.options(timeout=2).call(work.with_children, far, method)
        assert near.poll(0)
        for pid in near.recv():
            until(lambda pid=pid: not os.path.exists(f"/proc/{pid}") or _is_zombie(pid), f"{pid} to end")


def _is_zombie(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_limit_of_memory():
    limited = elsewhere.options(memory=100 << 20)
    assert limited.call(work.square, 2) == 4
    with pytest.raises(LimitExceeded, match=r"take.*more than its memory= of 104,857,600 bytes") as caught:
        limited.call(work.take, 200 << 20)
    assert caught.value.limit == "memory"
    assert isinstance(caught.value, WorkerLost)
    assert caught.value.exitcode == -signal.SIGKILL
    assert isinstance(caught.value.pid, int)
    assert type(pickle.loads(pickle.dumps(caught.value))) is LimitExceeded


def test_a_limit_of_processor_time():
    limited = elsewhere.options(cpu_seconds=0.5)
    assert limited.call(work.square, 2) == 4
    with pytest.raises(LimitExceeded, match=r"burn\(\) took more than its cpu_seconds= of 0.5 s") as caught:
        limited.call(work.burn)
    assert (caught.value.limit, caught.value.exitcode) == ("cpu_seconds", -signal.SIGXCPU)
    with pytest.raises(WorkerLost) as caught:  # the same signal is no limit where there is none
        elsewhere.call(work.die_by_limit)
    assert type(caught.value) is WorkerLost


def test_options_add_up(tmp_path):
    path = str(tmp_path / "tries")
    view = elsewhere.options(retry=Retry(2, on=work.Told), name="my call").options(memory=1 << 30)
    view = view.options(cpu_seconds=100).options(timeout=100)

    def note_and_fail(path: str) -> None:
        with open(path, "a") as file:
            file.write("x")
        work.fail(1)

    with pytest.raises(work.Told) as caught:
        view.call(note_and_fail, path)
    with open(path) as file:
        assert file.read() == "xxx"
    assert any("my call" in note for note in caught.value.__notes__)
    with pytest.raises(TypeError, match=r"limit call\(\); a worker of a pool is limited by Pool\(max_memory=...\)"):
        view.map(abs, [1])
    assert view.options(memory=None, cpu_seconds=None).map(abs, [-1]) == [1]


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({"memory": 0}, ValueError, "memory is more than 0 bytes, not 0"),
        ({"memory": 1.5}, TypeError, "memory is a whole number of bytes, not 1.5"),
        ({"memory": True}, TypeError, "memory is a whole number of bytes, not True"),
        ({"cpu_seconds": -1}, ValueError, "cpu_seconds is more than 0"),
        ({"cpu_seconds": "1"}, TypeError, "cpu_seconds is a number of seconds, not '1'"),
        ({"cpu_seconds": float("inf")}, ValueError, "no infinity"),
        ({"timeout": 0}, ValueError, "timeout is more than 0 seconds"),
    ],
)
def test_wrong_limits(given, kind, message):
    with pytest.raises(kind, match=message):
        elsewhere.options(**given)


def test_what_cannot_be_called():
    with pytest.raises(TypeError, match="3 cannot be called"):
        elsewhere.call(3)


def test_ctrl_c_in_the_caller_ends_the_process():
    program = """
import elsewhere, os, signal, threading
parent = os.getpid()
def interrupt():
    os.kill(parent, signal.SIGINT)
    while True: signal.pause()
try:
    elsewhere.call(interrupt)
except KeyboardInterrupt:
    import multiprocessing
    print("interrupted", multiprocessing.active_children())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=True)
    assert done.stdout == "interrupted []\n"


def test_the_name_is_the_function_and_the_file_can_still_be_imported():
    program = """
import elsewhere, sys
import elsewhere.call
from elsewhere.call import Options
from elsewhere import call, Pool, options
assert call is elsewhere.call and callable(call), call
assert sys.modules["elsewhere.call"].Options is Options
print(call(lambda: 7))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=True)
    assert done.stdout == "7\n"
    assert inspect.isfunction(elsewhere.call)
    assert isinstance(elsewhere, types.ModuleType)
    assert elsewhere.call(lambda: elsewhere.__name__) == "elsewhere"  # the module itself is what it refers to
