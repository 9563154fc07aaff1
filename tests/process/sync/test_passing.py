"""What is sent and forgotten at once stays until it has been opened, wherever it was sent."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import threading

import pytest

import elsewhere
from elsewhere.runtime.passing import receipts
from tests.process.sync import travellers, work
from tests.process.sync.travellers import KINDS
from tests.shared.work import Program, until

MANY = 20
METHODS = ["forkserver", "spawn"]
GONE = r"process \d+ no longer has this queue, lock or semaphore.*(Keep it|send it on)"


@pytest.fixture(scope="module", params=METHODS)
def method(request):
    return request.param


@pytest.fixture
def pool(method):
    with elsewhere.get_context(method).Pool(2) as made:
        yield made


def descriptors():
    """What this process has open of queues, locks and pipes."""
    links = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # that which listed the folder
            links.append(os.readlink(f"/proc/self/fd/{name}"))
    return sorted(link for link in links if link.startswith(("/memfd:elsewhere-block-sync", "pipe:")))


def test_arguments_of_calls(pool):
    for kind, make in KINDS.items():
        calls = [pool.submit(travellers.use, make()) for _ in range(MANY)]
        assert len({call.result() for call in calls}) == 1, kind
    nested = [pool.submit(travellers.use_shared, {"it": make()}) for make in KINDS.values()]
    assert all(call.result() for call in nested)
    assert pool.map(travellers.use, [make() for make in KINDS.values()])
    until(lambda: receipts._pipe is None)


def test_what_calls_return(pool):
    for kind in KINDS:
        for thing in pool.map(travellers.make, [kind] * MANY):
            travellers.use(thing)
        assert pool.apply(travellers.use, (pool.apply(travellers.make, (kind,)),))


def test_what_leaves_with_its_worker(method):
    with elsewhere.get_context(method).Pool(1, maxtasksperchild=1) as pool:
        for thing in pool.map(travellers.make, list(KINDS), chunksize=1):
            travellers.use(thing)


def test_items_of_a_queue(method, pool):
    items, ready, over = elsewhere.Queue(), elsewhere.Event(), elsewhere.Event()
    count = 3
    senders = [
        work.start(method, travellers.put_and_forget, kind, count, items, ready, over) for kind in list(KINDS)[:4]
    ]
    assert len(pool.apply(travellers.take_and_use, (items, count * len(senders)))) == count * len(senders)
    assert ready.is_set()
    over.set()
    assert [work.end(sender) for sender in senders] == [0] * len(senders)
    for make in KINDS.values():
        items.put(make())
    assert len(pool.apply(travellers.take_and_use, (items, len(KINDS)))) == len(KINDS)


@pytest.mark.parametrize("duplex", [False, True])
def test_what_is_sent_through_a_pipe(pool, duplex):
    reader, writer = elsewhere.Pipe(duplex)
    call = pool.submit(travellers.receive_and_use, reader, len(KINDS))
    reader.close()
    for make in KINDS.values():
        writer.send(make())
    assert len(call.result()) == len(KINDS)
    writer.close()


def test_entries_of_a_managers_dict(method, pool):
    manager = elsewhere.get_context(method).Manager()
    with manager:
        found = manager.dict()
        for kind, make in KINDS.items():
            found[kind] = make()
        for kind in KINDS:
            assert pool.apply(travellers.use_entry, (found, kind))  # by the manager's own handle, and more than once
            assert pool.apply(travellers.use_entry, (found, kind))
            travellers.use(found[kind])


def test_a_function_that_has_it(pool):
    def begin():
        items = elsewhere.Queue()
        return pool.map_async(lambda number: (items.put(number), number)[1], range(MANY))

    assert begin().get() == list(range(MANY))


def test_calls_that_are_repeated(pool, tmp_path):
    for kind, make in KINDS.items():
        call = pool.options(retry=2).submit(travellers.fail_once, make(), str(tmp_path / f"failed {kind}"))
        assert call.result(), kind
    call = pool.options(retry=2).submit(travellers.die_once, elsewhere.Queue(), str(tmp_path / "died"))
    assert call.result() == "Queue"


def test_objects_that_each_worker_gets_once(pool):
    handle, together = pool.share({"it": elsewhere.Lock()}), elsewhere.Barrier(2)
    assert len(set(pool.starmap(travellers.use_together, [(handle, together)] * 2))) == 2


# ---- pipes -----------------------------------------------------------------------------------------------------------


def test_an_end_that_its_sender_has_closed_stays_open_on_its_way(pool):
    for turn in range(MANY):
        reader, writer = elsewhere.Pipe(duplex=False)
        call = pool.submit(work.say, writer, turn)
        writer.close()
        assert reader.recv() == turn
        with pytest.raises(EOFError):  # nothing keeps it once it has arrived and was closed there
            reader.recv()
        assert call.result() is None
        call = pool.submit(travellers.read_all, reader)
        reader.close()
        assert call.result() == []


def test_an_end_that_a_call_returns(pool):
    assert [travellers.read_all(end) for end in pool.map(travellers.reader_with, range(MANY))] == [
        [number] for number in range(MANY)
    ]
    assert pool.apply(travellers.read_all, (travellers.reader_with("here"),)) == ["here"]


def test_a_pickle_that_is_thrown_away_keeps_no_end_open(pool):
    reader, writer = elsewhere.Pipe(duplex=False)
    call = pool.submit(travellers.send_and_call, writer, lambda: "by value")  # what plain pickle begins, but cannot end
    writer.close()
    assert travellers.read_all(reader) == ["by value"]
    assert call.result() is None
    reader, writer = elsewhere.Pipe(duplex=False)
    with pytest.raises(TypeError, match=r"cannot (be )?pickled?"):
        pool.submit(travellers.send_and_call, writer, threading.Lock())
    writer.close()
    assert travellers.read_all(reader) == []


def test_an_end_whose_other_end_is_gone_arrives_all_the_same():
    reader, writer = elsewhere.Pipe(duplex=False)
    body = pickle.dumps(writer)
    reader.close()
    arrived = pickle.loads(body)
    with pytest.raises(BrokenPipeError):
        arrived.send(1)
    arrived.close()
    writer.close()


# ---- senders that end ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Queue", "Lock", "Lock(robust=True)", "Event"])
def test_a_sender_that_is_killed_is_a_clear_error_at_once(method, pool, kind, tmp_path):
    ready, path = elsewhere.Event(), str(tmp_path / "handle")
    assert pool.map(str, range(2)) == ["0", "1"]
    before = descriptors()
    sender = work.start(method, travellers.store_and_pause, kind, path, ready)
    assert ready.wait(30)
    work.kill(sender)
    call = pool.submit(travellers.load_and_use, path)
    others = pool.map_async(travellers.use, [elsewhere.Queue() for _ in range(MANY)])
    with pytest.raises(FileNotFoundError, match=GONE):
        call.result(30)
    assert others.get(30) == ["Queue"] * MANY
    with pytest.raises(FileNotFoundError, match=GONE):
        travellers.load_and_use(path)
    until(lambda: receipts._pipe is None)
    assert descriptors() == before


def test_an_item_whose_sender_was_killed_is_skipped(method):
    items, ready = elsewhere.Queue(), elsewhere.Event()
    sender = work.start(method, travellers.put_and_pause, "Lock", items, ready)
    assert ready.wait(30)
    work.kill(sender)
    items.put("next")
    with pytest.raises(FileNotFoundError, match=GONE):
        items.get(timeout=30)
    assert items.get(timeout=30) == "next"


def test_a_receiver_that_is_killed_keeps_nothing_here(method):
    with elsewhere.get_context(method).Pool(1) as pool:
        held = elsewhere.Queue()
        call = pool.submit(work.hold, elsewhere.Lock(), held)
        os.kill(held.get(timeout=30), signal.SIGKILL)
        with pytest.raises(elsewhere.WorkerLost):
            call.result(30)
        assert pool.apply(travellers.use, (elsewhere.Queue(),)) == "Queue"
        del held
    until(lambda: receipts._pipe is None)


# ---- very many -------------------------------------------------------------------------------------------------------


def test_thousands_one_after_another_need_few_descriptors():
    source = """
