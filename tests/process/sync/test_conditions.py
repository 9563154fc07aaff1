"""Conditions, events and barriers of processes: who is woken, and that nobody waits for the dead."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time

import pytest

import elsewhere
from elsewhere.process.sync import conditions
from tests.process.sync import work

METHODS = ["forkserver", "spawn"]


def wait_and_say(condition, said, name):
    with condition:
        said.put(("waits", name))
        condition.wait()
    said.put(("woken", name))


def wait_for_ever(condition, said):
    with condition:
        said.put("waits")
        condition.wait()


def sleepers(condition, method, said, count):
    """Processes that wait, in their order."""
    processes = []
    for name in range(count):
        processes.append(work.start(method, wait_and_say, condition, said, name))
        assert said.get(timeout=20) == ("waits", name)
    return processes


@pytest.mark.parametrize("method", METHODS)
def test_a_notice_goes_to_the_first_who_lives(method):
    condition, said = elsewhere.Condition(), elsewhere.Queue()
    processes = sleepers(condition, method, said, 4)
    with condition:
        for victim in processes[:2]:
            work.kill(victim)
        condition.notify()
    assert said.get(timeout=20) == ("woken", 2)
    with condition:
        condition.notify()
    assert said.get(timeout=20) == ("woken", 3)
    assert [work.end(process) for process in processes[2:]] == [0, 0]
    with condition:
        condition.notify_all()  # nobody
    assert "0 wait" in repr(condition)


@pytest.mark.parametrize("method", METHODS)
def test_all_are_woken_though_some_are_dead(method):
    condition, said = elsewhere.Condition(elsewhere.Lock()), elsewhere.Queue()
    processes = sleepers(condition, method, said, 4)
    with condition:
        for victim in processes[1:3]:
            work.kill(victim)
        condition.notify_all()
    assert {said.get()[1], said.get()[1]} == {0, 3}
    assert [work.end(processes[at]) for at in (0, 3)] == [0, 0]


def test_a_zombie_is_dead():
    condition = elsewhere.Condition()
    pid = os.fork()
    if not pid:
        with condition:
            condition.wait()
    while "1 wait" not in repr(condition):
        os.sched_yield()
    with condition:
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie
        place = condition._asleep()[0]
        assert not conditions.lives(condition._words[place + 1])
        assert list(condition._alive([place])) == []
    os.waitpid(pid, 0)


def test_a_number_that_is_used_again_is_another_process():
    mine = conditions.this_process()
    assert conditions.lives(mine)
    assert conditions.word_of(os.getpid()) == mine
    assert not conditions.lives(mine + (1 << conditions.PIDS))


def test_places_of_the_dead_and_of_the_woken_are_given_again(monkeypatch):
    monkeypatch.setattr(conditions, "LAST", conditions.PLACES + 2 * 3)  # room for four
    condition, said = elsewhere.Condition(), elsewhere.Queue()
    for _ in range(3):
        process = work.start("forkserver", wait_for_ever, condition, said)
        assert said.get(timeout=20) == "waits"
        with condition:
            work.kill(process)
            condition.notify_all()  # who is dead keeps its place, for the time being
    for _ in range(10):
        with condition:
            assert not condition.wait(0.001)
    with condition:
        kept = [condition._take_place() for _ in range(4)]
        with pytest.raises(OSError, match="4 wait for this Condition already"):
            condition.wait(0.001)
        for place in kept:
            condition._words[place] = conditions.FREE
        assert not condition.wait(0.001)


def test_a_wait_that_is_late_says_so_and_leaves_nothing():
    condition = elsewhere.Condition()
    with condition:
        begin = time.monotonic()
        assert not condition.wait(0.05)
        assert time.monotonic() - begin >= 0.05
        assert not condition.wait(-1)
        assert "0 wait" in repr(condition)
        condition.notify_all()


def test_it_must_be_held():
    condition = elsewhere.Condition()
    for use in (condition.wait, condition.notify, condition.notify_all):
        with pytest.raises(AssertionError, match="must acquire"):
            use()


def test_a_lock_that_is_held_twice_is_let_go_and_taken_twice():
    condition, found = elsewhere.Condition(), []
    thread = threading.Thread(target=lambda: found.append(notify_when_free(condition)))
    with condition, condition:
        thread.start()
        assert condition.wait(10)
        assert condition._lock._semlock._count() == 2
    thread.join()
    assert found == [True]


def notify_when_free(condition):
    with condition:
        condition.notify()
        return True


def test_ctrl_c_ends_a_wait_with_the_lock_held():
    condition = elsewhere.Condition()

    def handler(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, handler)
    try:
        with condition:
            with pytest.raises(KeyboardInterrupt):  # it may come a moment before the wait
                signal.setitimer(signal.ITIMER_REAL, 0.2)
                condition.wait()
            condition.notify_all()  # it is held, and nobody waits
            assert "0 wait" in repr(condition)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# ---- events ----------------------------------------------------------------------------------------------------------


def test_an_event_is_set_and_cleared():
    event = elsewhere.Event()
    assert not event.is_set()
    assert not event.wait(0)
    assert not event.wait(0.02)
    event.set()
    event.set()
    assert event.is_set()
    assert event.wait()
    assert pickle_of(event).is_set()
    event.clear()
    event.clear()
    assert not event.is_set()
    assert "unset" in repr(event)


def pickle_of(event):
    return pickle.loads(pickle.dumps(event))


@pytest.mark.parametrize("method", METHODS)
def test_a_set_that_is_cleared_at_once_wakes_who_waits(method):
    event, said = elsewhere.Event(), elsewhere.Queue()
    process = work.start(method, say_and_wait, event, said)
    assert said.get(timeout=20) == "waits"
    while said.empty():  # it may not wait yet
        event.set()
        event.clear()
    assert said.get() is True
    assert work.end(process) == 0


def say_and_wait(event, said):
    said.put("waits")
    said.put(event.wait())


# ---- barriers --------------------------------------------------------------------------------------------------------


def test_a_barrier_is_broken_for_all_when_one_is_late():
    barrier = elsewhere.Barrier(3)
    found = []

    def wait():
        try:
            barrier.wait()
        except threading.BrokenBarrierError as error:
            found.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    while not barrier.n_waiting:
        os.sched_yield()
    with pytest.raises(threading.BrokenBarrierError):
        barrier.wait(0.02)
    thread.join()
    assert len(found) == 1
    barrier.reset()
    assert not barrier.broken


def take_the_lock(barrier):
    barrier._cond.acquire()


def test_a_barrier_whose_lock_a_killed_process_has_is_broken_in_time():
    barrier = elsewhere.Barrier(2)
    victim = elsewhere.Process(target=take_the_lock, args=(barrier,))
    victim.start()
    victim.join(30)
    with pytest.raises(threading.BrokenBarrierError):
        barrier.wait(0.02)


def test_the_round_after_one_in_which_a_waiter_was_killed_is_broken_in_time():
    barrier = elsewhere.Barrier(2)
    victim = elsewhere.Process(target=barrier.wait)
    victim.start()
    while not barrier.n_waiting:
        os.sched_yield()
    with barrier._cond:  # so that the victim does not hold it, which would stay locked
        victim.kill()
        victim.join(30)
    barrier.wait(20)  # the dead one had come
    with pytest.raises(threading.BrokenBarrierError):
        barrier.wait(0.02)  # multiprocessing's waits for ever here
    assert barrier.broken


@pytest.mark.bound(60)
def test_each_round_of_a_barrier_has_all_of_its_parties():
    barrier = elsewhere.Barrier(3, timeout=30)
    rounds = []

    def go():
        rounds.append([barrier.wait() for _ in range(50)])

    threads = [threading.Thread(target=go) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(sorted(numbers) == [0, 1, 2] for numbers in zip(*rounds, strict=True))


def pulse(event, count):
    for _ in range(count):
        event.set()
        event.clear()


@pytest.mark.parametrize("method", METHODS)
def test_an_event_that_several_set_and_clear_and_one_of_them_is_killed(method):
    event = elsewhere.Event()
    victim, other = (work.start(method, pulse, event, 10**9) for _ in range(2))
    try:
        assert event.wait(20)
        word, seen, stopped = event._words, 0, False
        for round_ in range(2_000_000):
            assert word[conditions.TICKET] >= seen, "a change was undone: who sleeps on that number misses one"
            seen = word[conditions.TICKET]
            if round_ % 5000 == 0:  # in the middle of whatever it does; the other goes on, if that has not the mutex
                os.kill(victim.pid, signal.SIGCONT if stopped else signal.SIGSTOP)
                stopped = not stopped
        victim.kill()
        event.set()  # though the victim was perhaps killed with the mutex
        event.clear()
    finally:
        for process in (victim, other):
            process.kill()
            process.join(30)


def test_a_handler_sets_the_event_that_it_interrupts():
    event, done = elsewhere.Event(), []

    def handler(signum, frame):
        event.set()
        done.append(signum)

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0005)
        while len(done) < 200:
            pulse(event, 10)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    event.set()
    assert event.is_set()
    event.clear()
    assert not event.is_set()


def test_a_barrier_is_for_somebody():
    with pytest.raises(ValueError, match="a barrier is for 1 or more, not for 0"):
        elsewhere.Barrier(0)
    with pytest.raises(TypeError, match="parties is a whole number, not '3'"):
        elsewhere.Barrier("3")
