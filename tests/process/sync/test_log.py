"""The log behind the queues: exceptions between any two steps, larger items in the ring, and kills in their middle."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import threading

import pytest

import elsewhere
from elsewhere.process.sync import log as log_module
from elsewhere.process.sync import queues, ring
from elsewhere.process.sync.log import LARGEST, RINGS, SMALL, Log
from elsewhere.runtime.locks import mutex as mutexes
from tests.process.sync import work

KIB = 1024
SIZES = [10, SMALL - 1, SMALL, 10_000, 100_000, LARGEST[0], LARGEST[0] + 1, LARGEST[1], LARGEST[1] + 1, 3_000_000]


class Alarm(BaseException):
    """As KeyboardInterrupt: no item's own error."""


def raise_alarm():
    raise Alarm


@contextlib.contextmanager
def just_after(module, name, handler):
    """Run it where a signal's handler may: after that call, before the next line of ours; once."""
    real = getattr(module, name)
    hits = []

    def wrapped(*arguments):
        answer = real(*arguments)
        if not hits:
            hits.append(name)
            handler()
        return answer

    setattr(module, name, wrapped)
    try:
        yield hits
    finally:
        setattr(module, name, real)


def free(log):
    """Could another take its mutexes now?"""
    log.put(b"last")
    with elsewhere.Pool(1) as pool:
        pool.apply(take_all, (log.block,))


def take_all(block):
    log = Log(block)
    while log.take(deadline=0) is not None:
        pass
    log.done()


def body_of(size, mark=b"x"):
    return mark * size


def test_what_put_was_cut_off_from_is_there_whole_or_not_at_all():
    for size in SIZES:
        for module, name in [
            (log_module, "try_lock"),
            (log_module, "unlock"),
            (log_module, "_write"),
            (Log, "_append"),
        ]:
            log = Log()
            log.put(b"first")
            with just_after(module, name, raise_alarm) as hits, contextlib.suppress(Alarm):
                log.put(body_of(size))
            assert hits or name == "_write"
            there = name in ("unlock", "_append") or not hits
            log.put(b"next")
            expected = [b"first", body_of(size), b"next"] if there else [b"first", b"next"]
            assert log.size() == len(expected)
            assert [bytes(log.take()) for _ in expected] == expected
            assert log.empty()


@pytest.mark.parametrize("name", ["unlock", "_purge", "_announce", "_read"])
@pytest.mark.parametrize("size", SIZES)
def test_what_take_was_cut_off_from_is_the_oldest_item_again(name, size):
    log = Log()
    log.put(b"before")
    log.take()
    for mark in (b"a", b"b", b"c"):
        log.put(body_of(size, mark))
    module = log_module if name == "unlock" else Log
    with just_after(module, name, raise_alarm) as hits, contextlib.suppress(Alarm):
        assert log.take() == body_of(size, b"a")  # where there is nothing to purge
        log.give_back(body_of(size, b"a"))
    assert hits or name == "_purge"
    assert log.size() == 3
    assert [bytes(log.take()) for _ in range(3)] == [body_of(size, mark) for mark in (b"a", b"b", b"c")]
    assert log.empty()
    assert log.size() == 0
    assert log.put_so_far() == 4
    free(log)


def test_many_large_ones_given_back_at_the_very_beginning_are_not_lost():
    log = Log()
    bodies = [body_of(LARGEST[1], bytes([number])) for number in range(4)]
    for body in bodies:
        log.put(body)
    taken = [bytes(log.take()) for _ in bodies]
    for body in reversed(taken):
        log.give_back(body)
    assert sorted(bytes(log.take())[:1] for _ in bodies) == [b"\0", b"\1", b"\2", b"\3"]
    assert log.empty()


def test_ctrl_c_while_an_item_is_unpickled_gives_it_back():
    items = elsewhere.Queue()
    items.put(work.Pressed())
    items.put(2)
    work.Pressed.armed = True
    with pytest.raises(KeyboardInterrupt):
        items.get()
    assert items.qsize() == 2
    work.Pressed.armed = False
    assert type(items.get()) is work.Pressed
    assert items.get() == 2


def test_an_item_that_cannot_be_loaded_is_gone():
    items = elsewhere.Queue()
    items.put(work.Unloadable())
    items.put(2)
    with pytest.raises(ZeroDivisionError):
        items.get()
    assert items.get() == 2


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_interrupted_when_a_dead_holder_was_found(method):
    """Its mutex must not get lost when the exception comes before it is marked as right again, or just after."""
    for module, name in [(log_module, "try_lock"), (mutexes, "consistent")]:
        log = Log()
        process = work.start(method, work.die_in_put, log.block)
        process.join()
        assert process.exitcode == -signal.SIGKILL
        process.close()
        with just_after(module, name, raise_alarm) as hits, pytest.raises(Alarm):
            log.put(b"mine")
        assert hits
        log.put(b"yours")
        assert log.take() == b"yours"
        assert log.empty()
        free(log)