import resource
from elsewhere.runtime.passing import receipts
from tests.process.sync import travellers
receipts.PAUSE = 20.0  # on a busy machine, workers may open nothing for half a second
resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
with elsewhere.Pool(2) as pool:
    for kind in ("Queue", "Lock", "Event"):
        for call in [pool.submit(travellers.use, travellers.make(kind)) for _ in range(1500)]:
            call.result()
    for turn in range(1000):
        reader, writer = elsewhere.Pipe(duplex=False)
        call = pool.submit(travellers.send_and_call, writer, os.getpid)
        del writer
        reader.recv()
        call.result()
        del reader
say(len(os.listdir("/proc/self/fd")))
hear()
"""
    with Program(source) as program:
        assert program.hear() < 30


def test_those_that_nobody_opens_are_given_up_the_oldest_first(monkeypatch):
    monkeypatch.setattr(receipts, "limit", lambda: 32)
    monkeypatch.setattr(receipts, "_crowded", 16)
    bodies = [pickle.dumps(make()) for _ in range(4) for make in KINDS.values()]
    assert len(receipts._waiting) <= 36
    with pytest.raises(FileNotFoundError, match=GONE):
        pickle.loads(bodies[0])
    assert travellers.use(pickle.loads(bodies[-1])) == "Synchronized"
    receipts.forget()
    with pytest.raises(FileNotFoundError, match=GONE):
        pickle.loads(bodies[-2])


def test_what_arrives_again_is_the_same_memory():
    for kind, make in KINDS.items():
        thing, copies = make(), []
        before = descriptors()
        copies = [pickle.loads(pickle.dumps(thing)) for _ in range(5)]
        if kind != "Lock(robust=True)":  # which has an open file of its own for each
            assert descriptors() == before, kind
        assert travellers.use_both(thing, copies[-1])
