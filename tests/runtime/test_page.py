"""The page: what the pool reads is what the worker wrote, in order, once, whatever either of them was doing."""

from __future__ import annotations

import contextlib
import os
import pickle
from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elsewhere.runtime.page import (
    CLOSE,
    ERROR,
    HEAD,
    LARGEST_RECORD,
    LARGEST_SEGMENT,
    OPEN,
    PREFIX,
    RING,
    SEGMENT,
    SKIPPED,
    TAIL,
    VALUE,
    Page,
    Record,
    Writer,
    make_memory,
)


@contextlib.contextmanager
def both_ends() -> Iterator[tuple[Page, Page]]:
    """The pool's view and the worker's of the same memory."""
    fd = make_memory(Page.SIZE)
    pool, worker = Page(fd), Page(fd)
    os.close(fd)
    try:
        yield pool, worker
    finally:
        pool.close()
        worker.close()


def atom(value: Any) -> bytes:
    return pickle.dumps(value, 5)[2:-1]


def results(records: list[Record]) -> list[tuple[int, Any]]:
    """Each call's result: kind and what it is."""
    found: list[tuple[int, Any]] = []
    for kind, calls, data in records:
        if isinstance(data, list):
            assert len(data) == calls
            found += [(kind, value) for value in data]
        elif kind == SEGMENT:
            values = pickle.loads(PREFIX + data + CLOSE)
            assert len(values) == calls
            found += [(SEGMENT, value) for value in values]
        else:
            assert calls == 1
            found.append((kind, data))
    return found


class Ends:
    """Both ends and the model: what was written and not yet read."""

    def __init__(self, pool: Page, worker: Page) -> None:
        self.pool = pool
        self.writer = Writer(worker)
        self.written: list[tuple[int, Any]] = []
        self.read: list[tuple[int, Any]] = []
        self.states: deque[tuple[tuple[int, int], int]] = deque()  # as frames on the socket carry them
        self.refused = 0

    def append(self, size: int) -> None:
        value = (len(self.written), "x" * size)
        if self.writer.append(atom(value)):
            self.written.append((SEGMENT, value))
        else:
            self.refuse(LARGEST_SEGMENT)

    def record(self, kind: int, size: int) -> None:
        data = b"%d:" % len(self.written) + bytes(size)
        if self.writer.record(kind, data):
            self.written.append((kind, data))
        else:
            self.refuse(len(data))

    def refuse(self, size: int) -> None:
        self.refused += 1
        used = self.writer.state()[0] - self.pool.words[HEAD]
        assert size > LARGEST_RECORD or used + 2 * (size + 32) > RING, "it had room"

    def ring_bell(self) -> None:
        self.states.append((self.writer.state(), len(self.written)))

    def hear(self) -> None:
        """A frame arrives, maybe long after a newer look."""
        if self.states:
            state, written = self.states.popleft()
            self.take(state)
            assert len(self.read) >= written, "a frame speaks of results that are not there"

    def look(self) -> None:
        self.take(self.pool.state())
        assert len(self.read) == len(self.written)

    def take(self, state: tuple[int, int]) -> None:
        before = len(self.read)
        self.read += results(self.pool.read(*state))
        assert self.read[before:] == self.written[before : len(self.read)]
        assert self.pool.words[HEAD] <= self.writer.state()[0]


SIZES = st.sampled_from([0, 1, 5, 100, 3000, 4000])
RECORD_SIZES = st.sampled_from([0, 1, 7, 8, 9, 1000, 20_000, LARGEST_RECORD - 100, LARGEST_RECORD + 1])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), SIZES),
        st.tuples(st.just("append"), SIZES),
        st.tuples(st.just("record"), st.sampled_from([VALUE, ERROR, SKIPPED]), RECORD_SIZES),
        st.tuples(st.sampled_from(["bell", "hear", "look", "close"])),
        st.tuples(st.sampled_from(["bell", "look"])),
        st.tuples(st.just("many"), st.integers(1, 60), SIZES),
    ),
    max_size=60,
)


@settings(max_examples=120)
@given(st.integers(0, 40), STEPS)
def test_what_is_read_is_what_was_written_in_order_and_once(start, steps):
    with both_ends() as (pool, worker):
        ends = Ends(pool, worker)
        for _ in range(start):  # somewhere in the ring
            ends.record(VALUE, 9000)
            ends.look()
        for name, *args in steps:
            if name == "append":
                ends.append(*args)
            elif name == "record":
                ends.record(*args)
            elif name == "many":
                for _ in range(args[0]):
                    ends.append(args[1])
            else:
                {"bell": ends.ring_bell, "hear": ends.hear, "look": ends.look, "close": ends.writer.close_segment}[
                    name
                ]()
        while ends.states:
            ends.hear()
        ends.look()


@pytest.mark.parametrize("size", [0, 100, 4000])
def test_many_laps_with_a_look_now_and_then(size):
    with both_ends() as (pool, worker):
        ends = Ends(pool, worker)
        turn = 0
        while ends.writer.state()[0] < 3 * RING:
            turn += 1
            for _ in range(9):
                ends.append(size)
            ends.record(VALUE, size)
            ends.ring_bell()
            if turn % 3 == 0:
                ends.look()
            if turn % 2:
                ends.hear()
        ends.look()
        assert not ends.refused


def test_a_full_ring_refuses_and_takes_again_what_was_read():
    with both_ends() as (pool, worker):
        ends = Ends(pool, worker)
        for _ in range(3):
            while not ends.refused:
                ends.record(VALUE, 10_000)
            assert len(ends.written) - len(ends.read) >= RING // 10_100 - 1
            while ends.refused < 5:
                ends.append(10)
                ends.record(VALUE, 30_000)
            ends.look()
            ends.refused = 0
            ends.append(10)
            assert not ends.refused


