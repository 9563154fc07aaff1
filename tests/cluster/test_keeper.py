"""The keeper by itself: what it counts, and what it holds back."""

from __future__ import annotations

import asyncio
import os
import pickle
import struct
import threading
import time
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsewhere.cluster import lines, shipping
from elsewhere.cluster.keeping import frames as keeping
from elsewhere.cluster.keeping import keeper
from elsewhere.cluster.keeping.lane import Visit
from elsewhere.runtime.far import bundle
from elsewhere.runtime.far import worker as wire
from tests.contract.work import until

KINDS = st.sampled_from([wire.HELLO, wire.VALUE, wire.ERROR, wire.OUTPUT, wire.RELEASED])
FRAMES = st.lists(st.tuples(KINDS, st.binary(max_size=40)), max_size=12)


def test_it_speaks_the_far_workers_language() -> None:
    assert keeping.HEADER.format == wire.HEADER.format
    names = ("RUN", "HELLO", "READY", "VALUE", "ERROR", "SKIPPED", "RELEASED", "ASK", "FAILED")
    assert [getattr(keeping, name) for name in names] == [getattr(wire, name) for name in names]
    assert keeper.OP == shipping.OP


@given(FRAMES, st.data())
def test_frames_are_counted_however_the_bytes_are_cut(frames, data) -> None:
    whole = b"".join(wire.frame(kind, payload) for kind, payload in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    reader, found = keeping.Reader(), []
    for lo, hi in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        found += reader.feed(whole[lo:hi])
    assert found == [(kind, payload if kind == wire.RELEASED else b"") for kind, payload in frames]


RUNS = st.lists(
    st.tuples(st.sampled_from([wire.RUN, wire.FUNCTION, wire.SHARE, wire.SKIP]), st.binary(min_size=4, max_size=30)),
    max_size=8,
)


@given(RUNS, st.data())
def test_runs_that_are_withdrawn_are_taken_out_and_nothing_else(frames, data) -> None:
    pieces: list[bytes] = []
    for kind, payload in frames:
        if data.draw(st.booleans()):
            pieces += [wire.header(kind, len(payload)), payload]
        else:
            pieces.append(wire.frame(kind, payload))
    assert [(kind, b"".join(parts)) for kind, parts in lines.frames_of(pieces)] == [
        (kind, wire.frame(kind, payload)) for kind, payload in frames
    ]
    kept = b"".join(bytes(piece) for piece in keeping.without_runs(pieces))
    assert kept == b"".join(wire.frame(kind, payload) for kind, payload in frames if kind != wire.RUN)


@given(st.lists(st.integers(0, 2**32 - 1), max_size=5))
def test_calls_of_a_run_are_read_from_its_frame(counts) -> None:
    for count in counts:
        payload = struct.pack("<I", count) + b"body"
        assert lines._calls([wire.frame(wire.RUN, payload)]) == count
        assert lines._calls([wire.header(wire.RUN, len(payload)), payload]) == count


def test_the_shipped_source_is_whole_and_small() -> None:
    given = {"code": shipping.code(), "given": ()}
    module = eval(shipping.words().rpartition(".visit")[0], given)
    again = eval(shipping.words().rpartition(".visit")[0], {"code": b""})
    assert module is again
    assert module.OP == shipping.OP
    assert len(shipping.code()) < 7_000


# ---- a real child, without Dask --------------------------------------------------------------------------------------


class Worker:
    """What a keeper needs of a Dask worker."""

    def __init__(self):
        self.handlers = {}
        self.status = SimpleNamespace(name="running")
        self.state = SimpleNamespace(tasks={f"key{n}": SimpleNamespace(state="executing") for n in range(9)})
        self.events = []
        self.told = threading.Condition()

    def log_event(self, topic, said):
        with self.told:
            self.events.append(said)
            self.told.notify_all()

    def wait(self, condition):
        with self.told:
            assert self.told.wait_for(lambda: condition(self.events), 30), self.events


class Kept:
    """A keeper with one child that is ready, which knows `time.sleep` as function 1 and `abs` as function 2."""

    def __init__(self):
        self.worker = Worker()
        self.keeper = keeper.Keeper(self.worker)
        payload = bundle.payload()
        self.visit(0, b"", 0, (0.01, bundle.first_words(len(payload)), payload))
        self.wait_for(wire.HELLO)
        given = {"name": "x", "levels": {}, "initializer": None, "cores": 1, "workers": 1, "stdlib": []}
        self.order("now", wire.frame(wire.SETUP, pickle.dumps(given, 4)))
        for number, fn in ((1, time.sleep), (2, abs)):
            self.order("now", wire.frame(wire.FUNCTION, pickle.dumps(fn), number=number))
        self.wait_for(wire.READY)

    def visit(self, number, frames, calls, start=None):
        visit = Visit(number, f"key{number}", [frames], calls)
        self.keeper.post(self.keeper.visit, visit, "lane", "topic", start)
        return visit

    def order(self, verb, data, after=0):
        asyncio.run(self.keeper.heard(orders=[("lane", after, verb, data)]))

    def frames(self):
        return wire.Frames().feed(b"".join(said.get("data", b"") for said in self.worker.events))

    def wait_for(self, kind, count=1):
        self.worker.wait(lambda _: sum(frame[0] == kind for frame in self.frames()) >= count)

    def values(self):
        return [pickle.loads(frame[3]) for frame in self.frames() if frame[0] == wire.VALUE]

    def end(self):
        self.order("kill", b"")
        self.worker.wait(lambda events: any("end" in said for said in events))
        until(lambda: self.keeper._thread is None, "the keeper has no thread without children")


def calls(function, *items):
    payload = struct.pack("<I", len(items)) + pickle.dumps(list(items))
    return wire.frame(wire.RUN, payload, flags=wire.BATCHED, number=function)


@pytest.fixture
def kept():
    kept = Kept()
    yield kept
    kept.end()


def test_visits_that_come_too_early_wait_for_their_turn_without_a_thread(kept) -> None:
    late = [kept.visit(3, calls(2, -30), 1), kept.visit(2, calls(2, -20, -21), 2)]
    assert all(visit.over.wait(30) for visit in late)
    assert kept.values() == []
    first = kept.visit(1, calls(2, -10), 1)
    assert first.over.wait(30)
    kept.wait_for(wire.VALUE, 4)
    assert kept.values() == [10, 20, 21, 30]


def test_a_visit_that_comes_again_is_not_made_again(kept) -> None:
    for _ in range(3):
        assert kept.visit(1, calls(2, -10), 1).over.wait(30)
    assert kept.visit(2, calls(2, -20), 1).over.wait(30)
    kept.wait_for(wire.VALUE, 2)
    assert kept.values() == [10, 20]


def test_one_thread_waits_for_a_child_and_as_long_as_it_works(kept) -> None:
    first = kept.visit(1, calls(1, 0.3), 1)
    second = kept.visit(2, calls(2, -20), 1)
    assert second.over.wait(30)
    assert not first.over.is_set()
    assert first.over.wait(30)
    kept.wait_for(wire.VALUE, 2)
    assert kept.values() == [None, 20]


def test_what_was_withdrawn_is_not_handed_over_when_its_visit_comes(kept) -> None:
    kept.order("now", wire.frame(wire.FUNCTION, pickle.dumps(eval), number=3))
    running = kept.visit(1, calls(3, "print('begun') or __import__('time').sleep(0.3)"), 1)
    kept.wait_for(wire.OUTPUT)
    kept.order("withdraw", wire.frame(wire.WITHDRAW), after=3)
    kept.wait_for(wire.RELEASED)
    assert kept.visit(2, calls(2, -20), 1).over.wait(30)
    assert running.over.wait(30)
    assert kept.visit(3, calls(2, -30), 1).over.wait(30)
    kept.wait_for(wire.VALUE, 2)
    assert kept.values() == [None, 30]


def test_a_message_that_is_to_come_later_waits_for_its_visit(kept) -> None:
    kept.order("later", wire.frame(wire.FORGET, number=2), after=2)
    assert kept.visit(1, calls(2, -10), 1).over.wait(30)
    kept.wait_for(wire.VALUE)
    assert kept.visit(2, calls(2, -20), 1).over.wait(30)
    kept.wait_for(wire.ERROR)  # it had been forgotten by then
    assert kept.values() == [10]


@pytest.mark.parametrize("memory", [True, False])
def test_what_is_shared_is_lent_to_the_child_until_it_has_it(kept, memory, monkeypatch) -> None:
    if not memory:  # as on systems that have none
        monkeypatch.delattr(os, "memfd_create")
    files: list[int] = []
    shared = keeper._lent([7, memoryview(pickle.dumps("it"))], files)
    assert len(files) == memory
    kept.order("now", wire.frame(wire.FUNCTION, b"celsewhere_far\nshared\n.", number=3))
    kept.keeper.post(kept.keeper.visit, Visit(1, "key1", [shared], 0, tuple(files)), "lane", "topic", None)
    assert kept.visit(2, calls(3, 7, 7), 2).over.wait(30)
    kept.wait_for(wire.VALUE, 2)
    assert kept.values() == ["it", "it"]
    for fd in files:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)


