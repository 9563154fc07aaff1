"""Calls that a worker holds and has not begun are taken back when others have nothing to do, and only then."""

from __future__ import annotations

import pytest

from elsewhere.call import Retry
from elsewhere.errors import CallCancelled, CallTimeout, PoolClosed, WorkerLost, WorkerStartError
from elsewhere.sansio.scheduling.jobs import (
    Interrupt,
    Job,
    Kill,
    Observe,
    Recall,
    Retire,
    Run,
    Send,
    Skip,
    Start,
    Stop,
    Withdraw,
)
from elsewhere.sansio.scheduling.peer import Recalling, State
from elsewhere.sansio.scheduling.scheduler import FENCE, PATIENCE, STRANDED, Scheduler
from tests.sansio.stories import GRACE, away, failures, known, ready, take

BUDGET = 2.0**-6  # seconds; the calls of `known` jobs take 2**-12


def straggling(size: int = 2, count: int = 8, **options: float | None) -> tuple[Scheduler, Job]:
    """Worker 1 has been in its first call since 0.0 and holds the others of its share; all other workers are idle."""
    scheduler, job = ready(size, budget=BUDGET, **options), known()
    scheduler.add(job, 0, count, 0.0)
    for send in take(scheduler):
        assert isinstance(send, Send)
        if send.worker != 1:
            scheduler.finished(send.worker, send.hi - send.lo, 2.0**-12 * (send.hi - send.lo), 0.0)
    assert not take(scheduler)
    return scheduler, job


def recall(scheduler: Scheduler, now: float = PATIENCE, started: int = 1) -> None:
    """Worker 1 is looked at, and told to begin no further call."""
    scheduler.tick(now)
    assert take(scheduler) == [Observe(1)]
    scheduler.observed(1, started, 0.0, now)
    assert take(scheduler) == [Recall(1)]
    scheduler.recalled(1, now)


# ---- when ------------------------------------------------------------------------------------------------------------


def test_what_waits_behind_a_long_call_goes_to_the_idle_worker():
    scheduler, job = straggling()
    assert scheduler.next_timer() == PATIENCE
    recall(scheduler)
    assert scheduler.next_timer() == PATIENCE + FENCE
    scheduler.tick(PATIENCE + FENCE)
    assert take(scheduler) == [Observe(1)]
    scheduler.observed(1, 1, 0.0, PATIENCE + FENCE)
    assert take(scheduler) == [Withdraw(1, 2), Send(2, job, 1, 4)]
    assert scheduler.peers[1].outstanding == 1
    assert scheduler.unfinished == 4


def test_a_call_that_is_not_long_yet_is_looked_at_again_when_it_would_be():
    scheduler, _ = straggling()
    scheduler.tick(PATIENCE)
    scheduler.observed(1, 1, 0.001, PATIENCE)
    assert take(scheduler) == [Observe(1)]
    assert scheduler.next_timer() == 0.001 + PATIENCE
    scheduler.tick(0.001 + PATIENCE)
    scheduler.observed(1, 1, 0.001, 0.001 + PATIENCE)
    assert take(scheduler) == [Observe(1), Recall(1)]


@pytest.mark.parametrize("waiting", [16, 17])
def test_many_short_calls_are_taken_back_though_none_of_them_is_long(waiting: int):
    scheduler, job = ready(2, budget=BUDGET), known()
    scheduler.peers[2].state = State.STARTING
    scheduler.add(job, 0, waiting + 1, 0.0)
    take(scheduler)
    scheduler.worker_ready(2, 0.0)
    scheduler.tick(PATIENCE)
    assert take(scheduler) == [Observe(1)]
    scheduler.observed(1, 1, PATIENCE, PATIENCE)  # it has just begun the first
    assert take(scheduler) == ([Recall(1)] if waiting * 2.0**-12 > STRANDED else [])