def test_the_way_round_the_end_is_not_over_what_is_unread():
    with both_ends() as (pool, worker):
        ends = Ends(pool, worker)
        for _ in range(25):
            ends.record(VALUE, 10_000)
        ends.look()
        while not ends.refused:
            ends.record(VALUE, 10_000)
        ends.record(VALUE, 30_000)
        assert ends.refused == 2
        ends.look()


def test_looks_into_a_segment_that_grows_then_into_the_next():
    with both_ends() as (pool, worker):
        ends = Ends(pool, worker)
        for calls in (3, 1, 2, 5, 1):
            for _ in range(calls):
                ends.append(7)
            ends.look()
            ends.append(7)
            ends.look()
            ends.writer.close_segment()


def test_a_segment_is_closed_before_it_is_too_long():
    with both_ends() as (pool, worker):
        ends = Ends(pool, worker)
        for _ in range(30):
            ends.append(3000)
        kinds = [(kind, calls) for kind, calls, data in pool.read(*pool.state()) if len(data) <= LARGEST_SEGMENT]
        assert kinds == [(SEGMENT, 10)] * 3


def test_one_byte_results_fill_a_segment_to_its_end():
    with both_ends() as (pool, worker):
        writer = Writer(worker)
        for _ in range(LARGEST_SEGMENT + 1):
            assert writer.append(b"N")
        assert [(calls, len(data)) for _, calls, data in pool.read(*pool.state())] == [(0x8000, 0x8000), (1, 1)]


def test_a_record_that_is_too_large_is_refused_and_closes_the_segment():
    with both_ends() as (pool, worker):
        writer = Writer(worker)
        assert writer.append(b"N")
        assert not writer.record(VALUE, bytes(LARGEST_RECORD + 1))
        assert writer.record(VALUE, bytes(LARGEST_RECORD))
        assert [record.kind for record in pool.read(*pool.state())] == [SEGMENT, VALUE]


def test_an_open_segment_long_gone_is_not_seen_again_when_its_offset_comes_round():
    # OPEN has 24 bits for an offset in words: after 128 MiB another tail looks like the old one.
    with both_ends() as (pool, worker):
        writer = Writer(worker)
        assert writer.append(b"N")
        writer.close_segment()
        assert len(pool.read(*pool.state())) == 1
        data, laps = bytes(32_744), 0  # eight of these and a wrap are a lap
        while writer.state()[0] < (1 << 27) + RING:
            assert writer.record(VALUE, data)
            laps += 1
            assert [(r.kind, r.calls) for r in pool.read(*writer.state())] == [(VALUE, 1)]
            tail, _ = writer.state()
            if tail % RING == 0 or laps % 512 == 0:
                assert pool.read(*pool.state()) == []
        assert writer.state()[1] == 0  # nothing to mistake
        assert pool.words[OPEN] == 0


def test_a_stale_open_word_is_never_the_present_tail_s():
    with both_ends() as (pool, worker):
        writer = Writer(worker)
        assert writer.append(b"N")
        old = writer.state()
        assert writer.record(VALUE, b"v")
        assert [r.kind for r in pool.read(writer.state()[0], old[1])] == [SEGMENT, VALUE]
        assert pool.read(*old) == []


# ---- a worker that dies at any step ----------------------------------------------------------------------------------


class Died(Exception):
    """The worker's end, between two of its stores."""


class Mortal:
    """A view of memory that takes some stores and no more."""

    def __init__(self, view: memoryview, life: list[int]) -> None:
        self.view = view
        self.life = life

    def __getitem__(self, key: Any) -> Any:
        return self.view[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        if self.life[0] <= 0:
            if isinstance(key, slice) and key.stop - key.start > 1:  # a copy may stop halfway
                half = (key.stop - key.start) // 2
                self.view[key.start : key.start + half] = value[:half]
            raise Died
        self.life[0] -= 1
        self.view[key] = value


LIVES = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 4000)),
        st.tuples(st.just("record"), st.integers(0, 30_000)),
        st.tuples(st.sampled_from(["look", "close"])),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=150)
@given(st.integers(0, 30), LIVES, st.integers(0, 80))
def test_what_a_dead_worker_leaves_is_exactly_what_it_finished(start, steps, stores):
    with both_ends() as (pool, worker):
        ends = Ends(pool, worker)
        for _ in range(start):
            ends.record(VALUE, 9000)
            ends.look()
        life = [stores]
        writer: Any = ends.writer
        writer._words, writer._ring = Mortal(worker.words, life), Mortal(worker.ring, life)
        writer._ring_words = Mortal(worker.ring_words, life)
        doomed: list[tuple[int, Any]] = []
        published = (worker.words[TAIL], worker.words[OPEN])
        try:
            for name, *args in steps:
                doomed = []
                published = (worker.words[TAIL], worker.words[OPEN])
                if name == "append":
                    doomed = [(SEGMENT, (len(ends.written), "x" * args[0]))]
                    ends.append(args[0])
                elif name == "record":
                    doomed = [(VALUE, b"%d:" % len(ends.written) + bytes(args[0]))]
                    ends.record(VALUE, args[0])
                else:
                    {"look": ends.look, "close": writer.close_segment}[name]()
        except Died:
            left = ends.read + results(pool.read(*pool.state()))
            assert left == ends.written, "one store publishes, and it is the last"
            assert pool.read(*pool.state()) == []
            assert pool.read(*published) == []
            assert doomed or name == "close"
        else:
            ends.look()


def test_close_twice():
    with both_ends() as (pool, _):
        pool.close()
        pool.close()
