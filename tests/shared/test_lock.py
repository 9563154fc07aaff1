"""The lock of values: recursive, exact, and never left taken."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import pickle
import random
import signal
import tempfile
import threading
import weakref

import pytest

from elsewhere import Array, Pool, Value, WorkerLost
from elsewhere.runtime.locks import mutex as mutexes
from elsewhere.shared import lock as lock_module
from elsewhere.shared import single
from elsewhere.shared.lock import RLock
from tests.shared import work
from tests.shared.work import Program


def in_child(function):
    """What the function gives in a forked copy, as a byte."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(write, bytes([function()]))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    found = os.read(read, 1)
    os.close(read)
    return found


def in_thread(function):
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def test_it_is_recursive():
    lock = RLock()
    assert lock.acquire()
    assert lock.acquire(False)
    assert lock.acquire(timeout=0)
    with lock:
        pass
    for _ in range(2):
        lock.release()
    assert in_thread(lambda: lock.acquire(False)) is False
    assert in_child(lambda: lock.acquire(False)) == b"\0"
    lock.release()
    assert in_child(lambda: lock.acquire(False)) == b"\1"
    with pytest.raises(AssertionError, match="not owned"):
        lock.release()


def test_another_thread_cannot_give_it_back():
    lock = RLock()
    with lock:

        def release():
            with pytest.raises(AssertionError, match="not owned"):
                lock.release()

        in_thread(release)
    assert "not held here" in repr(lock)


def test_a_copy_is_the_same_lock():
    lock = RLock()
    copy = pickle.loads(pickle.dumps(lock))
    with lock:
        assert copy.acquire(False)
        copy.release()
        assert in_thread(lambda: copy.acquire(False)) is False
    with copy:
        assert in_thread(lambda: lock.acquire(False)) is False


def test_two_locks_are_two():
    one, two = RLock(), RLock()
    with one:
        assert in_child(lambda: two.acquire(False)) == b"\1"


@pytest.mark.parametrize("timeout", [0.01, 0, -1])
def test_a_timeout_ends_the_wait(timeout):
    lock = RLock()
    with lock:
        assert in_thread(lambda: lock.acquire(True, timeout)) is False
        assert in_child(lambda: lock.acquire(True, timeout)) == b"\0"
    assert lock.acquire(True, timeout)
    lock.release()