def test_a_worker_that_has_not_begun_is_given_patience_from_when_it_was_fed():
    scheduler, job = ready(2, budget=BUDGET), known()
    scheduler.add(job, 0, 8, 10.0)
    scheduler.finished(2, 4, 2.0**-10, 10.0)
    take(scheduler)
    scheduler.observed(1, 0, 0.0, 10.0 + PATIENCE / 2)
    assert take(scheduler) == []
    scheduler.observed(1, 0, 0.0, 10.0 + PATIENCE)
    assert take(scheduler) == [Recall(1)]
    scheduler.observed(1, 0, 0.0, 10.0 + PATIENCE + FENCE)
    assert take(scheduler) == [Withdraw(1, 1), Send(2, job, 0, 4)]


def test_a_chunk_that_one_worker_got_alone_is_watched_too():
    scheduler, job = ready(2, budget=BUDGET), Job(chunk=4)
    scheduler.add(job, 0, 4, 0.0)
    assert take(scheduler) == [Send(1, job, 0, 4)]
    recall(scheduler)
    scheduler.observed(1, 1, 0.0, PATIENCE + FENCE)
    assert take(scheduler) == [Withdraw(1, 2), Send(2, job, 1, 4)]


def test_a_worker_that_becomes_ready_is_a_reason_to_look():
    scheduler, job = Scheduler(2, grace=GRACE, budget=BUDGET), known()
    scheduler.open()
    scheduler.add(job, 0, 8, 0.0)
    scheduler.worker_ready(1, 0.0)
    assert scheduler.next_timer() is None
    scheduler.worker_ready(2, 1.0)
    assert scheduler.next_timer() == 1.0 + PATIENCE


@pytest.mark.parametrize("what", ["budget 0", "nobody idle", "calls wait", "nothing waits", "terminated"])
def test_nothing_is_taken_back_without_need(what: str):
    scheduler, job = ready(2, budget=0.0 if what == "budget 0" else BUDGET), known()
    scheduler.add(job, 0, {"nothing waits": 1, "budget 0": 2}.get(what, 8), 0.0)
    peer = scheduler.peers[1]
    if what == "budget 0":
        peer.hold(job, 8, 10, 0.0)
    if what in ("budget 0", "calls wait", "terminated"):
        scheduler._idle[scheduler.peers[2]] = None
    if what == "calls wait":
        scheduler._ready.append(Run(job, 10, 11))
    if what == "terminated":
        scheduler.terminate(0.0)
    take(scheduler)
    scheduler.observed(1, 1, 0.0, 1.0)
    assert take(scheduler) == []
    assert peer.recalling is Recalling.NO


def test_a_pool_whose_workers_cannot_start_takes_nothing_back():
    """What waits fails there, and what a worker holds does not."""
    scheduler, _ = straggling(3)
    for key in (3, 4, 5, 6):
        scheduler.lost(key, 0, WorkerStartError("alike"), 0.0)
    assert scheduler.broken is not None
    take(scheduler)
    scheduler.observed(1, 1, 0.0, PATIENCE)
    assert take(scheduler) == []


# ---- the fence -------------------------------------------------------------------------------------------------------


def test_a_look_for_another_reason_does_not_decide_too_early():
    scheduler, job = straggling()
    recall(scheduler)
    assert scheduler.cancel(job, 3, PATIENCE)
    scheduler.tick(PATIENCE)
    assert take(scheduler) == [Skip(1, 4, 4), Observe(1)]
    scheduler.observed(1, 1, 0.0, PATIENCE)
    assert take(scheduler) == []
    assert scheduler.next_timer() == PATIENCE + FENCE
    scheduler.observed(1, 1, 0.0, PATIENCE + FENCE)
    assert take(scheduler) == [Withdraw(1, 2), Send(2, job, 1, 3)]


def test_a_recall_that_is_carried_out_late_is_decided_later():
    scheduler, _ = straggling()
    recall(scheduler)
    scheduler.recalled(1, 1.0)
    scheduler.tick(1.0)
    scheduler.observed(1, 1, 0.0, 1.0)
    assert take(scheduler) == [Observe(1)]
    assert scheduler.next_timer() == 1.0 + FENCE
    scheduler.observed(1, 1, 0.0, 1.0 + FENCE)
    assert take(scheduler)[0] == Withdraw(1, 2)


