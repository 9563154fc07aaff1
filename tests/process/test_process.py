"""`Process`: multiprocessing's behaviour, and what it adds."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import multiprocessing.process
import os
import select
import signal
import sys
import threading
import warnings
import weakref
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import shared_memory
from multiprocessing.connection import wait

import pytest

import elsewhere
from elsewhere import MaybeEncodingError, Process, WorkerLost
from elsewhere.process import tree
from tests.contract.work import until
from tests.process import work
from tests.process.work import ALL_METHODS, METHODS, process, running

BOTH = pytest.mark.parametrize("method", METHODS)
ALL = pytest.mark.parametrize("method", ALL_METHODS)


def test_a_target_that_cannot_be_called_is_refused_where_it_is_given():
    with pytest.raises(TypeError, match="not 5"):
        Process(target=5)


@ALL
def test_the_life_of_a_process(method):
    each = process(method, target=work.forever, name="Ada", daemon=True)
    assert isinstance(each, multiprocessing.process.BaseProcess)
    assert isinstance(each, Process)
    assert (each.name, each.daemon, each.pid, each.ident, each.exitcode) == ("Ada", True, None, None, None)
    assert not each.is_alive()
    each.start()
    assert each.pid == each.ident
    assert each.is_alive()
    assert each.exitcode is None
    assert wait([each.sentinel], 0) == []
    assert multiprocessing.active_children() == [each] == elsewhere.active_children()
    with pytest.raises(ValueError, match="Cannot close a process while it is still running"):
        each.close()
    each.join(0.01)
    each.terminate()
    each.join()
    assert each.exitcode == -signal.SIGTERM
    assert wait([each.sentinel], 0) == [each.sentinel]
    assert not each.is_alive()
    assert multiprocessing.active_children() == []
    each.terminate()
    each.kill()
    each.close()
    with pytest.raises(ValueError, match="process object is closed"):
        each.result()


@ALL
def test_exit_codes(method):
    for target, code in [
        (functools.partial(sys.exit, 3), 3),
        (work.square, 1),
        (os.getpid, 0),
        (work.die_by_limit, -signal.SIGXCPU),
    ]:
        with running(method, target=target) as each:
            each.join()
            assert each.exitcode == code


@ALL
def test_the_result_of_what_cannot_be_imported(method):
    offset = 3
    with running(method, target=lambda x, *, y: x + y + offset, args=(1,), kwargs={"y": 2}) as each:
        assert each.result() == 6
        assert each.result(timeout=0) == 6
        each.join()
        assert (each.exitcode, each.result()) == (0, 6)


@ALL
def test_a_coroutine_function_is_awaited(method):
    with running(method, target=work.square_later, args=(7,)) as each:
        assert each.result() == 49


@ALL
@pytest.mark.parametrize("size", [3990, 4000, 4001, 5_000_000])
def test_a_result_of_any_size_waits_for_nobody(method, size):
    with running(method, target=bytes, args=(size,)) as each:
        each.join()
        assert each.exitcode == 0
        assert each.result() == bytes(size)


@ALL
def test_what_the_target_raises(method, capfd):
    with running(method, target=work.fail, args=(4,)) as each:
        with pytest.raises(work.Told, match="as told") as caught:
            each.result()
        each.join()
        assert each.exitcode == 1
    assert caught.value.number == 4
    assert "work.py" in str(caught.value.__cause__)
    assert "multiprocessing" not in str(caught.value.__cause__)
    assert "tests.process.work.Told: ('as told', 4)" in capfd.readouterr().err  # printed too, as there


@ALL
def test_a_result_that_cannot_travel(method):
    with running(method, target=threading.Lock) as each:
        with pytest.raises(MaybeEncodingError, match=r"cannot pickle '_thread.lock' object"):
            each.result()
        each.join()
        assert each.exitcode == 0  # nobody asked for the value in multiprocessing
    with running(method, target=work.Unloadable) as each:
        with pytest.raises(LookupError, match="this cannot be unpickled") as caught:
            each.result()
        assert "Unloadable" in caught.value.__notes__[0]


class Holding(Process):
    def __init__(self, lock):
        super().__init__()
        self.lock = lock


def test_the_note_names_what_a_process_of_ones_own_holds():
    with pytest.raises(TypeError, match="cannot pickle") as caught:
        Holding(threading.Lock()).start()
    assert "its attribute 'lock' is a _thread.lock; make it in the process" in caught.value.__notes__[0]


@BOTH
def test_arguments_that_cannot_travel(method, capfd):
    each = process(method, target=print, args=(1, threading.Lock()), name="Ada")
    with pytest.raises(TypeError, match="cannot pickle") as caught:
        each.start()
    note = "Ada, a process that runs print, cannot be pickled: argument 2 is a _thread.lock; "
    assert caught.value.__notes__ == [note + "make it in the process, or use an elsewhere.Lock"]
    with running(method, target=print, args=(work.Unloadable(),)) as each:
        with pytest.raises(LookupError, match="this cannot be unpickled"):
            each.result()
        each.join()
        assert each.exitcode == 1
    with running(method, target=print, args=(work.Deadly(),)) as each:
        with pytest.raises(WorkerLost, match="exited with code 7 before print had a result"):
            each.result()
        assert each.exitcode == 7
    assert "LookupError" in capfd.readouterr().err


@ALL
def test_a_killed_process_has_no_result(method):
    with running(method, target=work.forever) as each:
        with pytest.raises(TimeoutError, match=r"has no result after 0.01 s; it goes on"):
            each.result(timeout=0.01)
        os.kill(each.pid, signal.SIGKILL)
        with pytest.raises(WorkerLost, match="was killed by SIGKILL") as caught:
            each.result()
        assert (caught.value.pid, caught.value.exitcode, caught.value.signal) == (each.pid, -9, "SIGKILL")
        assert each.exitcode == -9


@BOTH
def test_sys_exit_is_no_result(method):
    with running(method, target=sys.exit, args=(3,)) as each, pytest.raises(WorkerLost, match="exited with code 3"):
        each.result()


def test_a_result_before_the_start_and_in_another_process():
    each = Process(target=work.square)
    with pytest.raises(ValueError, match=r"was not started: call start\(\) before result\(\)"):
        each.result()
    with pytest.raises(ValueError, match=r"was not started: call start\(\) before terminate\(\)"):
        each.terminate(tree=True)
    with pytest.raises(AssertionError):
        each.join()


@BOTH
def test_many_threads_wait_for_one_result(method):
    with running(method, target=work.forever) as each:
        found = []

        def ask() -> None:
            try:
                each.result()
            except WorkerLost as error:
                found.append(error.exitcode)

        threads = [threading.Thread(target=ask) for _ in range(5)]
        for thread in threads:
            thread.start()
        each.terminate()
        for thread in threads:
            thread.join()
        assert found == [-15] * 5


@ALL
def test_a_local_subclass_with_run(method):
    base = type(process(method))

    class Adder(base):
        def __init__(self, a: int, b: int) -> None:
            super().__init__(name="adder")
            self.a, self.b = a, b

        def run(self) -> list:
            return [self.a + self.b, self.name, multiprocessing.current_process() is self]

    each = Adder(1, 2)
    each.start()
    assert each.result() == [3, "adder", True]
    each.join()
    each.close()


@BOTH
def test_what_multiprocessing_shares_by_inheritance_passes_as_arguments(method):
    context = elsewhere.get_context(method)
    near, far = context.Pipe()
    queue, lock, gate, event = context.Queue(), context.Lock(), context.Semaphore(0), context.Event()
    with near, far, running(method, target=work.echo, args=(far, lock, gate, event)) as each:
        near.send("hello")
        gate.release()
        assert near.recv() == "hello"
        assert event.wait(30)
        each.join()
        assert not gate.acquire(block=False)
    with running(method, target=work.put_all, args=(queue, [1, "two", lambda: 3])) as each:
        assert [queue.get(), queue.get()] == [1, "two"]
        queue.close()
        queue.join_thread()


@ALL
def test_a_process_in_a_process(method):
    with running(method, target=work.nested, args=(method,)) as each:
        assert each.result() == [25, 0]


@BOTH
def test_a_process_in_a_worker_of_a_pool(method):
    with elsewhere.Pool(1, context=method) as pool:
        assert pool.apply(work.nested, (method,)) == [25, 0]


@BOTH
def test_a_daemon_has_no_children(method):
    words = "daemonic processes are not allowed to have children"
    with (
        running(method, target=work.nested, args=(method,), daemon=True) as each,
        pytest.raises(AssertionError) as caught,
    ):
        each.result()
    assert words in str(caught.value)


@BOTH
def test_a_process_finds_what_its_parent_had(method, monkeypatch, tmp_path):
    monkeypatch.setenv("TESTS_PROCESS", "here")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["a", "b"])
    with running(method, target=work.surroundings) as each:
        assert each.result() == {
            "environ": "here",
            "folder": str(tmp_path),
            "path": str(tmp_path),
            "argv": ["a", "b"],
            "main": [],
        }


@BOTH
def test_parent_process_is_the_one_that_started_it(method):
    def ask() -> list:
        parent = multiprocessing.parent_process()
        assert parent is not None
        return [parent.pid, parent.is_alive(), parent.name]

    with running(method, target=ask) as each:
        assert each.result() == [os.getpid(), True, "MainProcess"]


@ALL
@pytest.mark.parametrize("verb", ["terminate", "kill"])
def test_a_tree_is_ended_with_its_root(method, verb):
    near, far = elsewhere.get_context(method).Pipe()
    with near, far, running(method, target=work.with_children, args=(far, method)) as each:
        assert near.poll(30)
        pids = near.recv()
        ends = [os.pidfd_open(pid) for pid in pids]
        try:
            getattr(each, verb)(tree=True)
            for end in ends:
                assert select.select([end], [], [], 30)[0], "one of the tree has not ended"
        finally:
            for end in ends:
                os.close(end)
        each.join()
        assert each.exitcode == (-15 if verb == "terminate" else -9)


@BOTH
def test_output_goes_to_the_inherited_descriptors(method, capfd):
    with running(method, target=work.speak, args=("hello",)) as each:
        each.join()
    out, err = capfd.readouterr()
    assert out == "hello\n"
    assert sorted(err.splitlines()) == ["hello", "log of hello"]


@BOTH
def test_no_zombie_is_left_by_a_process_that_nobody_joins(method):
    each = process(method, target=os.getpid)
    each.start()
    pid = each.result()
    assert wait([each.sentinel], 30)
    del each
    until(lambda: not os.path.exists(f"/proc/{pid}"), "its parent to reap it")
    assert multiprocessing.active_children() == []


@BOTH
def test_processes_end_when_the_fork_server_is_killed(method):
    with running(method, target=work.forever) as each:
        server = tree._parent(str(each.pid))
        os.kill(server, signal.SIGKILL)
        each.join()
        assert each.exitcode == -9
    with running(method, target=work.square, args=(3,)) as each:
        assert each.result() == 9


@BOTH
def test_a_fork_of_the_caller_leaves_its_processes_alone_and_starts_its_own(method):
    with running(method, target=work.forever) as each:
        pid = os.fork()
        if pid == 0:
            code = 1
            with contextlib.suppress(BaseException):
                multiprocessing.process._children.clear()
                assert each._popen.poll() is None
                mine = process(method, target=work.square, args=(4,))
                mine.start()
                assert mine.result() == 16
                mine.join()
                code = 0
            os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert each.is_alive()
        each.terminate()
        each.join()
        assert each.exitcode == -15


def test_many_at_once():
    started = [process("forkserver", target=work.square, args=(number,)) for number in range(20)]
    for each in started:
        each.start()
    assert [each.result() for each in started] == [number**2 for number in range(20)]
    for each in reversed(started):
        each.join()
        assert each.exitcode == 0
        each.close()


@BOTH
def test_a_signal_handler_may_end_the_process_that_is_waited_for(method):
    before = signal.getsignal(signal.SIGALRM)
    with running(method, target=work.forever) as each:
        signal.signal(signal.SIGALRM, lambda *_: (each.terminate(), each.join()))
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            each.join()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert each.exitcode == -15


def test_threads_start_and_join_at_once():
    codes = []

    def one(number: int) -> None:
        with running("forkserver", target=sys.exit, args=(number,)) as each:
            each.join()
            codes.append(each.exitcode)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == list(range(16))


@BOTH
def test_the_standard_librarys_executor_runs_on_our_context(method):
    with ProcessPoolExecutor(2, mp_context=elsewhere.get_context(method)) as executor:
        assert list(executor.map(abs, [-1, 2, -3])) == [1, 2, 3]


@BOTH
def test_a_process_whose_object_is_forgotten_gives_everything_back(method):
    each = process(method, target=os.getpid)
    each.start()
    started, end = weakref.ref(each._popen), os.dup(each.sentinel)
    del each
    assert wait([end], 30)
    os.close(end)
    multiprocessing.active_children()  # which multiprocessing's own list waits for
    assert started() is None


def test_a_module_that_cannot_be_preloaded_is_told_where_the_process_is_started():
    elsewhere.set_forkserver_preload(["tests.no_such_module"])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for number in range(2):
            each = Process(target=work.square, args=(number,))
            each.start()
            assert each.result() == number**2
            each.join()
            each.close()
    assert {warning.filename for warning in caught} == {__file__}
    assert "no_such_module" in str(caught[0].message)


@BOTH
def test_a_kill_at_any_moment_leaves_nothing(method):
    for _ in range(10):
        each = process(method, target=work.square, args=(bytes(1_000_000),))
        each.start()
        each.kill()
        with pytest.raises((WorkerLost, TypeError)):
            each.result()
        each.join()
        assert each.exitcode in {-9, 1}
        each.close()


@BOTH
def test_shared_memory_outlives_a_process_that_has_opened_it(method):
    block = shared_memory.SharedMemory(create=True, size=10)
    try:
        with running(method, target=work.write_shared, args=(block.name,)) as each:
            assert each.result() is None
            each.join()
        again = shared_memory.SharedMemory(block.name)
        assert again.buf[0] == 7
        again.close()
    finally:
        block.close()
        block.unlink()


@BOTH
def test_large_arguments_arrive(method):
    with running(method, target=len, args=(bytes(30_000_000),)) as each:
        assert each.result() == 30_000_000