def test_threads_exclude_each_other():
    value = Value("q", 0)
    threads = [threading.Thread(target=work.count, args=(value, 1000)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert value.value == 4000


def test_a_forked_copy_does_not_hold_what_its_parent_holds():
    lock = RLock()
    with lock:
        assert in_child(lambda: lock.acquire(False)) == b"\0"
        child = os.fork()
        if not child:
            os._exit(0)  # its end must not free the parent's
        os.waitpid(child, 0)
        assert in_child(lambda: lock.acquire(False)) == b"\0"


def test_an_interrupted_wait_leaves_it_as_it_was():
    lock, context = RLock(), multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=hold_until_told, args=(lock, theirs))
    process.start()
    ours.recv_bytes()

    def ring(signum, frame):
        raise Alarm

    before = signal.signal(signal.SIGALRM, ring)
    try:
        with pytest.raises(Alarm):  # it may come a moment before the wait
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            lock.acquire()
    finally:
        signal.signal(signal.SIGALRM, before)
    ours.send_bytes(b"")
    process.join()
    assert lock.acquire(timeout=work.SOON)
    lock.release()
    with pytest.raises(AssertionError):
        lock.release()
    ours.close()
    theirs.close()
    process.close()


@contextlib.contextmanager
def just_after(name, handler, module=lock_module):
    """Run it where a signal's handler may: after that call, before a line of ours."""
    real = getattr(module, name)

    def wrapped(*arguments):
        answer = real(*arguments)
        setattr(module, name, real)  # once
        handler()
        return answer

    setattr(module, name, wrapped)
    try:
        yield
    finally:
        setattr(module, name, real)


class Alarm(Exception):
    pass


def raise_alarm():
    raise Alarm


@pytest.mark.parametrize("timeout", [None, work.SOON])
def test_a_handler_that_takes_it_too_does_not_give_away_what_it_interrupted(timeout):
    lock, rung = RLock(), []

    def handler():
        with lock, lock:
            rung.append(in_child(lambda: lock.acquire(False)))
        rung.append(in_child(lambda: lock.acquire(False)))

    with just_after("try_lock", handler):
        assert lock.acquire(True, timeout)
    assert rung == [b"\0", b"\0"]
    assert in_child(lambda: lock.acquire(False)) == b"\0"
    lock.release()
    assert in_child(lambda: lock.acquire(False)) == b"\1"
    with pytest.raises(AssertionError):
        lock.release()


@pytest.mark.parametrize("timeout", [None, work.SOON])
def test_a_handler_that_raises_leaves_it_free(timeout):
    lock = RLock()
    with just_after("try_lock", raise_alarm), pytest.raises(Alarm):
        lock.acquire(True, timeout)
    assert in_child(lambda: lock.acquire(False)) == b"\1"
    assert in_thread(lambda: lock.acquire(False) and lock.release()) is None


def test_a_handler_that_raises_takes_nothing_from_who_holds_it_already():
    lock = RLock()
    with lock:
        for name, module in (("try_lock", lock_module), ("wait", lock_module.State)):
            with just_after(name, raise_alarm, module), pytest.raises(Alarm):
                lock.acquire()
            assert in_child(lambda: lock.acquire(False)) == b"\0"
    assert in_child(lambda: lock.acquire(False)) == b"\1"
    with pytest.raises(AssertionError):
        lock.release()


@pytest.mark.parametrize("make", [lambda: Value("i", 3), lambda: Array("i", [3])])
def test_a_handler_within_a_single_write(make):
    value = make()
    write = write_value if hasattr(value, "value") else write_item
    lock, seen = value.get_lock(), []

    def handler():
        with lock:
            write(value, 7)
            seen.append(in_child(lambda: lock.acquire(False)))
        seen.append(in_child(lambda: lock.acquire(False)))

    with just_after("try_lock", handler, single):
        write(value, 8)
    assert seen == [b"\0", b"\0"]
    assert lock.state not in lock_module._held
    assert lock.state.turn[0] % 2 == 0
    assert work.first(value) == 8
    with just_after("try_lock", raise_alarm, single), pytest.raises(Alarm):
        write(value, 9)
    assert work.first(value) == 8
    assert in_child(lambda: lock.acquire(False)) == b"\1"


def write_value(value, new):
    value.value = new


def write_item(value, new):
    value[0] = new


@pytest.mark.parametrize("method", work.METHODS)
def test_a_handler_that_raises_when_a_dead_holder_was_found(method):
    value = Value("i", 3)
    lock = value.get_lock()
    for interrupted in (lock.acquire, lambda: write_value(value, 5)):
        kill_a_holder(method, value)
        with just_after("try_lock", raise_alarm), just_after("try_lock", raise_alarm, single), pytest.raises(Alarm):
            interrupted()
        assert in_child(lambda: lock.acquire(False)) == b"\1"
        kill_a_holder(method, value)
        with just_after("consistent", raise_alarm, mutexes), pytest.raises(Alarm):
            interrupted()
        assert in_child(lambda: lock.acquire(False)) == b"\1"
    assert value.value == 3


def kill_a_holder(method, value):
    context = multiprocessing.get_context(method)
    ours, theirs = context.Pipe()
    process = context.Process(target=work.hold, args=(value, theirs))
    process.start()
    assert ours.recv_bytes() == b"held"
    assert not value.get_lock().acquire(False)
    process.kill()
    process.join()
    for end in (ours, theirs, process):
        end.close()


def test_a_thread_that_ends_gives_it_back():
    lock = RLock()
    assert in_thread(lock.acquire)
    assert in_child(lambda: lock.acquire(timeout=work.SOON)) == b"\1"
    assert lock.acquire(timeout=work.SOON)
    assert in_thread(lambda: lock.acquire(False)) is False
    lock.release()
    with pytest.raises(AssertionError):
        lock.release()


def test_a_thread_that_ends_keeps_no_memory():
    locks = [RLock()]
    gone = weakref.ref(locks[0].state)
    assert in_thread(locks[0].acquire)
    locks.clear()
    work.until(lambda: RLock() and not gone())  # the next lock lets go of it, when the thread is gone for the kernel


def test_who_forgets_what_it_holds_spoils_nothing():
    """Memory with a held mutex must stay mapped: the C library has it in a list."""
    source = """
import gc
from elsewhere import Value
value = Value("i", 3)
store(value, sys.argv[1])
say()
hear()
value.get_lock().acquire()
del value
gc.collect()
other = Value("q", 0)
for _ in range(1000):
    with other.get_lock():
        other.value += 1
say(other.value)
hear()
"""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "handle")
        with Program(source, path) as program:
            program.hear()
            value = work.load(path)
            program.say()
            assert program.hear() == 1000
            assert not value.get_lock().acquire(timeout=0.01)
            program.say()
            assert program.process.wait() == 0  # in order: the interpreter is taken down with it held
        assert work.owned_by_nobody(value)