def test_the_fence_is_longer_than_a_store_takes_to_be_seen():
    assert FENCE >= 0.0001


def test_what_it_began_meanwhile_stays_though_its_forerunner_is_not_told():
    scheduler, job = straggling()
    recall(scheduler)
    scheduler.observed(1, 3, PATIENCE, PATIENCE + FENCE)
    assert take(scheduler) == [Withdraw(1, 4), Send(2, job, 3, 4)]
    assert scheduler.finished(1, 3, 0.001, PATIENCE + FENCE) == [(job, 0, 3)]


def test_what_it_has_answered_is_not_withdrawn_though_its_word_is_old():
    scheduler, job = straggling()
    recall(scheduler)
    scheduler.finished(1, 2, 0.001, PATIENCE)
    scheduler.observed(1, 1, 0.0, PATIENCE + FENCE)
    assert take(scheduler) == [Withdraw(1, 3), Send(2, job, 2, 4)]


# ---- until it is released --------------------------------------------------------------------------------------------


def test_a_recalled_worker_is_handed_nothing_before_it_is_released():
    scheduler, job = straggling()
    recall(scheduler)
    scheduler.finished(1, 4, 2.0**-10, PATIENCE)
    scheduler.add(job, 8, 200, PATIENCE)
    scheduler.released(1, PATIENCE)  # before anything was withdrawn: it means nothing
    assert {send.worker for send in take(scheduler) if isinstance(send, Send)} == {2}
    scheduler.observed(1, 4, 0.0, PATIENCE + FENCE)
    assert take(scheduler) == [Withdraw(1, 5)]
    waiting = scheduler._ready[0].lo
    scheduler.released(1, 0.01)
    [send] = take(scheduler)
    assert isinstance(send, Send)
    assert (send.worker, send.lo) == (1, waiting)
    assert scheduler.peers[1].recalling is Recalling.NO


def test_places_in_the_count_are_given_to_the_calls_handed_over_next():
    scheduler, job = straggling()
    recall(scheduler)
    scheduler.observed(1, 1, 0.0, PATIENCE + FENCE)
    scheduler.finished(1, 1, 0.01, 0.01)
    scheduler.released(1, 0.01)
    take(scheduler)
    other = Job(timeout=1.0)
    scheduler.add(other, 0, 1, 0.01)
    assert take(scheduler) == [Send(1, other, 0, 1)]
    scheduler.observed(1, 2, 0.01, 1.02)
    assert take(scheduler)[0] == Interrupt(1, 2, cancelled=False)
    assert job.settled == set()


def test_a_second_recall_follows_the_first_only_after_the_release():
    scheduler, _ = straggling()
    recall(scheduler)
    scheduler.observed(1, 1, 0.0, PATIENCE + FENCE)
    scheduler.observed(1, 1, 0.0, 1.0)
    scheduler.observed(1, 1, 0.0, 2.0)
    assert [type(action) for action in take(scheduler)] == [Withdraw, Send]


def test_released_by_a_worker_that_is_gone_says_nothing():
    scheduler, _ = straggling()
    scheduler.released(99, 1.0)
    scheduler.recalled(99, 1.0)
    assert take(scheduler) == []


def test_a_call_that_is_claimed_and_withdrawn_is_neither_interrupted_nor_late():
    scheduler, slow, timed = ready(2, budget=BUDGET), known(), known(timeout=1.0)
    with away(scheduler, 2):
        scheduler.add(slow, 0, 1, 0.0)
        scheduler.add(timed, 0, 2, 0.0)
    take(scheduler)
    scheduler.observed(1, 1, 0.0, PATIENCE)
    scheduler.observed(1, 1, 0.0, PATIENCE + FENCE)
    assert take(scheduler) == [Recall(1), Withdraw(1, 2), Send(2, timed, 0, 2)]
    scheduler.observed(1, 2, 0.01, 5.0)  # claimed, parked, and the socket not read yet
    assert take(scheduler) == []


