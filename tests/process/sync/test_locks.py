"""Locks, semaphores, conditions, events and barriers, in a Pool's calls and in processes of each start method."""

from __future__ import annotations

import gc
import multiprocessing.synchronize
import os
import pickle
import threading
import time

import pytest

import elsewhere
from elsewhere.runtime.passing import receipts
from tests.process.sync import work

LOCKS = {"Lock": elsewhere.Lock, "RLock": elsewhere.RLock, "robust": lambda: elsewhere.Lock(robust=True)}


@pytest.fixture(params=list(LOCKS))
def lock(request):
    made = LOCKS[request.param]()
    yield made
    getattr(type(made), "__del__", lambda _: None)(made)  # pytest still holds it when it is looked for what is left
    vars(made).clear()


def test_they_are_multiprocessings():
    theirs = multiprocessing.synchronize
    assert isinstance(elsewhere.Lock(), theirs.Lock)
    assert isinstance(elsewhere.Lock(robust=True), theirs.Lock)
    assert isinstance(elsewhere.Lock(robust=True), elsewhere.Lock)
    for name in ("RLock", "Semaphore", "BoundedSemaphore", "Condition", "Event"):
        assert isinstance(getattr(elsewhere, name)(), getattr(theirs, name))
    assert isinstance(elsewhere.Barrier(1), theirs.Barrier)


@pytest.mark.parametrize("method", work.METHODS)
def test_a_lock_excludes(lock, method):
    number = elsewhere.Queue()
    number.put(0)
    others = [work.start(method, work.count, lock, number, 300) for _ in range(2)]
    work.count(lock, number, 300)
    assert [work.end(other) for other in others] == [0, 0]
    assert number.get() == 900


