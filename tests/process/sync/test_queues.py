"""What a queue promises, for each of the types, to a Pool's calls and to processes of each start method."""

from __future__ import annotations

import gc
import multiprocessing.queues
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time

import pytest

import elsewhere
from elsewhere.runtime.passing import receipts
from tests.process.sync import work

TYPES = ["Queue", "JoinableQueue", "SimpleQueue"]


@pytest.fixture(params=TYPES)
def items(request):
    made = getattr(elsewhere, request.param)()
    yield made
    vars(made).clear()  # pytest still holds it when it is looked for what is left


@pytest.fixture(params=TYPES[:2])
def full(request):
    """Makes one that holds so many."""
    return getattr(elsewhere, request.param)


def test_a_size_that_is_no_number_is_refused(full):
    with pytest.raises(TypeError, match="maxsize is a whole number, not '3'"):
        full("3")


def test_they_are_multiprocessings():
    assert isinstance(elsewhere.Queue(), multiprocessing.queues.Queue)
    assert isinstance(elsewhere.JoinableQueue(), multiprocessing.queues.JoinableQueue)
    assert isinstance(elsewhere.JoinableQueue(), elsewhere.Queue)
    assert isinstance(elsewhere.SimpleQueue(), multiprocessing.queues.SimpleQueue)


def test_items_come_out_as_they_went_in(items):
    sent = [1, -1.5, "ä", b"\0", None, True, (1, [2, {3: "x"}]), {1, 2}, bytearray(b"x"), b"", "x" * 100_000]
    for item in sent:
        items.put(item)
    assert [items.get() for _ in sent] == sent
    assert items.empty()


def test_items_of_every_size_around_a_window(items):
    sizes = [0, 1, 2**18 - 60, 2**18 - 1, 2**18, 2**18 + 1, 3 * 2**18, 5, 2**17, 2**17, 2**17, 7]
    for turn in range(3):
        for size in sizes:
            items.put(bytes([turn]) * size)
        assert [items.get() for _ in sizes] == [bytes([turn]) * size for size in sizes]


def test_the_place_where_a_window_ends_is_like_any_other(items):
    for item in range(40_000):  # more than two windows, each item in another place of its line
        items.put((item, b"x" * (item % 7)))
        assert items.get() == (item, b"x" * (item % 7))


def test_memory_of_what_was_taken_goes_back(items):
    for number in range(200):
        items.put(b"x" * 100_000)
        assert len(items.get()) == 100_000
        stat = os.fstat(items._log.block.fd)
        assert stat.st_blocks * 512 < 2_000_000, number


def test_an_item_is_as_it_was_when_it_was_put(items):
    item = [1]
    items.put(item)
    item.append(2)
    assert items.get() == [1]


def test_what_cannot_be_pickled_raises_where_it_is_put(items):
    with pytest.raises(ZeroDivisionError, match="not to be pickled"):
        items.put(work.Explosive())
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
        items.put(threading.Lock())
    assert items.empty()
    items.put(1)
    assert items.get() == 1


def test_connections_are_items_as_in_multiprocessing(items):
    ours, theirs = elsewhere.Pipe()
    items.put(theirs)
    arrived = items.get()
    ours.send("hello")
    assert arrived.recv() == "hello"
    for end in (ours, theirs, arrived):
        end.close()


def test_empty_and_full(full):
    items = full(2)
    assert (items.qsize(), items.empty(), items.full()) == (0, True, False)
    items.put(1)
    items.put_nowait(2)
    assert (items.qsize(), items.empty(), items.full()) == (2, False, True)
    for refused in (lambda: items.put(3, False), lambda: items.put_nowait(3), lambda: items.put(3, timeout=0.01)):
        with pytest.raises(queue.Full):
            refused()
    assert [items.get(), items.get_nowait()] == [1, 2]
    for refused in (lambda: items.get(False), items.get_nowait, lambda: items.get(timeout=0.01)):
        with pytest.raises(queue.Empty):
            refused()
    with pytest.raises(queue.Empty):
        items.get(timeout=-1)


def test_a_timeout_is_kept(full):
    items = full()
    begin = time.monotonic()
    with pytest.raises(queue.Empty):
        items.get(timeout=0.7)
    assert 0.7 <= time.monotonic() - begin < 5