@pytest.mark.parametrize("seconds", [2.0**-12, 1.0], ids=["short", "long"])
def test_what_is_on_its_way_is_not_taken_back(seconds: float):
    """Or it would be dealt to the next idle worker, be on its way there, and so on."""
    scheduler, job = straggling()
    job.seconds = seconds
    now, looks = 0.0, 0
    while True:
        timer = scheduler.next_timer()
        assert timer is not None
        now = max(now, timer)
        scheduler.tick(now)
        actions = take(scheduler)
        if Observe in map(type, actions):
            looks += 1
            scheduler.observed(1, 1, 0.0, now, 0.5)
            actions += take(scheduler)
        if Recall in map(type, actions):
            break
    assert now >= 0.5
    assert looks < 10  # it is not looked at all the time


# ---- what else happens to them ---------------------------------------------------------------------------------------


def test_a_worker_lost_after_it_claimed_what_was_withdrawn_is_not_blamed():
    scheduler, job = straggling()
    recall(scheduler)
    scheduler.observed(1, 1, 0.0, PATIENCE + FENCE)
    scheduler.finished(1, 1, 0.01, 0.01)
    take(scheduler)
    scheduler.lost(1, 2, WorkerLost(), 0.01)
    assert take(scheduler) == [Start(3)]
    assert scheduler.finished(2, 3, 0.001, 0.02) == [(job, 1, 4)]
    assert scheduler.unfinished == 0


def test_a_recalled_worker_that_dies_loses_the_call_it_was_in_and_no_other():
    scheduler, job = straggling()
    recall(scheduler)
    scheduler.lost(1, 1, WorkerLost(), PATIENCE)
    actions = take(scheduler)
    assert failures(actions) == [(0, WorkerLost, 1)]
    assert Send(2, job, 1, 4) in actions


def test_several_runs_go_back_in_their_order_and_in_front():
    scheduler, jobs = ready(2, budget=BUDGET), [known() for _ in range(3)]
    with away(scheduler, 2):
        for job in jobs:
            scheduler.add(job, 0, 3, 0.0)
    take(scheduler)
    scheduler.observed(1, 2, 0.0, PATIENCE)
    scheduler.observed(1, 2, 0.0, PATIENCE + FENCE)
    sends = [(jobs[0], 2, 3), (jobs[1], 0, 3), (jobs[2], 0, 3)]
    assert take(scheduler) == [Recall(1), Withdraw(1, 3), *(Send(2, *send) for send in sends)]


def test_a_cancelled_call_that_is_taken_back_is_gone():
    scheduler, job = straggling()
    assert scheduler.cancel(job, 2, 0.0)
    take(scheduler)
    scheduler.observed(1, 1, 0.0, PATIENCE)
    scheduler.observed(1, 1, 0.0, PATIENCE + FENCE)
    sends = [action for action in take(scheduler) if isinstance(action, Send)]
    assert sends[0] == Send(2, job, 1, 2)
    assert sum(send.hi - send.lo for send in sends) + len(scheduler._ready) == 2
    assert not job.settled
    assert not scheduler.cancel(job, 2, 1.0)


def test_a_call_keeps_its_failures_when_it_is_taken_back():
    scheduler, job = straggling()
    job.retry = Retry(1)
    job.failures[3] = 1
    recall(scheduler)
    scheduler.observed(1, 1, 0.0, PATIENCE + FENCE)
    scheduler.finished(2, 2, 0.001, 0.01)
    scheduler.failed(2, OSError(), 0.001, 0.01)
    assert failures(take(scheduler)) == [(3, OSError, 2)]


def test_a_call_that_is_interrupted_does_not_hold_up_those_behind_it():
    scheduler, job = straggling()
    assert scheduler.cancel(job, 0, 0.0)
    scheduler.observed(1, 1, 0.0, 0.0)
    assert Interrupt(1, 1, cancelled=True) in take(scheduler)
    scheduler.tick(PATIENCE)
    scheduler.observed(1, 1, 0.0, PATIENCE)
    assert take(scheduler) == [Observe(1), Recall(1)]
    scheduler.tick(PATIENCE + FENCE)
    scheduler.observed(1, 1, 0.0, PATIENCE + FENCE)
    assert take(scheduler) == [Observe(1), Withdraw(1, 2), Send(2, job, 1, 4)]
    scheduler.tick(GRACE)
    assert take(scheduler) == [Kill(1)]
    scheduler.observed(1, 1, 0.0, GRACE)
    scheduler.released(1, GRACE)
    assert take(scheduler) == []


