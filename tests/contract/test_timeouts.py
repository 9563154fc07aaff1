"""A call's own time limit, and calls that are run again."""

from __future__ import annotations

import threading
import time

import pytest

from elsewhere import CallTimeout, Retry
from tests.contract.work import (
    Custom,
    add,
    call_or_hold,
    call_or_hold_async,
    fail,
    fail_odd,
    flaky,
    hold,
    hold_stubbornly,
    only,
    pid_of,
    square,
    until,
)

SOON = 20.0  # seconds: far less than a call at a gate lasts, far more than a busy machine needs
BEGUN = 0.5  # seconds by which a call has begun, on a busy machine too, and is at its gate
GRACE = 20.0  # seconds, for workers that need little, where none is to be killed


# ---- timeouts ----------------------------------------------------------------------------------------------------


@only(beside=True)
@pytest.mark.parametrize("way", ["options", "pool", "map", "imap"])
def test_a_call_that_is_late_fails_in_time(make_pool, place, gate, way):
    pool = make_pool(2, timeout=BEGUN if way == "pool" else None, grace=GRACE)
    begin = time.monotonic()
    with pytest.raises(CallTimeout, match=rf"ran longer than its timeout of {BEGUN:g} s") as caught:
        if way == "options":
            pool.options(timeout=BEGUN).submit(place.hold, gate).result()
        elif way == "pool":
            pool.apply(place.hold, (gate,))
        elif way == "map":
            pool.map(place.hold, [gate], timeout=BEGUN)
        else:
            next(pool.imap(place.hold, iter([gate]), timeout=BEGUN))
    assert BEGUN <= time.monotonic() - begin < SOON
    assert isinstance(caught.value, TimeoutError)
    if place.stops_running:  # finally ran
        gate.wait_for("left", "call")
    assert pool.options(timeout=None).submit(square, 3).result() == 9


@only(kills=True)
def test_inside_the_function_the_timeout_is_raised_first(make_pool, gate):
    pool = make_pool(1, grace=GRACE)
    pid = pool.apply(pid_of)
    with pytest.raises(CallTimeout):
        pool.options(timeout=BEGUN).submit(hold, gate).result()
    gate.wait_for("left", "call")
    assert gate.has("CallTimeout", "call")
    assert pool.apply(pid_of) == pid  # a call that ends when it is told to costs no worker


@only(kills=True)
def test_a_call_that_does_not_end_is_killed_after_the_grace(make_pool, gate):
    pool = make_pool(1, grace=BEGUN)  # enough to say that it was told
    pid = pool.apply(pid_of)
    with pytest.raises(CallTimeout):
        pool.options(timeout=BEGUN).submit(hold_stubbornly, gate).result()
    gate.wait_for("CallTimeout", "call")
    assert pool.apply(pid_of) != pid
    assert pool.statistics().lost_workers == 1


@only(beside=True, stops_running=False)
@pytest.mark.parametrize("chunksize", [None, 3])
def test_a_thread_that_is_late_is_replaced_and_counted(make_pool, gate, chunksize):
    others = set(threading.enumerate())
    pool = make_pool(1)
    pool.apply(square, (3,))
    (late,) = [thread for thread in set(threading.enumerate()) - others if thread.name == "elsewhere-1"]
    results = pool.map(
        hold_or_count, [(gate, x) for x in range(3)], chunksize=chunksize, timeout=2 * BEGUN, return_exceptions=True
    )
    assert [type(result) for result in results] == [CallTimeout, int, int]
    assert pool.statistics().abandoned == 1
    assert pool.apply(square, (3,)) == 9
    gate.open()
    late.join(30)  # it ends with its call, and does nothing more
    assert gate.has("left", "call")
    assert [gate.times("came", x) for x in (1, 2)] == [1, 1]
    assert len(called) == 3  # not even with an input that is gone
    called.clear()


called: list[object] = []


def hold_or_count(pair):
    called.append(pair)
    gate, x = pair
    if x == 0:
        return hold(gate)
    gate.note("came", x)
    return x


@only(beside=True)
def test_no_thread_is_counted_that_was_not_left(make_pool):
    pool = make_pool()
    assert pool.map(square, range(10), timeout=30) == [x * x for x in range(10)]
    pool.terminate()
    pool.join()
    assert pool.statistics().abandoned == 0


@only(beside=False)
def test_inline_a_late_call_fails_when_it_ends(make_pool):
    with pytest.raises(CallTimeout):
        make_pool().options(timeout=0.01).submit(time.sleep, 0.05).result()


@only(beside=True)
def test_one_late_call_of_a_map_fails_alone(make_pool, place, gate):
    pool = make_pool(2)
    fn = place.hold
    results = pool.starmap(
        call_or_hold_async if fn is not hold else call_or_hold,
        [(gate, x) for x in range(20)],
        timeout=2 * BEGUN,
        return_exceptions=True,
    )
    assert [result if isinstance(result, int) else type(result) for result in results] == [
        *range(10),
        CallTimeout,
        *range(11, 20),
    ]


