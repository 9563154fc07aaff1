"""Who reads a far worker's input: the main thread while idle, the watch while it is busy, or who asks for a module."""

from __future__ import annotations

import os
import pickle
import random
import sys
import threading
import time

import pytest

from elsewhere.runtime.far import worker
from elsewhere.runtime.far.worker.ledger import Run
from elsewhere.runtime.far.worker.line import Line
from tests.far.driving import COUNT, PATIENCE, Far, bare, named, source


@pytest.fixture
def pipe():
    """A line's two ends of input; it writes nowhere."""
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)
    os.close(writer)


class Hooked:
    """A lock of a line that lets something happen just before it is taken, once."""

    def __init__(self, lock, hook):
        self._lock, self._hooks = lock, [hook]

    def __enter__(self):
        if self._hooks:
            self._hooks.pop()()
        return self._lock.__enter__()

    def __exit__(self, *args):
        return self._lock.__exit__(*args)


def wait_until(true):
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.001)


def in_time(what):
    """What this returns, in a thread: a wait that never ends fails the test."""
    found = []
    thread = threading.Thread(target=lambda: found.append(what()), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert found, "it waits for ever"
    return found[0]


def test_who_read_leaves_off_just_before_the_main_thread_waits(pipe):
    line = Line(*pipe)
    assert line._reading.acquire(False)
    line.lock = Hooked(line.lock, line._leave_reading)
    assert in_time(line._take_reading) is True
    assert not line._waiting


def test_who_read_leaves_off_while_the_main_thread_says_that_it_waits(pipe):
    line = Line(*pipe)
    assert line._reading.acquire(False)
    thread = threading.Thread(target=line._leave_reading)
    line._reading = Late(line._reading, thread)
    assert in_time(line._take_reading) is True
    thread.join()
    assert not line._waiting
    assert not line._wake.acquire(False)  # no waking is left over for the next wait


def test_who_reads_leaves_off_while_the_main_thread_waits(pipe):
    line = Line(*pipe)
    assert line._reading.acquire(False)

    def leave():
        wait_until(lambda: line._waiting)
        line._leave_reading()

    thread = threading.Thread(target=leave)
    thread.start()
    assert in_time(line._take_reading) is False
    thread.join()
    assert in_time(line._take_reading) is True


def test_the_watch_wakes_up_when_the_caller_goes(pipe):
    line = Line(*pipe)
    line._parked = True
    line._hang_up()
    assert line._park.acquire(False)
    assert line.next() is None


class Late:
    """Whoever holds it leaves off between the main thread's two tries."""

    def __init__(self, lock, thread):
        self._lock, self._thread, self._tries = lock, thread, 0

    def acquire(self, wait):
        self._tries += 1
        if self._tries == 2:
            self._thread.start()
            self._thread.join(PATIENCE)
        return self._lock.acquire(wait)

    def release(self):
        self._lock.release()


def test_what_came_meanwhile_is_done_without_reading(pipe):
    class Busy(Line):
        def _take_reading(self):
            self.ledger.hand(1, 0, COUNT.pack(1))
            return super()._take_reading()

    found = in_time(Busy(*pipe).next)
    assert isinstance(found, Run)


def test_the_watch_is_not_needed_for_short_calls():
    with Far() as far:
        threads = source("import threading\n\n\ndef f(x):\n    return threading.active_count()")
        assert [far.call(threads, 1) for _ in range(50)] == [1] * 50  # and it is none of threading's


MIXED = source("""\
import threading, time

def f(what):
    name, seconds, ask = what
    if ask:
        def late():
            time.sleep(seconds / 2)
            __import__(name)
        threading.Thread(target=late).start()
        __import__(name + "_too")
    time.sleep(seconds)
    return name
""")


@pytest.mark.parametrize("python", sorted({bare()[0], sys.executable}), ids=lambda path: path)
def test_calls_of_all_lengths_with_questions_between(python):
    chance = random.Random(5)
    with Far(python, modules=lambda name: ("value = 1\n", f"{name}.py", False)) as far:
        far.function(MIXED)
        for number in range(60):
            names = [f"m{number}_{part}" for part in range(chance.choice([1, 1, 1, 5]))]
            items = [(name, chance.choice([0, 0, 0.002, 0.006, 0.012]), chance.random() < 0.3) for name in names]
            far.run(MIXED, *[pickle.dumps(item, 4) for item in items])
            assert [far.value() for _ in names] == names
        far.send(worker.WITHDRAW)
        far.next(worker.RELEASED)
        assert far.call(named("operator", "neg"), 1) == -1
