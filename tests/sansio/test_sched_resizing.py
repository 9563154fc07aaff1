"""Workers that come and go: the stories; every interleaving is in `test_scheduler_machine`."""

from __future__ import annotations

import pytest

from elsewhere.errors import ConnectionLost, WorkerLost
from elsewhere.sansio.scheduling.jobs import Failed, Job, Kill, Retire, Send, Start
from elsewhere.sansio.scheduling.scheduler import Scheduler
from tests.sansio.stories import failures, known, ready, take


def test_a_pool_that_grows_starts_workers() -> None:
    scheduler = ready(1)
    scheduler.resize(3, 1.0)
    assert take(scheduler) == [Start(2), Start(3)]
    assert scheduler.size == 3


def test_a_pool_of_none_keeps_its_calls_until_it_grows() -> None:
    scheduler = Scheduler(0)
    scheduler.open()
    job = Job()
    scheduler.add(job, 0, 2, 0.0)
    assert take(scheduler) == []
    scheduler.resize(1, 1.0)
    assert take(scheduler) == [Start(1)]
    scheduler.worker_ready(1, 2.0)
    assert take(scheduler) == [Send(1, job, 0, 1)]


def test_of_too_many_workers_those_that_start_and_the_idle_leave_at_once() -> None:
    scheduler = ready(2)
    job = Job()
    scheduler.add(job, 0, 1, 0.0)
    busy = next(action.worker for action in take(scheduler) if isinstance(action, Send))
    scheduler.resize(3, 0.0)
    assert take(scheduler) == [Start(3)]
    scheduler.resize(1, 1.0)
    idle = 3 - busy
    assert sorted(take(scheduler)) == [Retire(idle), Retire(3)]
    scheduler.worker_ready(3, 2.0)  # it had not heard
    scheduler.add(job, 1, 2, 2.0)
    assert take(scheduler) == []
    for key in (idle, 3):
        scheduler.lost(key, 0, WorkerLost("it left"), 3.0)
    assert take(scheduler) == []
    assert scheduler.lost_workers == 0
    assert scheduler.broken is None


def test_a_busy_worker_leaves_when_it_has_answered() -> None:
    scheduler = ready(2)
    job = known()
    scheduler.add(job, 0, 1000, 0.0)
    held = {action.worker: action.hi - action.lo for action in take(scheduler) if isinstance(action, Send)}
    scheduler.resize(1, 1.0, first=[1])
    assert take(scheduler) == []
    scheduler.finished(1, held[1] - 1, 0.01, 2.0)
    assert take(scheduler) == []
    scheduler.finished(1, 1, 0.01, 2.0)
    assert take(scheduler) == [Retire(1)]
    scheduler.finished(2, held[2], 0.01, 2.0)
    assert [type(action) for action in take(scheduler)] == [Send]


def test_one_that_was_to_leave_stays_when_the_pool_grows_again() -> None:
    scheduler = ready(1)
    job = Job()
    scheduler.add(job, 0, 3, 0.0)
    assert take(scheduler) == [Send(1, job, 0, 1)]
    scheduler.resize(0, 1.0)
    scheduler.resize(1, 2.0)
    assert take(scheduler) == []
    scheduler.finished(1, 1, 0.5, 3.0)
    assert take(scheduler) == [Send(1, job, 1, 2)]


def test_one_that_was_to_leave_and_stays_is_handed_what_it_has_room_for_at_once() -> None:
    scheduler, job = ready(1, budget=2.0**-6), known()
    scheduler.add(job, 0, 2, 0.0)
    scheduler.resize(0, 0.0)
    scheduler.add(job, 2, 8, 0.0)
    assert take(scheduler) == [Send(1, job, 0, 2)]
    scheduler.resize(1, 0.0)
    assert take(scheduler) == [Send(1, job, 2, 8)]