def test_who_waits_for_room_gets_it(full):
    items = full(1)
    items.put(0)
    thread = threading.Thread(target=work.put_numbers, args=(items, 1, 500))
    thread.start()
    assert [items.get() for _ in range(501)] == list(range(501))
    thread.join()


def test_closed(full):
    items = full()
    items.put(1)
    with pytest.raises(AssertionError, match="not closed"):
        items.join_thread()
    items.close()
    items.close()
    for refused in (lambda: items.put(1), items.get, lambda: items.get(False)):
        with pytest.raises(ValueError, match="is closed"):
            refused()
    with pytest.raises(OSError, match="is closed"):
        items.empty()
    assert items.qsize() == 1
    items.join_thread()
    items.cancel_join_thread()


def test_a_closed_queue_that_was_never_used_is_empty(full):
    items = full()
    items.close()
    assert items.empty()


def test_a_closed_simple_queue():
    items = elsewhere.SimpleQueue()
    items.close()
    items.close()
    for refused in (lambda: items.put(1), items.get, items.empty):
        with pytest.raises(OSError, match="is closed"):
            refused()


def test_tasks_that_are_done():
    items = elsewhere.JoinableQueue()
    items.join()
    with pytest.raises(ValueError, match="too many times"):
        items.task_done()
    items.put(1)
    items.get()
    joined = threading.Thread(target=items.join)
    joined.start()
    joined.join(0.05)
    assert joined.is_alive()
    items.task_done()
    joined.join(10)
    assert not joined.is_alive()
    with pytest.raises(ValueError, match="too many times"):
        items.task_done()


@pytest.mark.parametrize("method", work.METHODS)
def test_join_waits_for_other_processes(method):
    items = elsewhere.JoinableQueue()
    workers = [work.start(method, work.work_off, items) for _ in range(2)]
    for number in range(1000):
        items.put(number)
    items.join()
    assert items.empty()
    for _ in workers:
        items.put(None)
    assert [work.end(worker) for worker in workers] == [0, 0]
    items.join()


@pytest.mark.parametrize("method", work.METHODS)
def test_processes_of_each_start_method(items, method):
    taken = elsewhere.SimpleQueue()
    process = work.start(method, work.move, items, taken)
    for item in [*range(2000), None]:
        items.put(item)
    assert [taken.get() for _ in range(2000)] == list(range(2000))
    assert work.end(process) == 0


@pytest.mark.parametrize("method", ["forkserver", "spawn", "fork"])
def test_arguments_of_a_pools_calls(items, method):
    results = elsewhere.Queue()
    with elsewhere.get_context(method).Pool(2) as pool:
        calls = [pool.submit(work.double, items, results) for _ in range(20)]
        for number in range(20):
            items.put(number)
        assert sorted(call.result(30) for call in calls) == list(range(20))
        assert sorted(results.get() for _ in calls) == [2 * number for number in range(20)]
        assert pool.apply(work.give, (items,)).empty()


def test_many_writers_and_readers(items):
    taken = elsewhere.Queue()
    readers = [work.start("forkserver", work.move, items, taken) for _ in range(2)]
    writers = [work.start("forkserver", work.put_marked, items, mark, 1500, mark * 40) for mark in range(3)]
    assert [work.end(writer) for writer in writers] == [0, 0, 0]
    for _ in readers:
        items.put(None)
    assert [work.end(reader) for reader in readers] == [0, 0]
    found = [taken.get(timeout=30) for _ in range(4500)]
    assert taken.empty()
    assert sorted((mark, number) for mark, number, _ in found) == [(m, n) for m in range(3) for n in range(1500)]
    assert all(body == bytes([number % 256]) * (mark * 40) for mark, number, body in found)


def test_each_writers_order_is_kept():
    items = elsewhere.Queue()
    writers = [work.start("forkserver", work.put_marked, items, mark, 1000) for mark in range(2)]
    found = [items.get(timeout=30) for _ in range(2000)]
    for mark in range(2):
        assert [number for its, number, _ in found if its == mark] == list(range(1000))
    assert [work.end(writer) for writer in writers] == [0, 0]