def test_a_lock_excludes_the_threads_of_a_process(lock):
    number = elsewhere.Queue()
    number.put(0)
    threads = [threading.Thread(target=work.count, args=(lock, number, 300)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert number.get() == 900


@pytest.mark.parametrize("method", work.METHODS)
def test_a_lock_is_an_argument_of_a_pools_calls(lock, method):
    with elsewhere.get_context(method).Pool(1) as pool:
        with lock:
            assert not pool.apply(work.acquired, (lock, 0.05))
        assert pool.apply(work.acquired, (lock, 30))


def test_a_lock_that_is_not_held_cannot_be_released(lock):
    with pytest.raises((ValueError, AssertionError)):
        lock.release()
    with lock:
        pass
    with pytest.raises((ValueError, AssertionError)):
        lock.release()


def test_a_copy_of_a_lock_is_the_same_lock():
    for make in (elsewhere.Lock, LOCKS["robust"]):
        lock = make()
        copy = pickle.loads(pickle.dumps(lock))
        with lock:
            assert not copy.acquire(block=False)
            assert not copy.acquire(timeout=0.01)
        assert copy.acquire()
        assert not lock.acquire(False)
        copy.release()


def test_timeouts_of_a_robust_lock():
    lock = elsewhere.Lock(robust=True)
    assert lock.acquire(timeout=0)
    begin = time.monotonic()
    assert not lock.acquire(timeout=0.2)
    assert not pickle.loads(pickle.dumps(lock)).acquire(timeout=0.2)
    assert 0.4 <= time.monotonic() - begin < 5
    assert not lock.acquire(timeout=-1)
    assert "held by this process" in repr(lock)
    lock.release()
    assert "not held" in repr(lock)


@pytest.mark.parametrize("method", work.METHODS)
@pytest.mark.parametrize("timeout", [None, 30])
def test_a_robust_lock_is_free_when_its_holder_is_killed(method, timeout):
    lock, held = elsewhere.Lock(robust=True), elsewhere.Queue()
    for _ in range(3):
        holder = work.start(method, work.hold, lock, held)
        assert held.get(timeout=30) == holder.pid
        assert not lock.acquire(timeout=0.01)
        work.kill(holder)
        assert lock.acquire(timeout=timeout)
        lock.release()


def test_a_plain_lock_stays_locked_when_its_holder_is_killed():
    lock, held = elsewhere.Lock(), elsewhere.Queue()
    holder = work.start("forkserver", work.hold, lock, held)
    held.get(timeout=30)
    work.kill(holder)
    assert not lock.acquire(timeout=0.1)
    lock.release()
    assert lock.acquire(timeout=0)


def test_a_fork_does_not_hold_what_its_parent_holds():
    lock = elsewhere.Lock(robust=True)
    with lock:
        pid = os.fork()
        if pid == 0:
            try:
                with pytest.raises(ValueError, match="does not hold"):
                    lock.release()
                assert not lock.acquire(timeout=0.05)
            except BaseException:
                os._exit(1)
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        assert not pickle.loads(pickle.dumps(lock)).acquire(False)
    assert lock.acquire(timeout=0)
    lock.release()


def test_a_robust_lock_and_a_fork_that_lives_on():
    """The child has the parent's descriptor for a moment: it must not keep the lock from being freed."""
    lock, gate = elsewhere.Lock(robust=True), elsewhere.Queue()
    lock.acquire()
    child = work.start("fork", work.try_to_get, gate, gate)
    lock.release()
    other = pickle.loads(pickle.dumps(lock))
    assert other.acquire(timeout=10)
    other.release()
    assert work.end(child) == 0


@pytest.mark.parametrize("method", work.METHODS)
def test_several_copies_of_one_lock_go_to_one_process(method):
    lock = elsewhere.Lock(robust=True)
    copy = pickle.loads(pickle.dumps(lock))
    process = work.start(method, work.both, lock, copy)
    assert work.end(process) == 0
    with lock:
        assert not copy.acquire(False)


def test_bad_arguments():
    for wrong in (-1, 2**31):
        with pytest.raises(ValueError, match="a semaphore counts from 0"):
            elsewhere.Semaphore(wrong)
    with pytest.raises(TypeError, match="robust"):
        elsewhere.Condition(elsewhere.Lock(robust=True))
    with pytest.raises(TypeError, match="needs a Lock or an RLock"):
        elsewhere.Condition(threading.Lock())


def test_an_rlock_is_its_holders():
    lock = elsewhere.RLock()
    with lock, lock, elsewhere.Pool(1) as pool:
        assert not pool.apply(work.acquired, (lock, 0.05))
    with pytest.raises(AssertionError):
        lock.release()


@pytest.mark.parametrize("make", [elsewhere.Semaphore, elsewhere.BoundedSemaphore])
def test_semaphores(make):
    semaphore = make(2)
    with elsewhere.Pool(1) as pool:
        assert semaphore.acquire()
        assert pool.apply(work.acquired, (semaphore, 30))
        assert semaphore.acquire()
        assert not pool.apply(work.acquired, (semaphore, 0.05))
        assert semaphore.get_value() == 0
        semaphore.release()
        semaphore.release()
    if make is elsewhere.BoundedSemaphore:
        with pytest.raises(ValueError, match="too many"):
            semaphore.release()


@pytest.mark.parametrize("method", work.METHODS)
def test_an_event_reaches_processes_and_calls(method):
    event = elsewhere.Event()
    process = work.start(method, work.wait_for, event)
    with elsewhere.get_context(method).Pool(1) as pool:
        call = pool.submit(work.wait_for, event)
        assert not event.wait(0.05)
        event.set()
        assert call.result(30)
        assert pool.apply(work.give, (event,)).is_set()
    assert work.end(process) == 0
    event.clear()
    assert not event.is_set()


@pytest.mark.parametrize("method", work.METHODS)
def test_a_barrier_lets_all_go_together(method):
    barrier = elsewhere.Barrier(3)
    process = work.start(method, work.meet, barrier)
    with elsewhere.get_context(method).Pool(1) as pool:
        call = pool.submit(work.meet, barrier)
        assert {barrier.wait(30), call.result(30)} < {0, 1, 2}
        assert work.end(process) == 0
        call = pool.submit(work.meet, barrier)
        barrier.abort()
        with pytest.raises(threading.BrokenBarrierError):
            call.result(30)
        barrier.reset()
        assert not barrier.broken


@pytest.mark.parametrize("method", work.METHODS)
def test_a_condition_notifies(method):
    condition, ready = elsewhere.Condition(), elsewhere.Queue()
    process = work.start(method, work.notified, condition, ready)
    with elsewhere.get_context(method).Pool(1) as pool:
        call = pool.submit(work.notified, condition, ready)
        assert [ready.get(timeout=30), ready.get(timeout=30)] == [True, True]
        with condition:  # who said ready has the lock until it waits
            condition.notify_all()
        assert call.result(30)
    assert work.end(process) == 0


def test_a_method_may_outlive_its_lock():
    lock = elsewhere.Lock()
    acquire, release = lock.acquire, lock.release
    del lock
    gc.collect()
    assert acquire()
    assert not acquire(False)
    release()


def test_a_lock_whose_sender_has_let_go_of_it():
    for make in LOCKS.values():
        body = pickle.dumps(make())
        gc.collect()
        receipts.forget()  # memory was short
        with pytest.raises(FileNotFoundError, match="no longer has this queue, lock or semaphore"):
            pickle.loads(body)