def test_the_busy_ones_that_hold_least_leave_first_and_of_the_idle_the_newest() -> None:
    scheduler, job = ready(4), known()
    scheduler.add(job, 0, 4, 0.0)
    scheduler.peers[2].hold(job, 10, 12, 0.0)
    scheduler.resize(1, 0.0)
    assert [peer.key for peer in scheduler.peers.values() if not peer.dismissed] == [2]
    idle = ready(3)
    idle.resize(1, 0.0)
    assert take(idle) == [Retire(3), Retire(2)]


def test_one_that_is_killed_is_the_first_that_is_not_replaced() -> None:
    scheduler, job = ready(2), Job()
    scheduler.add(job, 0, 2, 0.0)
    scheduler.cancel(job, 0, 0.0)
    scheduler.observed(1, 1, 0.0, 0.0)
    scheduler.tick(1.0)
    assert Kill(1) in take(scheduler)
    scheduler.failed(1, WorkerLost("its last word"), 1.0, 1.0)
    scheduler.resize(1, 1.0)
    assert take(scheduler) == []
    scheduler.lost(1, 1, WorkerLost("it was killed"), 1.0)
    assert take(scheduler) == []
    assert scheduler.lost_workers == 1
    scheduler.add(job, 2, 3, 1.0)
    scheduler.finished(2, 1, 0.5, 2.0)
    assert take(scheduler) == [Send(2, job, 2, 3)]


def test_one_that_was_to_leave_and_dies_is_not_replaced() -> None:
    scheduler = ready(2)
    job = Job()
    scheduler.add(job, 0, 2, 0.0)
    take(scheduler)
    scheduler.resize(1, 1.0, first=[2])
    scheduler.lost(2, 1, WorkerLost("it died"), 2.0)
    assert failures(take(scheduler)) == [(1, WorkerLost, 1)]
    assert scheduler.lost_workers == 1
    scheduler.lost(1, 1, WorkerLost("it died"), 2.0)
    assert [action for action in take(scheduler) if not isinstance(action, Failed)] == [Start(3)]


def test_a_size_below_nothing_is_refused() -> None:
    scheduler = ready(1)
    with pytest.raises(ValueError, match="0 workers or more, not -1"):
        scheduler.resize(-1, 0.0)
    assert scheduler.size == 1


def test_a_broken_pool_fails_what_has_not_begun_and_starts_nobody() -> None:
    scheduler = ready(1)
    job = Job()
    scheduler.add(job, 0, 3, 0.0)
    assert take(scheduler) == [Send(1, job, 0, 1)]
    error = ConnectionLost("the scheduler is gone")
    scheduler.break_(error)
    scheduler.break_(ConnectionLost("a second time"))
    scheduler.add(job, 3, 4, 1.0)
    assert [(action.index, action.error) for action in take(scheduler)] == [(1, error), (2, error), (3, error)]  # type: ignore[union-attr]  # each a Failed
    scheduler.resize(5, 1.0)
    assert take(scheduler) == []
    assert [(span[1], span[2]) for span in scheduler.finished(1, 1, 0.1, 2.0)] == [(0, 1)]
    scheduler.lost(1, 1, WorkerLost("it died"), 3.0)
    assert take(scheduler) == []
    assert scheduler.unfinished == 0


def test_one_that_is_worn_before_it_is_ready_leaves_when_it_is() -> None:
    scheduler = Scheduler(1)
    scheduler.open()
    scheduler.worn(1)
    scheduler.add(Job(), 0, 1, 0.0)
    assert take(scheduler) == [Start(1)]
    scheduler.worker_ready(1, 0.0)
    assert take(scheduler) == [Retire(1), Start(2)]


def test_one_that_is_ready_when_all_is_over_leaves() -> None:
    scheduler = Scheduler(1)
    scheduler.open()
    scheduler.close()
    take(scheduler)
    scheduler.worker_ready(1, 0.0)
    assert take(scheduler) == [Retire(1)]