def test_a_handler_that_uses_the_queue_it_interrupts_is_told():
    items = elsewhere.JoinableQueue()
    items.put(1)
    log = items._log
    uses = {items.put_nowait: ((2,), log._writing), items.get: ((), log._reading), items.task_done: ((), log._counting)}
    for use, (arguments, mutex) in uses.items():

        def handler(use=use, arguments=arguments, mutex=mutex):
            with pytest.raises(RuntimeError, match="has interrupted"):
                use(*arguments)
            codes = []
            thread = threading.Thread(target=lambda: codes.append(mutexes.try_lock(mutex)))
            thread.start()
            thread.join()
            assert codes == [errno.EBUSY]  # what was interrupted has it still

        with just_after(log_module, "try_lock", handler) as hits:
            use(*arguments)
        assert hits
    other = elsewhere.Queue()
    with just_after(log_module, "try_lock", lambda: other.put(3)):
        items.put(4)
    assert (items.get(), items.get(), other.get()) == (2, 4, 3)
    items.task_done()
    items.task_done()
    items.join()


# ---- the ring ----------------------------------------------------------------------------------------------------


def resident(log):
    return os.fstat(log.block.fd).st_blocks * 512


def test_the_ring_is_used_again_and_again():
    log = Log()
    for size in (SMALL, 10_007, LARGEST[0], LARGEST[0] + 1, 700_001, LARGEST[1]):
        for number in range(2 * RINGS[1] // size + 5):
            body = body_of(size, bytes([number % 251]))
            log.put(body)
            assert log.take() == body
    assert log._words[log_module.TAIL] - log_module.FIRST < 1 << 20  # the log has records only
    assert resident(log) <= sum(RINGS) + 3 * ring.WINDOW


def test_what_the_ring_has_no_room_for_is_in_order_all_the_same():
    log = Log()
    sizes = [100_000, 5, 10_000, 900_000, 2_000_000, 300_000, 3000] * 10
    for _ in range(2):
        for number, size in enumerate(sizes):
            log.put(body_of(size, bytes([number])))
        assert resident(log) > 20_000_000
        for number, size in enumerate(sizes):
            body = log.take()
            assert body == body_of(size, bytes([number]))
            log.done_with(body)
        assert log.empty()
        log.put(b"x")
        log.take()
        assert resident(log) <= sum(RINGS) + (2 << 20)


@pytest.mark.parametrize("which", [0, 1])
def test_gaps_of_killed_writers_do_not_close_the_ring(which):
    log, size = Log(), LARGEST[which]
    words = log._words
    for _ in range(3):
        words[log_module.WRITTEN[which]] += RINGS[which] - 5  # as if each of several had been killed
        before = words[log_module.TAIL]
        for number in range(10):
            log.put(body_of(size, bytes([number])))
            assert log.take() == body_of(size, bytes([number]))
        assert words[log_module.TAIL] - before < 1000


def test_a_writer_does_not_wait_for_nobody():
    """The first of them waits for room, the next do not; or 10,000 would take 20 seconds."""
    log = Log()
    waits = []
    pause, ring.time.sleep = ring.time.sleep, lambda seconds: waits.append(pause(seconds))
    try:
        for _ in range(1000):
            log.put(b"x" * 10_000)
    finally:
        ring.time.sleep = pause
    assert 0 < len(waits) <= 10 * ring.PATIENCE / ring.PAUSE
    assert log.put(b"x" * 10_000, block=False)


def test_threads_share_a_ring():
    items = elsewhere.Queue()
    sizes = [3000, 20_000, 300_000, 1_000_000]

    def write(mark):
        for number in range(40):
            items.put(bytes([mark]) * sizes[number % 4])

    found = []

    def read():
        while item := items.get():
            found.append((item[0], len(item), len(set(item))))

    writers = [threading.Thread(target=write, args=(mark,)) for mark in (1, 2, 3)]
    readers = [threading.Thread(target=read) for _ in range(3)]
    for thread in (*writers, *readers):
        thread.start()
    for thread in writers:
        thread.join()
    for _ in readers:
        items.put(b"")
    for thread in readers:
        thread.join()
    assert sorted(found) == sorted((mark, size, 1) for mark in (1, 2, 3) for size in sizes for _ in range(10))


def test_each_kind_of_large_item_is_itself():
    items = elsewhere.Queue()
    for item in (b"x" * 70_000, "ü" * 70_000, bytearray(b"x") * 70_000, ["x" * 400_000] * 2, {1: "y" * 2_000_000}):
        items.put(item)
        assert items.get() == item


@pytest.mark.slow
@pytest.mark.bound(400)
@pytest.mark.parametrize("method", ["forkserver", "spawn"])
@pytest.mark.parametrize("size", [10_000, 400_000])
def test_killed_readers_and_writers_of_larger_items(method, size):
    items, taken = elsewhere.Queue(), elsewhere.Queue()
    sent = received = 0
    for kill in range(8):
        reader = work.start(method, work.check_large, items, taken)
        writer = work.start(method, work.put_large_for_ever, items, size)
        for _ in range(5 + 7 * kill):  # they are at work
            assert taken.get(timeout=30) is True
            received += 1
        work.kill(writer if kill % 2 else reader)
        work.kill(reader if kill % 2 else writer)
        sent = items._log.put_so_far()
        while not items.empty():
            assert work.is_whole(items.get(timeout=30))
            received += 1
        while not taken.empty():
            assert taken.get(timeout=30) is True
            received += 1
        assert 0 <= sent - received <= kill + 1  # a killed reader takes at most one with it
    assert resident(items._log) <= sum(RINGS) + (2 << 20)
    items.put(b"last")
    assert items.get() == b"last"
    assert queues.LARGE > SMALL
