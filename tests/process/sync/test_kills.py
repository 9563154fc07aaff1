"""kill -9 of readers and writers, at any instant: nothing is lost but the killed one's own item, and nobody hangs."""

from __future__ import annotations

import os
import queue
import random
import signal
import subprocess
import sys
import time

import pytest

import elsewhere
from tests import leaks
from tests.process.sync import work

TYPES = ["Queue", "JoinableQueue", "SimpleQueue"]
ITEMS = 10_000


def taken_now(items):
    """What is in there; for the only reader left."""
    found = []
    while not items.empty():
        found.append(items.get())
    return found


@pytest.mark.slow
@pytest.mark.bound(400)
@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_readers_are_killed_while_10000_items_cross(kind, method):
    make = getattr(elsewhere, kind)
    items, taken = make(), make()
    rng = random.Random(kind + method)
    sent = kills = 0
    found = []
    steady = work.start(method, work.move_marked, items, taken, -1)
    while sent < ITEMS or kills < 10:
        victim = work.start(method, work.move_marked, items, taken, kills)
        at_work, few = 0, rng.randrange(1, 100)
        while at_work < few:
            if len(found) + kills >= sent:  # more for those two that are at work
                work.put_numbers(items, sent, 400)
                sent += 400
            mark, item = taken.get()
            at_work += mark == kills
            if item is not None:
                found.append(item)
        work.kill(victim)
        kills += 1
    items.put(None)
    assert work.end(steady) == 0  # and what it has taken is there
    found += [item for _, item in taken_now(taken) if item is not None]
    assert items.empty()
    assert len(found) == len(set(found))
    assert 0 <= sent - len(found) <= kills


@pytest.mark.slow
@pytest.mark.bound(400)
@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_writers_are_killed_while_10000_items_cross(kind, method):
    items = getattr(elsewhere, kind)()
    rng = random.Random(kind + method)
    steady = work.start(method, work.put_marked, items, -1, ITEMS)
    seen: dict[int, int] = {}
    for mark in range(10):
        victim = work.start(method, work.put_for_ever, items, mark)
        seen[mark] = 0
        few = rng.randrange(1, 400)
        while seen[mark] < few:  # it is at work
            check(items.get(), seen)
        work.kill(victim)
        for item in taken_now(items):
            check(item, seen)
    while seen.get(-1, 0) < ITEMS:
        check(items.get(), seen)
    assert work.end(steady) == 0
    assert items.empty()


def check(item, seen):
    """Each writer's items come whole, each once, in order, and none is missing."""
    mark, number, body = item
    assert number == seen.get(mark, 0)
    assert body == (b"x" * (number % 5000) if mark >= 0 else b"")
    seen[mark] = number + 1


@pytest.mark.parametrize("kind", TYPES)
def test_who_is_killed_while_it_waits_is_not_waited_for(kind):
    make = getattr(elsewhere, kind)
    items, ready, results = make(), make(), make()
    for _ in range(3):
        process = work.start("forkserver", work.say_and_get, ready, items, results)
        ready.get()
        work.kill(process)
    process = work.start("forkserver", work.say_and_get, ready, items, results)
    ready.get()
    items.put("it")
    assert results.get() == "it"
    assert work.end(process) == 0


@pytest.mark.parametrize("kind", TYPES[:2])
def test_a_stopped_process_does_not_spoil_timeouts(kind):
    items = getattr(elsewhere, kind)()
    writer = work.start("forkserver", work.put_for_ever, items, 1)
    for _ in range(20):
        items.get()
        os.kill(writer.pid, signal.SIGSTOP)
        begin = time.monotonic()
        with pytest.raises(queue.Empty):
            while True:
                items.get(timeout=0.05)
        assert time.monotonic() - begin < 20
        os.kill(writer.pid, signal.SIGCONT)
    work.kill(writer)
    items.put("last")
    while items.get(timeout=30) != "last":
        pass


def test_nothing_stays_when_the_creator_is_killed():
    program = """
import os, signal, elsewhere
everything = [
    elsewhere.Queue(), elsewhere.JoinableQueue(), elsewhere.SimpleQueue(), elsewhere.Lock(), elsewhere.RLock(),
    elsewhere.Lock(robust=True), elsewhere.Semaphore(), elsewhere.Condition(), elsewhere.Event(),
    elsewhere.Barrier(2), elsewhere.Pipe(),
]
everything[0].put(1)
everything[3].acquire()
print(open(f"/proc/self/task/{os.getpid()}/children").read().split(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    before = leaks.Snapshot.take()
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert run.returncode == -signal.SIGKILL
    assert run.stdout == "[]\n"  # no resource tracker
    assert run.stderr == ""
    assert leaks.left_behind(before, patience=20) == []