@only(beside=True)
def test_a_late_call_fails_in_time_though_others_are_handed_over_meanwhile(make_pool, place, gate):
    pool = make_pool(1, grace=GRACE).options(timeout=BEGUN)
    fn = call_or_hold if place.hold is hold else call_or_hold_async
    quick = [pool.submit(fn, gate, 20) for _ in range(300)]  # known to be so: a worker holds some of them ahead
    assert {future.result() for future in quick} == {20}
    late = pool.submit(fn, gate, 10)
    gate.wait_for("came", "late")
    others = []
    while len(others) < 100 and not late.done():
        others.append(pool.submit(fn, gate, 20))
        threading.Event().wait(BEGUN / 10)  # the point: less than the timeout
    assert isinstance(late.exception(0), CallTimeout)
    gate.open()
    assert {future.result() for future in others} == {20}


def test_a_call_in_time_is_left_alone(pool):
    assert pool.options(timeout=SOON).submit(square, 3).result() == 9
    assert pool.map(square, range(100), timeout=SOON) == [x * x for x in range(100)]


@only(beside=True)
def test_time_is_counted_from_the_start_of_the_call(make_pool, place, gate):
    """Calls that wait for a worker are not late."""
    pool = make_pool(1)
    running = pool.submit(place.hold, gate)
    gate.wait_for("came", "call")
    waiting = pool.options(timeout=BEGUN).submit(square, 3)
    begin = time.monotonic()
    until(lambda: time.monotonic() > begin + 1.2 * BEGUN)
    gate.open()
    assert waiting.result() == 9
    assert running.result() == "call"


# ---- retries -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("retry", [3, Retry(3), Retry(retries=3, on=(OSError, Custom)), Retry(3, on=(Custom,))])
def test_a_call_that_fails_is_run_again(pool, gate, retry):
    future = pool.options(retry=retry).submit(flaky, gate, "call", 3)
    assert future.result() == 4
    assert future.attempt == 4
    assert gate.times("came", "call") == 4


def test_it_is_given_up_after_so_many_repeats(pool, gate):
    future = pool.options(retry=2).submit(flaky, gate, "call", 10)
    with pytest.raises(Custom, match="failure 3"):
        future.result()
    assert future.attempt == 3
    assert gate.times("came", "call") == 3


@pytest.mark.parametrize("retry", [Retry(3, on=(OSError,)), 0, None])
def test_other_errors_are_not_worth_a_repeat(pool, gate, retry):
    future = pool.options(retry=retry).submit(flaky, gate, "call", 1)
    with pytest.raises(Custom, match="failure 1"):
        future.result()
    assert future.attempt == 1


def test_retries_of_maps(pool, gate):
    names = [(gate, name, failures) for name, failures in [("a", 0), ("b", 2), ("c", 1)]]
    assert pool.starmap(flaky, names, retry=2) == [1, 3, 2]
    again = [(gate, name, failures) for name, failures in [("d", 0), ("e", 2), ("f", 1)]]
    assert list(pool.imap(flaky, *zip(*again, strict=True), retry=2)) == [1, 3, 2]
    with pytest.raises(Custom):
        pool.map(fail, [1], retry=1)
    attempts = [call.attempt for call in pool.options(retry=1).calls(fail_odd, range(3), ordered=True)]
    assert attempts == [1, 2, 1]


def test_backoff_is_waited_for(pool, gate):
    asked = []

    def backoff(repeat):
        asked.append(repeat)
        return 0.03

    begin = time.monotonic()
    retry = Retry(2, backoff=backoff)
    assert pool.options(retry=retry).submit(flaky, gate, "call", 2).result() == 3
    assert time.monotonic() - begin >= 0.06
    assert asked == [1, 2]
    begin = time.monotonic()
    retry = Retry(2, backoff=0.02)  # doubled: 0.02 + 0.04
    assert pool.options(retry=retry).submit(flaky, gate, "again", 2).result() == 3
    assert time.monotonic() - begin >= 0.06


@only(beside=True)
def test_while_one_call_waits_for_its_repeat_others_run(make_pool, gate):
    pool = make_pool(1)
    delayed = pool.options(retry=Retry(1, backoff=30)).submit(flaky, gate, "call", 1)
    gate.wait_for("came", "call")
    assert pool.map(square, range(10)) == [x * x for x in range(10)]
    assert not delayed.done()
    assert delayed.cancel()


@only(beside=True)
def test_a_late_call_is_run_again_if_asked(make_pool, place, gate):
    pool = make_pool(1, grace=GRACE)
    future = pool.options(timeout=BEGUN, retry=Retry(1, on=CallTimeout)).submit(place.hold, gate)
    with pytest.raises(CallTimeout):
        future.result()
    assert future.attempt == 2
    assert gate.times("came", "call") == 2


def test_statistics_count_the_repeats(make_pool, gate):
    pool = make_pool()
    pool.options(retry=3).submit(flaky, gate, "call", 2).result()
    statistics = pool.statistics()
    assert (statistics.retried, statistics.succeeded, statistics.failed) == (2, 1, 0)


def test_keywords_win_over_options_and_options_over_the_pool(make_pool, gate):
    pool = make_pool(2, retry=5)
    assert pool.submit(flaky, gate, "pool", 5).result() == 6
    assert pool.options(retry=1).submit(flaky, gate, "view", 1).result() == 2
    with pytest.raises(Custom):
        pool.options(retry=None).submit(flaky, gate, "none", 1).result()
    with pytest.raises(Custom):
        pool.map(fail, [1], retry=None)
    assert pool.options(timeout=30).starmap(flaky, [(gate, "kept", 5)]) == [6]
    assert pool.options(retry=0).options(retry=2).submit(flaky, gate, "view of a view", 2).result() == 3
    assert pool.starmap(add, [(1, 2)], timeout=30, retry=0) == [3]