def test_what_is_large_is_fetched_once(kept) -> None:
    kept.order("now", wire.frame(wire.FUNCTION, pickle.dumps(bytes), number=3))
    assert kept.visit(1, calls(3, 100_000), 1).over.wait(30)
    kept.worker.wait(lambda events: any("size" in said for said in events))
    [said] = [said for said in kept.worker.events if "size" in said]
    found = asyncio.run(kept.keeper.heard(fetch=("lane", said["n"]))).data
    assert len(found) == said["size"] > 100_000
    assert asyncio.run(kept.keeper.heard(fetch=("lane", said["n"]))) is None


def test_a_child_whose_task_is_forgotten_is_killed(monkeypatch) -> None:
    monkeypatch.setattr(keeper, "TICK", 0.02)
    kept = Kept()
    visit = kept.visit(1, calls(1, 600), 1)
    kept.worker.wait(lambda events: events[-1]["visits"] == 2)
    kept.worker.state.tasks["key1"].state = "cancelled"
    assert visit.over.wait(30)
    kept.worker.wait(lambda events: events[-1].get("end") == -9)
    kept.end()


def test_a_lane_that_is_not_known_says_so() -> None:
    worker = Worker()
    mine = keeper.Keeper(worker)
    visit = Visit(4, "key4", [calls(2, -1)], 1)
    mine.post(mine.visit, visit, "lane", "topic", None)
    assert visit.over.wait(30)
    worker.wait(lambda events: events == [{"lane": "lane", "gone": True}])
    until(lambda: mine._thread is None)


def test_a_bug_of_the_keepers_leaves_nobody_waiting(kept, monkeypatch, caplog) -> None:
    running = kept.visit(1, calls(1, 600), 1)
    kept.worker.wait(lambda events: events[-1]["visits"] == 2)
    monkeypatch.setattr(kept.keeper, "_begin", None)
    other = kept.visit(2, calls(2, -1), 1)
    assert running.over.wait(30)
    assert other.over.wait(30)
    kept.worker.wait(lambda events: events[-1] == {"lane": "lane", "gone": True})
    kept.end = lambda: None
    assert "the keeper failed" in caplog.text
