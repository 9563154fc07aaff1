"""Lanes: results as plain words, each known to the pool once the next call has begun, whatever interrupts a worker."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elsewhere.errors import CallCancelled
from elsewhere.runtime.page import (
    CLOSE,
    FLOATS,
    INTS,
    LANE_CALLS,
    MAIL,
    NONES,
    PREFIX,
    SEGMENT,
    STARTED,
    VALUE,
    Page,
    Record,
    Writer,
)
from elsewhere.runtime.worker import lanes
from elsewhere.runtime.worker.lanes import Ended, Pace, call_each
from tests.runtime.test_page import both_ends

KINDS: dict[int, st.SearchStrategy[Any]] = {
    INTS: st.integers(-(2**63), 2**63 - 1),
    FLOATS: st.floats(allow_nan=False),
    NONES: st.none(),
}


def values(records: list[Record]) -> list[Any]:
    found: list[Any] = []
    for kind, calls, data in records:
        if isinstance(data, list):
            assert len(data) == calls
            found += data
        elif kind == SEGMENT:
            found += pickle.loads(PREFIX + data + CLOSE)
        else:
            found.append(pickle.loads(data))
    return found


# ---- the page --------------------------------------------------------------------------------------------------------


def a_lane(kind: int) -> st.SearchStrategy[tuple[str, int, list[tuple[Any, bool]]]]:
    """A lane: its kind, its results, and after which of them the pool looks."""
    return st.tuples(
        st.just("lane"), st.just(kind), st.lists(st.tuples(KINDS[kind], st.booleans()), min_size=0, max_size=40)
    )


STEPS = st.lists(
    st.one_of(
        *(a_lane(kind) for kind in KINDS),
        st.tuples(st.just("text"), st.text(max_size=8)),
        st.tuples(st.just("value"), st.binary(max_size=30_000)),
        st.tuples(st.just("look")),
    ),
    max_size=25,
)


class Worker:
    """Writes what it is told, and knows what the pool must find."""

    def __init__(self, page: Page, look: Callable[[], None]) -> None:
        self.page = page
        self.writer = Writer(page)
        self.look = look
        self.started = 0
        self.finished: list[Any] = []  # durable, whatever comes next

    def carry_out(self, step: Any) -> None:
        name, *rest = step
        if name == "lane":
            self.lane(*rest)
        elif name == "look":
            self.look()
        else:
            self.started += 1
            self.page.words[STARTED] = self.started
            if name == "text":
                assert self.writer.append(pickle.dumps(rest[0], 5)[2:-1])
            else:
                assert self.writer.record(VALUE, pickle.dumps(rest[0], 5))
            self.finished.append(rest[0])

    def lane(self, kind: int, results: list[tuple[Any, bool]]) -> None:
        lane = self.writer.lane(kind, len(results), self.started + 1)
        assert lane is not None
        for at, (value, look) in enumerate(results):
            self.started += 1
            self.page.words[STARTED] = self.started
            if at:
                self.finished.append(results[at - 1][0])
            if look:
                self.look()
            lane[at] = value
        self.writer.close_lane(kind, len(results))
        self.finished += [value for value, _ in results[-1:]]


@settings(max_examples=200)
@given(st.integers(0, 40), STEPS)
def test_what_is_read_is_what_was_stored_in_order_and_once(start, steps):
    with both_ends() as (pool, page):
        read: list[Any] = []

        def look() -> None:
            read.extend(values(pool.read(*pool.state())))
            assert read == worker.finished, "all that is followed by a begun call, and no more"

        worker = Worker(page, look)
        for _ in range(start):  # somewhere in the ring, and round its end
            worker.carry_out(("value", bytes(9000)))
            look()
        for step in steps:
            worker.carry_out(step)
        look()


def test_a_lane_that_has_just_been_opened_has_no_result_yet():
    with both_ends() as (pool, page):
        writer = Writer(page)
        page.words[STARTED] = 7
        assert writer.lane(INTS, 10, 8) is not None
        assert pool.read(*pool.state()) == []
        page.words[STARTED] = 8
        assert pool.read(*pool.state()) == []


def test_the_first_call_of_a_lane_may_have_any_ordinal():
    with both_ends() as (pool, page):
        writer = Writer(page)
        for first in [1, (1 << 24) - 1, 1 << 24, (1 << 40) + 5]:
            lane = writer.lane(INTS, 3, first)
            assert lane is not None
            for at in range(2):
                page.words[STARTED] = first + at
                lane[at] = at
            assert values(pool.read(*pool.state())) == [0]
            writer.close_lane(INTS, 2)
            assert values(pool.read(*pool.state())) == [1]


def test_a_full_ring_has_no_lane():
    with both_ends() as (pool, page):
        writer = Writer(page)
        for size in (30_000, 1000):
            while writer.record(VALUE, bytes(size)):
                pass
        assert writer.lane(INTS, LANE_CALLS, 1) is None
        pool.read(*pool.state())
        assert writer.lane(INTS, LANE_CALLS, 1) is not None


# ---- the hot loop ----------------------------------------------------------------------------------------------------


class FakeChannel:
    def __init__(self, page: Page) -> None:
        self.words = page.words
        self.writer = Writer(page)
        self.mail = 0


class FakeLoop:
    def __init__(self, page: Page) -> None:
        self.channel = FakeChannel(page)
        self.unfinished: dict[Any, Any] = {}
        self.inside = False


@pytest.fixture
def ends() -> Iterator[tuple[Page, Any]]:
    with both_ends() as (pool, page):
        yield pool, FakeLoop(page)


def test_all_are_called_and_answered(ends):
    pool, loop = ends
    assert call_each(loop, abs, [-1, -2, 3], 1, int, False) == (3, Ended.ALL, 3)
    assert values(pool.read(*pool.state())) == [1, 2, 3]
    assert call_each(loop, divmod, [(7, 2)], 4, int, True)[:2] == (0, Ended.VALUE)
    assert loop.inside is False


@pytest.mark.parametrize("huge", [2**63, -(2**63) - 1, 10**40])
def test_an_int_that_is_too_large_for_a_word_is_a_value(ends, huge):
    pool, loop = ends
    assert call_each(loop, lambda x: x, [1, huge, 2], 1, int, False) == (1, Ended.VALUE, huge)
    assert values(pool.read(*pool.state())) == [1]


def test_an_error_of_the_function_is_its_own(ends):
    pool, loop = ends
    answered, ended, error = call_each(loop, int, ["1", "2", "x", "3"], 1, int, False)
    assert (answered, ended, type(error)) == (2, Ended.ERROR, ValueError)
    assert values(pool.read(*pool.state())) == [1, 2]


@pytest.mark.parametrize("before", [-(2**63), 2**63 - 1, 0])
def test_a_value_error_is_the_calls_own_whatever_the_one_before_it_returned(ends, before):
    pool, loop = ends

    def call(x: int) -> int:
        return before if x else int("no number")

    answered, ended, error = call_each(loop, call, [1, 0], 1, int, False)
    assert (answered, ended, type(error)) == (1, Ended.ERROR, ValueError)
    assert values(pool.read(*pool.state())) == [before]


def test_a_bool_is_not_an_int(ends):
    _, loop = ends
    assert call_each(loop, bool, [1], 1, int, False) == (0, Ended.VALUE, True)


def test_half_a_printed_line_ends_it(ends):
    _, loop = ends

    def note(x: int) -> int:
        loop.unfinished[1, 1] = ["half"]
        return x

    assert call_each(loop, note, [1, 2], 1, int, False) == (0, Ended.VALUE, 1)


def test_mail_comes_before_the_next_call_and_after_it_is_claimed(ends):
    pool, loop = ends
    called = []

    def call(x: int) -> int:
        called.append(x)
        if x == 2:
            pool.words[MAIL] = 5
        return x

    assert call_each(loop, call, [1, 2, 3, 4], 11, int, False) == (2, Ended.MAIL, lanes._NOTHING)
    assert called == [1, 2]
    assert loop.channel.words[STARTED] == 13
    assert values(pool.read(*pool.state())) == [1, 2]


def interrupted_at(line: int, calls: int) -> int | None:
    """Interrupt `call_each` at the line-th line it comes to; the ordinal that was hit, None if it was over by then."""
    with both_ends() as (pool, page):
        loop: Any = FakeLoop(page)
        seen: list[int] = []
        left = [line]

        def trace(frame: Any, event: str, arg: Any) -> Any:
            if frame.f_code is not call_each.__code__:
                return None
            if event == "line" and loop.inside and page.words[STARTED] >= 1:
                left[0] -= 1
                if left[0] == 0:
                    seen.append(page.words[STARTED])
                    raise CallCancelled("now")
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            answered, ended, outcome = call_each(loop, abs, list(range(calls)), 1, int, False)
        finally:
            sys.settrace(before)
        assert loop.inside is False
        assert values(pool.read(*pool.state())) == list(range(answered))
        if not seen:
            assert (answered, ended) == (calls, Ended.ALL)
            return None
        assert ended is Ended.ERROR
        assert type(outcome) is CallCancelled
        assert answered == seen[0] - 1
        return seen[0]


@pytest.mark.parametrize("calls", [1, 4])
def test_an_interrupt_at_any_line_fails_the_call_that_is_begun_and_no_other(calls):
    """As SIGURG does, which raises between any two instructions while `inside` is true and the call is STARTED."""
    hit = []
    while (ordinal := interrupted_at(len(hit) + 1, calls)) is not None:
        hit.append(ordinal)
    assert sorted(set(hit)) == list(range(1, calls + 1))


# ---- the pace --------------------------------------------------------------------------------------------------------


def test_lanes_of_short_calls_grow_and_those_of_long_calls_are_one_call():
    pace = Pace()
    for _ in range(20):
        pace.learn(pace.calls, 1000, 200_000)
    assert pace.calls == LANE_CALLS
    pace.learn(pace.calls, LANE_CALLS * 1_000_000, 200_000)
    assert pace.calls == 1
    pace.learn(1, 80_001, 200_000)
    assert pace.calls == 1
    pace.learn(1, 39_999, 200_000)
    assert pace.calls == 2
    pace.learn(2, 80_001, 1_000_000)  # bells are further apart: a lane may take longer
    assert pace.calls == 4


def test_a_lane_that_was_cut_short_says_nothing():
    pace = Pace()
    pace.learn(1, 1000, 200_000)
    assert pace.calls == 8