def test_terminating_fails_what_is_taken_back():
    scheduler, _ = straggling()
    recall(scheduler)
    scheduler.terminate(PATIENCE)
    assert take(scheduler) == [Stop(1), Stop(2)]
    scheduler.observed(1, 1, 0.0, PATIENCE + FENCE)
    actions = take(scheduler)
    assert actions[0] == Withdraw(1, 2)
    assert failures(actions) == [(index, PoolClosed, 0) for index in (1, 2, 3)]


def test_a_lifetime_counts_only_what_was_not_taken_back():
    scheduler, _ = straggling(lifetime=5)
    recall(scheduler)
    assert scheduler.peers[1].left == 1
    scheduler.observed(1, 1, 0.0, PATIENCE + FENCE)
    assert scheduler.peers[1].left == 4


def test_a_chunk_stays_counted_and_its_worker_leaves_when_it_is_released():
    scheduler, job = ready(2, budget=BUDGET, lifetime=1), Job(chunk=4)
    scheduler.add(job, 0, 4, 0.0)
    take(scheduler)
    scheduler.observed(1, 0, 0.0, PATIENCE)
    scheduler.observed(1, 0, 0.0, PATIENCE + FENCE)
    assert take(scheduler) == [Recall(1), Withdraw(1, 1), Send(2, job, 0, 4)]
    scheduler.released(1, 0.01)
    assert take(scheduler) == [Retire(1), Start(3)]


def test_a_worn_worker_from_which_all_is_taken_back_is_handed_nothing_and_leaves():
    scheduler, job = ready(2, budget=BUDGET), known()
    scheduler.add(job, 0, 8, 0.0)
    scheduler.finished(2, 4, 2.0**-10, 0.0)
    take(scheduler)
    scheduler.worn(1)
    scheduler.observed(1, 0, 0.0, PATIENCE)
    scheduler.observed(1, 0, 0.0, PATIENCE + FENCE)
    assert take(scheduler) == [Recall(1), Withdraw(1, 1), Send(2, job, 0, 4)]
    scheduler.add(job, 8, 100, 0.01)
    assert {send.worker for send in take(scheduler) if isinstance(send, Send)} <= {2}
    scheduler.released(1, 0.01)
    assert take(scheduler) == [Retire(1), Start(3)]


def test_closing_lets_a_worker_leave_though_it_has_not_answered_a_withdrawal():
    scheduler, _ = straggling()
    scheduler.close()
    recall(scheduler)
    scheduler.observed(1, 1, 0.0, PATIENCE + FENCE)
    take(scheduler)
    scheduler.finished(2, 3, 0.001, 0.01)
    scheduler.finished(1, 1, 0.01, 0.01)
    assert take(scheduler) == [Retire(1), Retire(2)]
    scheduler.released(1, 0.01)
    assert take(scheduler) == []


def test_errors_of_calls_behind_are_theirs():
    scheduler, _ = straggling()
    recall(scheduler)
    scheduler.failed(1, CallCancelled(), 0.001, PATIENCE)
    assert failures(take(scheduler)) == [(0, CallCancelled, 1)]
    scheduler.observed(1, 1, 0.0, PATIENCE + FENCE)
    assert take(scheduler)[0] == Withdraw(1, 2)


def test_a_call_that_ran_out_of_time_while_recalled_is_told():
    scheduler, job = straggling()
    job.timeout = 0.001
    scheduler.observed(1, 1, 0.0, PATIENCE)
    actions = take(scheduler)
    assert actions[:2] == [Recall(1), Interrupt(1, 1, cancelled=False)]
    assert failures(actions) == [(0, CallTimeout, 1)]
