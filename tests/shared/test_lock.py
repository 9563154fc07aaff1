"""The lock of values: recursive, exact, and never left taken."""

from __future__ import annotations

import contextlib
import fcntl
import multiprocessing
import os
import pickle
import random
import signal
import sys
import threading

import pytest

from elsewhere import Pool, Value, WorkerLost
from elsewhere.shared.lock import RLock
from tests.shared import work


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

    class Alarm(Exception):
        pass

    def ring(signum, frame):
        raise Alarm

    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(Alarm):
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
def just_after_the_kernel_gave_it(handler):
    """Run it where a signal's handler may: after the call that gets the lock, before a line of ours."""

    def profile(frame, event, arg):
        if event == "c_return" and arg is fcntl.fcntl and frame.f_code.co_name.startswith("acquire"):
            handler()

    sys.setprofile(profile)
    try:
        yield
    finally:
        sys.setprofile(None)


@pytest.mark.parametrize("timeout", [None, work.SOON])
def test_a_handler_that_takes_it_too_does_not_give_away_what_it_interrupted(timeout):
    lock, rung = RLock(), []

    def handler():
        with lock:
            rung.append(1)

    with just_after_the_kernel_gave_it(handler):
        assert lock.acquire(True, timeout)
    assert rung == [1]
    assert in_child(lambda: lock.acquire(False)) == b"\0"
    lock.release()
    assert in_child(lambda: lock.acquire(False)) == b"\1"


@pytest.mark.parametrize("timeout", [None, work.SOON])
def test_a_handler_that_raises_leaves_it_free(timeout):
    lock = RLock()

    def handler():
        raise KeyboardInterrupt

    with just_after_the_kernel_gave_it(handler), pytest.raises(KeyboardInterrupt):
        lock.acquire(True, timeout)
    assert in_child(lambda: lock.acquire(False)) == b"\1"
    assert in_thread(lambda: lock.acquire(False)) is True


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