def test_threads_of_one_process_do_not_disturb_each_other(items):
    threads = [threading.Thread(target=work.put_marked, args=(items, mark, 1000)) for mark in range(3)]
    taken = queue.SimpleQueue()
    threads += [threading.Thread(target=work.move, args=(items, taken)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads[:3]:
        thread.join()
    for _ in range(3):
        items.put(None)
    for thread in threads[3:]:
        thread.join()
    assert sorted(taken.get()[:2] for _ in range(3000)) == [(mark, n) for mark in range(3) for n in range(1000)]


@pytest.mark.parametrize("method", work.METHODS)
def test_a_process_that_has_put_much_can_be_joined(items, method):
    process = work.start(method, work.put_marked, items, 1, 300, 10_000)  # 3 MB, that nobody reads
    assert work.end(process) == 0
    assert [items.get()[1] for _ in range(300)] == list(range(300))


def test_a_forked_copy_puts_and_takes(items):
    items.put(1)
    pid = os.fork()
    if pid == 0:
        try:
            assert items.get() == 1
            items.put(2)
        finally:
            os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert items.get() == 2


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # that is what is tested
def test_a_fork_while_a_thread_puts(items):
    thread = threading.Thread(target=work.put_numbers, args=(items, 0, 20_000), daemon=True)
    thread.start()
    for _ in range(20):
        pid = os.fork()
        if pid == 0:
            try:
                items.put(None)
            finally:
                os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    thread.join()
    found = [items.get() for _ in range(20_020)]
    assert [item for item in found if item is not None] == list(range(20_000))


def test_pickled_at_any_time_and_any_number_of_times(items):
    copies = [pickle.loads(pickle.dumps(items)) for _ in range(3)]
    copies.append(pickle.loads(pickle.dumps(copies[-1])))
    for number, copy in enumerate(copies):
        copy.put(number)
    assert [items.get() for _ in copies] == [0, 1, 2, 3]


def test_a_process_that_is_nobodys_child_may_have_it(items):
    program = "import pickle, sys; pickle.loads(bytes.fromhex(sys.argv[1])).put('hello')"
    subprocess.run([sys.executable, "-c", program, pickle.dumps(items).hex()], check=True)
    assert items.get() == "hello"


@pytest.mark.parametrize("kind", TYPES)
def test_a_queue_that_its_sender_has_let_go_of(kind):
    items = getattr(elsewhere, kind)()
    body = pickle.dumps(items)
    del items
    gc.collect()
    receipts.forget()  # memory was short
    with pytest.raises(FileNotFoundError, match=r"process \d+ no longer has this queue.*Keep it in that process"):
        pickle.loads(body)


def test_another_descriptor_with_its_number_is_not_taken_for_it():
    items = elsewhere.Queue()
    number, body = items._log.block.fd, pickle.dumps(items)
    del items
    gc.collect()
    receipts.forget()
    other = elsewhere.Queue()  # gets the number that has become free
    assert other._log.block.fd == number
    with pytest.raises(FileNotFoundError, match="no longer has this queue"):
        pickle.loads(body)


def test_ctrl_c_ends_a_wait(items):
    def interrupt():
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    timer = threading.Timer(0.2, interrupt)
    with pytest.raises(KeyboardInterrupt):  # it may come a moment before the wait
        timer.start()
        items.get()
    timer.join()
    items.put(1)
    assert items.get() == 1


def test_an_exception_of_a_signal_handler_leaves_it_usable():
    """Signals at every instruction of put and get: nothing stays locked, nothing is torn."""
    items = elsewhere.Queue()

    class Now(Exception):
        pass

    def handler(signum, frame):
        raise Now

    before = signal.signal(signal.SIGALRM, handler)
    hits = 0
    try:
        for turn in range(1500):
            try:
                # Again, much later: a timer as short as this is dropped now and then.
                signal.setitimer(signal.ITIMER_REAL, 0.00002 + turn % 50 * 0.000001, 5)
                while True:
                    items.put((turn, "x" * 50))
                    assert items.get()[1] == "x" * 50
            except Now:
                hits += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert hits == 1500
    while not items.empty():
        assert items.get(timeout=30)[1] == "x" * 50
    process = work.start("forkserver", work.put_numbers, items, 7, 1)
    assert items.get(timeout=30) == 7
    assert work.end(process) == 0
