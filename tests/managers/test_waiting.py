"""Locks, conditions, events, barriers and queues: who waits is parked, and who is killed gives back what it has."""

from __future__ import annotations

import queue
import threading

import pytest

from .work import Note, child, die, ended, hold_and_die


def in_thread(function, *args):
    """A running thread whose result is appended to a list."""
    found = []
    thread = threading.Thread(target=lambda: found.append(function(*args)))
    thread.start()
    return thread, found


def test_a_lock_that_waits_does_not_keep_other_threads_waiting(manager):
    lock, d = manager.Lock(), manager.dict(a=1)
    lock.acquire()
    thread, found = in_thread(lock.acquire)
    assert [d["a"] for _ in range(100)] == [1] * 100
    assert not found
    lock.release()
    thread.join(10)
    assert found == [True]
    assert not lock.acquire(False)
    assert not lock.acquire(True, 0.01)
    lock.release()
    with pytest.raises(RuntimeError, match="unlocked"):
        lock.release()
    with pytest.raises(ValueError, match="timeout"):
        lock.acquire(True, -3)
    with pytest.raises(ValueError, match="non-blocking"):
        lock.acquire(False, 3)


def test_an_rlock_is_its_threads(manager):
    lock = manager.RLock()
    with lock, lock:
        thread, found = in_thread(lock.acquire, False)
        thread.join(10)
        assert found == [False]
    thread, found = in_thread(lock.acquire, False)
    thread.join(10)
    assert found == [True]
    with pytest.raises(RuntimeError, match="un-acquired"):
        lock.release()


@pytest.mark.parametrize("kind", ["Lock", "RLock", "Semaphore", "BoundedSemaphore", "Condition"])
def test_a_killed_holder_gives_it_back(manager, kind):
    lock = getattr(manager, kind)()
    with child(hold_and_die, lock) as pid:
        assert ended(pid) == -9
        assert lock.acquire(True, 30)
    lock.release()


@pytest.mark.parametrize("kind", ["Lock", "RLock", "Semaphore", "BoundedSemaphore", "Condition"])
def test_a_killed_waiter_gets_nothing(manager, kind):
    lock, ready = getattr(manager, kind)(), manager.Event()

    def wait():
        ready.set()
        lock.acquire()

    lock.acquire()
    with child(wait) as pid:
        assert ready.wait(30)
    lock.release()
    assert pid
    assert lock.acquire(True, 30)
    lock.release()


def test_a_semaphore_that_counts_events_gets_none_from_the_dead(manager):
    events = manager.Semaphore(0)
    events.release()
    events.release()

    def take():
        events.acquire()
        die()

    with child(take) as pid:
        ended(pid)
    assert events.acquire(False)
    assert not events.acquire(True, 0.05)


def test_a_bounded_semaphore_has_its_bound(manager):
    semaphore = manager.BoundedSemaphore(2)
    assert [semaphore.acquire(False) for _ in range(3)] == [True, True, False]
    semaphore.release()
    semaphore.release()
    with pytest.raises(ValueError, match="too many"):
        semaphore.release()


def test_a_condition_wakes_as_many_as_it_says(manager):
    condition, woken = manager.Condition(), manager.list()

    def wait(number):
        with condition:
            sleeping.release()
            woken.append((number, condition.wait(30)))

    sleeping = manager.Semaphore(0)
    threads = [threading.Thread(target=wait, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
        assert sleeping.acquire(True, 30)
    with condition:
        condition.notify(1)
    with condition:
        condition.notify_all()
    for thread in threads:
        thread.join(30)
    assert sorted(woken[:]) == [(0, True), (1, True), (2, True)]
    with condition:
        assert condition.wait(0.01) is False
    with pytest.raises(RuntimeError, match="un-acquired"):
        condition.wait()
    with pytest.raises(RuntimeError, match="un-acquired"):
        condition.notify()


def test_a_condition_shares_a_lock(manager):
    lock = manager.Lock()
    condition = manager.Condition(lock)
    with condition:
        assert not lock.acquire(False)
    assert lock.acquire(False)
    with pytest.raises(Exception, match="Lock or RLock"):
        manager.Condition(3)


def test_a_killed_sleeper_swallows_no_notification(manager):
    condition, ready = manager.Condition(), manager.Event()

    def sleep(ready):
        with condition:
            ready.set()
            condition.wait()

    with child(sleep, ready):
        assert ready.wait(30)
        with condition:  # it has the lock: the child sleeps
            pass
    other = manager.Event()
    thread, _ = in_thread(sleep, other)
    assert other.wait(30)
    with condition:
        condition.notify()
    thread.join(30)
    assert not thread.is_alive()


def test_an_event(manager):
    event = manager.Event()
    assert not event.wait(0.01)
    thread, found = in_thread(event.wait)
    event.set()
    thread.join(10)
    assert (found, event.is_set(), event.wait()) == ([True], True, True)
    event.clear()
    assert not event.is_set()


def test_a_barrier_lets_all_through_at_once(manager):
    passed = manager.list()
    barrier = manager.Barrier(2, Note(passed))
    thread, found = in_thread(barrier.wait)
    found.append(barrier.wait())
    thread.join(10)
    assert sorted(found) == [0, 1]
    assert passed[:] == ["passed"]
    assert (barrier.parties, barrier.n_waiting, barrier.broken) == (2, 0, False)
    with pytest.raises(threading.BrokenBarrierError):
        barrier.wait(0.01)
    assert barrier.broken
    barrier.reset()
    assert not barrier.broken


def test_a_killed_process_breaks_the_barrier_it_waits_at(manager):
    barrier = manager.Barrier(3)
    with child(barrier.wait):
        while barrier.n_waiting < 1:
            pass
    with pytest.raises(threading.BrokenBarrierError):
        barrier.wait(30)


def test_a_queue_behaves_as_a_queue(manager):
    q = manager.Queue(2)
    q.put(1)
    q.put_nowait(2)
    assert (q.full(), q.empty(), q.qsize()) == (True, False, 2)
    with pytest.raises(queue.Full):
        q.put_nowait(3)
    with pytest.raises(queue.Full):
        q.put(3, timeout=0.01)
    thread, _ = in_thread(q.put, 3)
    assert [q.get(), q.get(), q.get()] == [1, 2, 3]
    thread.join(10)
    with pytest.raises(queue.Empty):
        q.get_nowait()
    with pytest.raises(queue.Empty):
        q.get(timeout=0.01)
    with pytest.raises(ValueError, match="non-negative"):
        q.get(timeout=-1)


def test_a_joinable_queue_is_joined(manager):
    q = manager.JoinableQueue()
    q.put(1)
    thread, found = in_thread(q.join)
    q.get()
    assert not found
    q.task_done()
    thread.join(10)
    assert not thread.is_alive()
    with pytest.raises(ValueError, match="too many"):
        q.task_done()


def test_a_killed_reader_takes_no_item(manager):
    q, ready = manager.Queue(), manager.Event()

    def read():
        ready.set()
        q.get()

    with child(read):
        assert ready.wait(30)
    q.put("item")  # read after the end of the child's connection, which was there first
    assert q.get(timeout=30) == "item"


def test_many_threads_on_one_connection(manager):
    q, d = manager.Queue(), manager.dict()

    def consume():
        while (item := q.get()) is not None:
            d.increment("sum", item)

    threads = [threading.Thread(target=consume) for _ in range(8)]
    for thread in threads:
        thread.start()
    for number in range(400):
        q.put(number)
    for _ in threads:
        q.put(None)
    for thread in threads:
        thread.join(30)
    assert d["sum"] == sum(range(400))
