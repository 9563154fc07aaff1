"""A decision takes as many steps with many workers as with few: lines that are run are counted, not time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import elsewhere.sansio.scheduling
from benchmarks.scale.loops import LOOPS
from elsewhere.sansio.scheduling.jobs import Job, Observe, Send
from elsewhere.sansio.scheduling.scheduler import PATIENCE
from tests.sansio.stories import known, ready, take

ROOM = str(Path(elsewhere.sansio.scheduling.__file__).parent)
FEW, MANY = 4, 128
TIMES = 1.05  # as many lines


def lines(work: Callable[[], object]) -> int:
    """Lines of the scheduler that are run meanwhile."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace if frame.f_code.co_filename.startswith(ROOM) else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("name", [name for name in LOOPS if name != "a map of short calls"])
def test_a_call_takes_as_many_steps_with_many_workers(name: str):
    """What is made for each worker is made in both, and does not count."""
    steps = {}
    for size in (FEW, MANY):
        steps[size] = lines(lambda size=size: LOOPS[name](size, 150)) - lines(lambda size=size: LOOPS[name](size, 50))  # type: ignore[misc]  # inferred
    assert steps[MANY] <= TIMES * steps[FEW]


def steps_of_lone_calls(size: int) -> int:
    """One worker is free and makes one call after the other, all others hold more than they have begun."""
    scheduler, job = ready(size, budget=2.0**-6), known()
    scheduler.add(job, 0, 8 * size, 0.0)
    for send in take(scheduler):
        if isinstance(send, Send) and send.worker == 1:
            scheduler.finished(1, send.hi - send.lo, 0.001, 0.0)
    lone = Job()
    scheduler.add(lone, 0, 1, 0.0)

    def work() -> None:
        for index in range(1, 100):
            scheduler.finished(1, 1, 0.001, 0.0)
            scheduler.add(lone, index, index + 1, 0.0)
            scheduler.next_timer()

    return lines(work)


def test_others_are_not_looked_at_again_and_again():
    assert steps_of_lone_calls(MANY) <= TIMES * steps_of_lone_calls(FEW)


def test_stale_timers_are_thrown_away_and_no_others():
    scheduler, long, job = ready(3, budget=2.0**-6), Job(3600.0), known(60.0)
    scheduler.add(long, 0, 1, 0.0)
    assert take(scheduler) == [Send(1, long, 0, 1)]
    now = 0.0
    for index in range(500):
        scheduler.add(job, 4 * index, 4 * index + 4, now)
        first, second = (action.worker for action in take(scheduler) if isinstance(action, Send))
        scheduler.finished(second, 2, 0.0005, now)
        now += PATIENCE
        scheduler.tick(now)
        scheduler.observed(first, scheduler.peers[first].done + 2, now, now)
        scheduler.finished(first, 2, 0.0005, now)
    assert len(scheduler._timers) < 200
    take(scheduler)
    scheduler.tick(3600.0)
    assert Observe(1) in take(scheduler)