@pytest.mark.parametrize("make", [lambda: Value("q", 0), lambda: Array("q", [0, 0]), lambda: Value(Pair)])
def test_a_reader_waits_for_who_holds_it_and_sees_nothing_half_done(make):
    value = make()
    seen, began = [], threading.Event()

    def read():
        began.set()
        seen.append(work.first(value))

    with value.get_lock():
        thread = threading.Thread(target=read)
        thread.start()
        began.wait()
        for number in range(1, 2000):
            work.set_first_of(value, number)
            assert work.first(value) == number
        assert seen == []
    thread.join()
    assert seen == [1999]


class Pair(ctypes.Structure):
    _fields_ = [("x", ctypes.c_int), ("y", ctypes.c_int)]


@pytest.mark.parametrize("method", work.METHODS)
@pytest.mark.parametrize("make", [lambda: Value("q", 0), lambda: Array("q", [0, 0])])
def test_no_reader_ever_sees_the_middle_of_a_section(method, make):
    """The holder makes the number odd in each section; readers and single writers elsewhere keep to even ones."""
    value = make()
    with Pool(1, context=method) as pool:
        future = pool.submit(work.odd_inside, value, 20_000)
        while not future.done():
            assert work.first(value) % 2 == 0
        assert future.result() == 40_000
        assert work.first(value) == 40_000


class Behind:
    """In the place of a wrapper's object: while it is looked at, another thread begins and ends a section."""

    def __init__(self, value):
        self.wrapper, self.real = value, value._obj

    def look(self, read):
        seen = []

        def section():
            with self.wrapper.get_lock():
                self.wrapper._obj = self.real
                work.set_first_of(self.wrapper, 1)
                seen.append(read(self.real))
                work.set_first_of(self.wrapper, 2)

        in_thread(section)
        return seen[0]

    @property
    def value(self):
        return self.look(lambda real: real.value)

    def __getitem__(self, index):
        return self.look(lambda real: real[index])


@pytest.mark.parametrize("make", [lambda: Value("q", 0), lambda: Array("q", [0, 0])])
def test_a_section_that_began_and_ended_during_a_look_is_noticed(make):
    value = make()
    value._obj = Behind(value)
    assert (value.value if hasattr(type(value), "value") else value[0]) == 2


@pytest.mark.parametrize("method", work.METHODS)
def test_a_single_write_never_falls_into_a_section(method):
    value = Value("q", 0)
    with Pool(1, context=method) as pool:
        future = pool.submit(work.seen_unchanged, value, 5000)
        number = 0
        while not future.done():
            number += 1
            value.value = number
        assert future.result() is True


def test_two_numbers_of_an_array_are_read_together():
    """A slice takes the lock: no half of a section, and no mixture of single writes."""
    array = Array("q", [0, 0])
    with Pool(1) as pool:
        future = pool.submit(work.write_one_after_the_other, array, 5000)
        while not future.done():
            first, second = array[:]
            assert first - 1 <= second <= first
        future.result()


def hold_until_told(lock, connection):
    with lock:
        connection.send_bytes(b"held")
        connection.recv_bytes()


@pytest.mark.parametrize("method", ["fork", *work.METHODS])
def test_a_killed_holder_gives_it_back(method):
    context = multiprocessing.get_context(method)
    value = Value("i", 0)
    ours, theirs = context.Pipe()
    process = context.Process(target=work.hold, args=(value, theirs))
    process.start()
    assert ours.recv_bytes() == b"held"
    assert not value.get_lock().acquire(False)
    process.kill()
    assert work.owned_by_nobody(value)
    process.join()
    for end in (ours, theirs, process):
        end.close()


@pytest.mark.parametrize("method", work.METHODS)
def test_a_worker_killed_at_any_moment_wedges_nobody(method):
    value = Value("q", 0)
    with Pool(2, context=method) as pool:
        for seed in range(3):
            target = value.value + random.Random(seed).randrange(1, 2000)
            futures = [pool.submit(work.count_forever, value) for _ in range(2)]
            work.until(lambda target=target: value.get_obj().value >= target)
            work.until(lambda: len(worker_pids(value)) == 2)
            for pid in worker_pids(value):
                os.kill(pid, signal.SIGKILL)
            for future in futures:
                with pytest.raises(WorkerLost):
                    future.result(work.SOON)
            assert work.owned_by_nobody(value)
            assert pool.apply(work.owned_by_nobody, (value,))


def worker_pids(value):
    return [pid for pid in work.users(value._obj._wrapper.block.token) if pid != os.getpid()]
