"""The scheduler's promises one by one, as stories that a reader can follow; `test_scheduler_machine` has the rest.

Their neighbours: `test_credits`, `test_interrupting`, `test_taking_back`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from elsewhere.call import Retry
from elsewhere.errors import CallTimeout, PoolClosed, WorkerLost, WorkerStartError
from elsewhere.sansio.scheduling.jobs import Failed, Job, Kill, Retire, Run, Send, Start, Stop
from elsewhere.sansio.scheduling.peer import Recalling
from elsewhere.sansio.scheduling.scheduler import Scheduler
from tests.sansio.stories import GRACE, failures, ready, take

# ---- order -----------------------------------------------------------------------------------------------------------


def test_one_worker_gets_calls_in_the_order_they_were_added_whatever_is_cancelled():
    scheduler, first, second = ready(budget=0.0), Job(), Job()
    scheduler.add(first, 0, 3, 0.0)
    scheduler.add(second, 0, 5, 0.0)
    assert scheduler.cancel(second, 2, 0.0)
    order = []
    while scheduler.unfinished:
        for send in take(scheduler):
            assert isinstance(send, Send)
            order.append((send.job is first, send.lo))
            scheduler.finished(1, 1, 1.0, 0.0)
    assert order == [(True, 0), (True, 1), (True, 2), (False, 0), (False, 1), (False, 3), (False, 4)]


def test_adds_that_follow_each_other_are_one_run():
    scheduler, job = Scheduler(1), Job(chunk=6)
    scheduler.open()
    scheduler.add(job, 0, 2, 0.0)
    scheduler.add(job, 2, 6, 0.0)
    take(scheduler)
    scheduler.worker_ready(1, 0.0)
    assert take(scheduler) == [Send(1, job, 0, 6)]


def test_what_a_lost_worker_had_not_begun_goes_to_the_front():
    scheduler, job = ready(), Job(chunk=3)
    scheduler.add(job, 0, 9, 0.0)
    take(scheduler)
    scheduler.lost(1, 1, WorkerLost(), 0.0)
    actions = take(scheduler)
    assert failures(actions) == [(0, WorkerLost, 1)]
    scheduler.worker_ready(2, 0.0)
    assert take(scheduler) == [Send(2, job, 1, 3)]
    assert scheduler.lost_workers == 1


def test_a_cancelled_call_of_a_lost_worker_does_not_go_back_and_is_forgotten():
    scheduler, job = ready(), Job(chunk=5)
    scheduler.add(job, 0, 5, 0.0)
    for index in (1, 4):
        scheduler.cancel(job, index, 0.0)
    take(scheduler)
    scheduler.lost(1, 0, WorkerLost(), 0.0)
    assert not job.settled
    scheduler.worker_ready(2, 0.0)
    assert take(scheduler) == [Start(2), Send(2, job, 0, 1)]
    scheduler.finished(2, 1, 1.0, 0.0)
    assert take(scheduler) == [Send(2, job, 2, 4)]
    assert scheduler.finished(2, 2, 2.0, 0.0) == [(job, 2, 4)]
    assert scheduler.unfinished == 0


def test_several_runs_of_a_lost_worker_go_back_in_their_order():
    scheduler, jobs = ready(), [Job() for _ in range(3)]
    for job in jobs:
        job.seconds, job.answered = 1e-6, 10
        scheduler.add(job, 0, 3, 0.0)
    assert [type(action) for action in take(scheduler)] == [Send] * 3
    scheduler.lost(1, 0, WorkerLost(), 0.0)
    scheduler.worker_ready(2, 0.0)
    assert take(scheduler) == [Start(2), *(Send(2, job, 0, 3) for job in jobs)]


# ---- loss ------------------------------------------------------------------------------------------------------------


def test_nothing_is_asked_of_a_worker_that_is_gone():
    scheduler, job = ready(), Job()
    scheduler.add(job, 0, 9, 0.0)
    take(scheduler)
    scheduler.finished(1, 1, 1.0, 0.0)  # told while it is buried: brings it a further call
    scheduler.lost(1, 1, WorkerLost(), 0.0)
    assert take(scheduler) == [Start(2)]
    scheduler.worker_ready(2, 0.0)
    assert take(scheduler) == [Send(2, job, 1, 2)]


def test_a_retry_that_has_no_room_here_goes_to_an_idle_worker():
    scheduler, job = ready(2), Job(retry=Retry(1), chunk=3)
    scheduler.add(job, 0, 3, 0.0)
    assert take(scheduler) == [Send(1, job, 0, 3)]
    scheduler.failed(1, OSError(), 1.0, 0.0)
    assert take(scheduler) == [Send(2, job, 0, 1)]


def test_three_alike_break_the_pool_once():
    scheduler, job = Scheduler(2), Job()
    scheduler.open()
    scheduler.add(job, 0, 2, 0.0)
    cause = OSError("no such file")
    for key in (1, 2, 3):
        assert scheduler.broken is None
        error = WorkerStartError("its initializer raised")
        error.__cause__ = cause
        scheduler.lost(key, 0, error, 0.0)
    broken = scheduler.broken
    assert broken is not None
    assert broken.__cause__ is cause
    assert str(broken) == "3 workers in a row failed to start: its initializer raised"
    assert failures(take(scheduler)) == [(0, WorkerStartError, 0), (1, WorkerStartError, 0)]
    scheduler.lost(4, 0, WorkerStartError("its initializer raised"), 0.0)
    assert scheduler.broken is broken
    scheduler.add(job, 2, 3, 0.0)
    [failed] = take(scheduler)
    assert isinstance(failed, Failed)
    assert failed.error is broken
    assert scheduler.unfinished == 0


def test_ten_of_any_kind_break_it_and_one_that_starts_forgives_all():
    scheduler = Scheduler(1)
    scheduler.open()
    for key in range(1, 10):
        scheduler.lost(key, 0, WorkerLost(f"reason {key}"), 0.0)
    scheduler.worker_ready(10, 0.0)
    scheduler.lost(10, 0, WorkerLost(), 0.0)  # it had started: no failure to start
    for key in range(11, 20):
        scheduler.lost(key, 0, WorkerLost(f"reason {key}"), 0.0)
        assert scheduler.broken is None
    error = WorkerLost("reason 20")
    scheduler.lost(20, 0, error, 0.0)
    assert isinstance(scheduler.broken, WorkerStartError)
    assert scheduler.broken.__cause__ is error


def test_one_stroke_that_kills_all_that_were_starting_is_one_failure():
    scheduler = Scheduler(20)
    scheduler.open()
    key = 0
    for _ in range(4):
        for _ in range(20):
            key += 1
            scheduler.lost(key, 0, WorkerLost("killed"), 0.0, killed=True)
        assert scheduler.broken is None
    scheduler.lost(key + 1, 0, WorkerLost("killed"), 0.0, killed=True)
    assert str(scheduler.broken) == "5 workers in a row failed to start: killed"


def test_what_was_struck_and_fails_by_itself_counts():
    """Only kills are thought to come from one stroke; the others of a fork server that ended may have their own end."""
    scheduler = Scheduler(4)
    scheduler.open()
    scheduler.lost(1, 0, WorkerLost("alike"), 0.0, killed=True)
    scheduler.lost(2, 0, WorkerLost("alike"), 0.0)
    scheduler.lost(3, 0, WorkerLost("alike"), 0.0, killed=True)
    assert scheduler.broken is None
    scheduler.lost(4, 0, WorkerLost("alike"), 0.0)
    assert str(scheduler.broken) == "3 workers in a row failed to start: alike"


def test_a_worker_that_fails_by_itself_excuses_no_kill():
    scheduler = Scheduler(3)
    scheduler.open()
    scheduler.lost(1, 0, WorkerLost("alike"), 0.0)
    scheduler.lost(2, 0, WorkerLost("alike"), 0.0, killed=True)
    assert scheduler.broken is None
    scheduler.lost(4, 0, WorkerLost("alike"), 0.0)
    assert str(scheduler.broken) == "3 workers in a row failed to start: alike"


@pytest.mark.parametrize("answer", ["value", "failure", "released"])
def test_a_worker_that_answers_forgives_those_that_did_not_start(answer: str):
    scheduler, job = ready(2), Job()
    scheduler.add(job, 0, 2, 0.0)
    for key in (2, 3, 4):  # the first of them had started
        scheduler.lost(key, 0, WorkerLost("alike"), 0.0)
    if answer == "value":
        scheduler.finished(1, 1, 1.0, 0.0)
    elif answer == "failure":
        scheduler.failed(1, OSError(), 1.0, 0.0)
    else:
        scheduler.peers[1].recalling = Recalling.WITHDRAWN
        scheduler.released(1, 0.0)
    scheduler.lost(5, 0, WorkerLost("alike"), 0.0)
    assert scheduler.broken is None


def test_strokes_of_several_kinds_break_the_pool_at_ten():
    scheduler = Scheduler(1)
    scheduler.open()
    for key in range(1, 11):
        assert scheduler.broken is None
        scheduler.lost(key, 0, WorkerLost(f"signal {key}"), 0.0, killed=True)
    assert str(scheduler.broken) == "10 workers in a row failed to start: signal 10"


def test_a_stroke_after_a_worker_has_started_is_the_first():
    scheduler = Scheduler(1)
    scheduler.open()
    for key in range(1, 5):
        scheduler.lost(key, 0, WorkerLost("killed"), 0.0, killed=True)
    scheduler.worker_ready(5, 0.0)
    scheduler.lost(5, 0, WorkerLost("killed"), 0.0, killed=True)
    for key in range(6, 10):
        scheduler.lost(key, 0, WorkerLost("killed"), 0.0, killed=True)
        assert scheduler.broken is None
    scheduler.lost(10, 0, WorkerLost("killed"), 0.0, killed=True)
    assert scheduler.broken is not None


def test_a_failure_after_the_pool_broke_is_not_repeated():
    scheduler, job = ready(2), Job(retry=Retry(5))
    scheduler.add(job, 0, 2, 0.0)
    for key in (2, 3, 4, 5):
        scheduler.lost(key, key == 2, WorkerLost("the same"), 0.0)
    assert scheduler.broken is not None
    take(scheduler)
    scheduler.failed(1, OSError(), 1.0, 0.0)
    assert failures(take(scheduler)) == [(0, OSError, 1)]


def test_what_a_lost_worker_held_goes_to_an_idle_one_at_once():
    scheduler, job = ready(2), Job(chunk=3)
    scheduler.add(job, 0, 3, 0.0)
    take(scheduler)
    scheduler.lost(1, 0, WorkerLost(), 0.0)
    assert take(scheduler) == [Start(3), Send(2, job, 0, 3)]


# ---- workers that are worn -------------------------------------------------------------------------------------------


def test_a_worn_worker_finishes_what_it_holds_and_is_replaced():
    scheduler, job = ready(), Job()
    job.seconds, job.answered = 1e-9, 1
    scheduler.add(job, 0, 10, 0.0)
    assert take(scheduler) == [Send(1, job, 0, 4)]
    scheduler.worn(1)
    scheduler.finished(1, 3, 3e-9, 0.0)
    assert take(scheduler) == []
    scheduler.finished(1, 1, 1e-9, 0.0)
    assert take(scheduler) == [Retire(1), Start(2)]
    scheduler.worn(1)  # it may say so again, or too late
    assert take(scheduler) == []
    scheduler.lost(1, 4, WorkerLost(), 0.0)
    assert scheduler.lost_workers == 0
    scheduler.worker_ready(2, 0.0)
    assert take(scheduler) == [Send(2, job, 4, 10)]


def test_a_worn_worker_that_is_idle_leaves_at_once():
    scheduler, job = ready(), Job(chunk=5)
    scheduler.worn(1)
    assert take(scheduler) == [Retire(1), Start(2)]
    scheduler.worker_ready(2, 0.0)
    scheduler.worn(2)
    scheduler.add(job, 0, 5, 0.0)
    assert take(scheduler) == [Retire(2), Start(3)]


def test_a_worker_may_be_worn_and_be_the_last_of_a_pool_that_closes():
    scheduler, job = ready(), Job()
    scheduler.add(job, 0, 1, 0.0)
    take(scheduler)
    scheduler.worn(1)
    scheduler.close()
    scheduler.finished(1, 1, 1.0, 0.0)
    assert take(scheduler) == [Retire(1)]


# ---- the end ---------------------------------------------------------------------------------------------------------


def test_closing_finishes_what_there_is_then_lets_workers_go():
    scheduler, job = ready(2), Job()
    scheduler.add(job, 0, 1, 0.0)
    take(scheduler)
    scheduler.close()
    assert take(scheduler) == []
    scheduler.finished(1, 1, 1.0, 0.0)
    assert take(scheduler) == [Retire(1), Retire(2)]


def test_a_worker_lost_while_closing_is_replaced_only_as_far_as_there_is_work():
    scheduler, job = ready(3), Job(retry=Retry(1, backoff=5.0))
    scheduler.add(job, 0, 1, 0.0)
    take(scheduler)
    scheduler.close()
    for key in (1, 2, 3):
        scheduler.lost(key, key == 1, WorkerLost(), 0.0)
    assert take(scheduler) == [Start(4)]
    scheduler.worker_ready(4, 1.0)
    assert take(scheduler) == []
    scheduler.tick(5.0)
    assert take(scheduler) == [Send(4, job, 0, 1)]


def test_terminating_fails_what_waits_stops_all_and_kills_after_grace():
    scheduler, job = ready(2), Job(chunk=2, retry=Retry(9, backoff=1.0))
    scheduler.add(job, 0, 5, 0.0)
    scheduler.failed(1, OSError(), 1.0, 0.0)
    take(scheduler)
    scheduler.terminate(1.0)
    scheduler.terminate(1.1)
    actions = take(scheduler)
    assert failures(actions) == [(4, PoolClosed, 0), (0, PoolClosed, 1)]
    assert actions[2:] == [Stop(1), Stop(2)]
    scheduler.tick(1.0 + GRACE)
    assert take(scheduler) == [Kill(1), Kill(2)]
    assert scheduler.next_timer() is None
    scheduler.lost(1, 2, WorkerLost(), 2.0)
    scheduler.lost(2, 0, WorkerLost(), 2.0)
    assert failures(take(scheduler)) == [(1, WorkerLost, 1), (2, PoolClosed, 0), (3, PoolClosed, 0)]
    assert (scheduler.unfinished, scheduler.lost_workers, scheduler.peers) == (0, 0, {})


def test_an_interrupted_call_that_ends_does_not_put_the_end_off():
    scheduler, job = ready(), Job(timeout=1.0, chunk=2)
    scheduler.add(job, 0, 2, 0.0)
    scheduler.tick(1.0)
    scheduler.observed(1, 1, 0.0, 1.0)
    assert scheduler.next_timer() == 1.0 + GRACE
    scheduler.terminate(1.125)
    take(scheduler)
    assert scheduler.next_timer() == 1.0 + GRACE
    scheduler.failed(1, CallTimeout(), 1.1, 1.2)
    assert scheduler.next_timer() == 1.125 + GRACE


def test_workers_that_start_or_leave_are_killed_too_when_a_pool_is_terminated():
    scheduler = ready(1)
    scheduler.resize(2, 0.0)
    scheduler.resize(1, 0.0, first=[1])  # the first leaves, the second is still starting
    assert take(scheduler) == [Start(2), Retire(1)]
    scheduler.terminate(1.0)
    assert take(scheduler) == [Stop(1), Stop(2)]
    scheduler.tick(1.0 + GRACE)
    assert take(scheduler) == [Kill(1), Kill(2)]


def test_a_killed_worker_gets_no_more_calls():
    scheduler, job, other = ready(), Job(timeout=1.0), Job()
    scheduler.add(job, 0, 1, 0.0)
    scheduler.tick(1.0)
    scheduler.observed(1, 1, 0.0, 1.0)
    scheduler.tick(1.0 + GRACE)
    assert Kill(1) in take(scheduler)
    scheduler.failed(1, CallTimeout(), 1.3, 1.3)  # it came back in the moment between
    scheduler.add(other, 0, 1, 1.3)
    assert take(scheduler) == []
    scheduler.lost(1, 1, WorkerLost(), 1.4)
    assert take(scheduler) == [Start(2)]


# ---- what users hand in ----------------------------------------------------------------------------------------------


def raises(repeat: int) -> float:
    raise KeyError(repeat)


@pytest.mark.parametrize("backoff", [raises, lambda repeat: "soon"])
def test_a_backoff_that_raises_fails_the_call_not_the_pool(backoff: Callable[[int], float]):
    scheduler, job = ready(), Job(retry=Retry(3, backoff=backoff))
    scheduler.add(job, 0, 1, 0.0)
    take(scheduler)
    scheduler.failed(1, OSError("the function's own"), 1.0, 0.0)
    [failed] = take(scheduler)
    assert isinstance(failed, Failed)
    assert str(failed.error) == "the function's own"
    assert failed.attempts == 1
    assert "backoff" in failed.error.__notes__[0]


def test_a_run_tells_what_it_is():
    assert repr(Run(Job(), 2, 5)).endswith(", 2, 5)")
