"""The scheduler's promises one by one, as stories that a reader can follow; `test_scheduler_machine` has the rest."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsewhere.call import Retry
from elsewhere.errors import CallCancelled, CallTimeout, PoolClosed, WorkerLost, WorkerStartError
from elsewhere.sansio.credits import MOST
from elsewhere.sansio.jobs import Action, Failed, Interrupt, Job, Kill, Observe, Retire, Run, Send, Skip, Start, Stop
from elsewhere.sansio.scheduler import Scheduler

GRACE = 0.25


def take(scheduler: Scheduler) -> list[Action]:
    actions = list(scheduler.actions)
    scheduler.actions.clear()
    return actions


def ready(size: int = 1, **options: float | None) -> Scheduler:
    """A scheduler whose workers, 1 to `size`, have started."""
    scheduler = Scheduler(size, grace=GRACE, **options)  # type: ignore[arg-type]  # each of its own type
    scheduler.open()
    assert take(scheduler) == [Start(key) for key in range(1, size + 1)]
    for key in range(1, size + 1):
        scheduler.worker_ready(key, 0.0)
    return scheduler


def failures(actions: list[Action]) -> list[tuple[int, type[BaseException], int]]:
    return [(a.index, type(a.error), a.attempts) for a in actions if isinstance(a, Failed)]


# ---- credit ----------------------------------------------------------------------------------------------------------


def test_the_first_deal_is_one_call_and_no_more_until_it_is_measured():
    scheduler, job = ready(2), Job()
    scheduler.add(job, 0, 100, 0.0)
    assert take(scheduler) == [Send(1, job, 0, 1), Send(2, job, 1, 2)]
    scheduler.add(job, 100, 200, 0.0)
    assert take(scheduler) == []


def test_credit_grows_with_what_was_answered_up_to_the_budget():
    scheduler, job, sent = ready(budget=2.0**-9), Job(), []
    scheduler.add(job, 0, 100, 0.0)
    for _ in range(6):
        [send] = take(scheduler)
        sent.append(send.hi - send.lo)
        scheduler.finished(1, sent[-1], sent[-1] * 2.0**-13, 0.0)  # 16 of them are the budget
    assert sent == [1, 1, 2, 4, 8, 16]


def test_a_worker_is_topped_up_when_half_of_its_budget_is_used():
    scheduler, job = ready(budget=2.0**-9), Job()
    job.seconds, job.answered = 2.0**-13, 100  # 16 of them are the budget
    scheduler.add(job, 0, 100, 0.0)
    scheduler.finished(1, 7, 7 * 2.0**-13, 0.0)
    assert take(scheduler) == [Send(1, job, 0, 16)]
    scheduler.finished(1, 1, 2.0**-13, 0.0)
    assert take(scheduler) == [Send(1, job, 16, 24)]


@given(st.floats(1e-12, 1.0), st.integers(1, 40))
def test_a_worker_never_holds_more_than_most(seconds, rounds):
    scheduler, job = ready(), Job()
    scheduler.add(job, 0, 100_000, 0.0)
    peer = scheduler.peers[1]
    for _ in range(rounds):
        run = peer.held[0]
        count = max(1, (run.hi - run.lo) // 3)
        scheduler.finished(1, count, count * seconds, 0.0)
        assert 1 <= peer.outstanding <= min(MOST, max(1, job.answered))
    sends = [action for action in take(scheduler) if isinstance(action, Send)]
    assert len(sends) <= rounds + 1, "one deal after each answer"


def test_the_fastest_calls_reach_most_and_are_topped_up_by_halves():
    scheduler, job = ready(lifetime=90_000), Job()
    scheduler.add(job, 0, 100_000, 0.0)
    peer = scheduler.peers[1]
    while peer.outstanding < MOST:
        scheduler.finished(1, peer.outstanding, 1e-9, 0.0)
    take(scheduler)
    scheduler.finished(1, MOST // 2 - 1, 1e-9, 0.0)
    assert take(scheduler) == []
    scheduler.finished(1, 1, 1e-9, 0.0)
    [send] = take(scheduler)
    assert isinstance(send, Send)
    assert send.hi - send.lo == MOST // 2
    scheduler.finished(1, MOST, 1e-9, 0.0)
    [send] = take(scheduler)
    assert isinstance(send, Send)
    assert send.hi - send.lo == MOST


def test_answers_without_a_time_do_not_make_a_slow_job_fast():
    scheduler, job = ready(2), Job()
    scheduler.add(job, 0, 100, 0.0)
    scheduler.finished(1, 1, 0.0, 0.0)  # found by looking: nobody knows how long it took
    assert job.seconds is None
    scheduler.finished(2, 1, 0.5, 0.0)
    scheduler.finished(1, 1, 0.0, 0.0)
    assert (job.seconds, job.answered) == (0.5, 3)
    assert all(peer.outstanding == 1 for peer in scheduler.peers.values())


def test_behind_a_call_of_unknown_length_nothing_waits():
    scheduler, unknown, known = ready(), Job(), Job()
    known.seconds, known.answered = 1e-9, 100
    scheduler.add(unknown, 0, 1, 0.0)
    scheduler.add(known, 0, 1, 0.0)
    assert take(scheduler) == [Send(1, unknown, 0, 1)]


def test_the_mean_follows_what_calls_take_now():
    scheduler, job = ready(), Job()
    scheduler.add(job, 0, 4, 0.0)
    scheduler.finished(1, 1, 1.0, 0.0)
    scheduler.finished(1, 1, 3.0, 0.0)
    assert job.seconds == 2.0
    scheduler.failed(1, OSError(), 4.0, 0.0)
    assert job.seconds == 3.0


def test_a_budget_of_nothing_hands_calls_over_one_by_one():
    scheduler, job = ready(budget=0.0), Job()
    scheduler.add(job, 0, 50, 0.0)
    for index in range(50):
        assert take(scheduler) == [Send(1, job, index, index + 1)]
        scheduler.finished(1, 1, 1e-9, 0.0)


def test_chunks_are_whole_and_a_second_one_goes_ahead_only_if_they_are_small():
    scheduler, job = ready(budget=2.0**-9), Job(chunk=4)
    scheduler.add(job, 0, 14, 0.0)
    assert take(scheduler) == [Send(1, job, 0, 4)]
    scheduler.finished(1, 1, 2.0**-13, 0.0)
    assert take(scheduler) == [Send(1, job, 4, 8)]
    scheduler.finished(1, 3, 3 * 2.0**-13, 0.0)
    assert take(scheduler) == [Send(1, job, 8, 12)]
    scheduler.finished(1, 1, 1.0, 0.0)  # not small any more
    scheduler.finished(1, 6, 6.0, 0.0)
    assert take(scheduler) == []
    scheduler.finished(1, 1, 1.0, 0.0)
    assert take(scheduler) == [Send(1, job, 12, 14)]


def test_a_chunk_counts_as_one_call_of_a_lifetime_and_others_are_cut_to_it():
    scheduler, chunked, plain = ready(lifetime=2), Job(chunk=5), Job()
    scheduler.add(chunked, 0, 5, 0.0)
    scheduler.finished(1, 5, 5.0, 0.0)
    plain.seconds, plain.answered = 1e-9, 100
    scheduler.add(plain, 0, 10, 0.0)
    assert take(scheduler) == [Send(1, chunked, 0, 5), Send(1, plain, 0, 1)]
    scheduler.finished(1, 1, 1e-9, 0.0)
    assert take(scheduler) == [Retire(1), Start(2)]
    scheduler.lost(1, 6, WorkerLost(), 0.0)
    assert scheduler.lost_workers == 0
    scheduler.worker_ready(2, 0.0)
    assert take(scheduler) == [Send(2, plain, 1, 3)]


def test_a_worn_worker_finishes_what_it_holds_and_is_replaced():
    scheduler, job = ready(), Job()
    job.seconds, job.answered = 1e-9, 4
    scheduler.add(job, 0, 10, 0.0)
    assert take(scheduler) == [Send(1, job, 0, 4)]
    scheduler.worn(1)
    scheduler.finished(1, 3, 3e-9, 0.0)
    assert take(scheduler) == []
    scheduler.finished(1, 1, 1e-9, 0.0)
    assert take(scheduler) == [Retire(1), Start(2)]
    scheduler.worn(1)  # it may say so again, or too late
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


def test_an_empty_add_holds_nothing_up():
    scheduler, empty, job = ready(), Job(), Job()
    scheduler.add(empty, 0, 0, 0.0)
    scheduler.add(job, 0, 1, 0.0)
    assert take(scheduler) == [Send(1, job, 0, 1)]
    assert scheduler.unfinished == 1


def test_adds_with_a_gap_between_them_are_two_runs():
    scheduler, job = ready(), Job(chunk=9)
    scheduler.peers[1].left = 0  # so that both wait
    scheduler.add(job, 0, 2, 0.0)
    scheduler.add(job, 5, 6, 0.0)
    scheduler.peers[1].left = None
    scheduler.add(Job(), 0, 1, 0.0)
    assert take(scheduler) == [Send(1, job, 0, 2)]
    scheduler.finished(1, 2, 1.0, 0.0)
    assert take(scheduler) == [Send(1, job, 5, 6)]


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


def test_a_failure_after_the_pool_broke_is_not_repeated():
    scheduler, job = ready(2), Job(retry=Retry(5))
    scheduler.add(job, 0, 2, 0.0)
    for key in (2, 3, 4, 5):
        scheduler.lost(key, key == 2, WorkerLost("the same"), 0.0)
    assert scheduler.broken is not None
    take(scheduler)
    scheduler.failed(1, OSError(), 1.0, 0.0)
    assert failures(take(scheduler)) == [(0, OSError, 1)]


# ---- deadlines -------------------------------------------------------------------------------------------------------


def test_a_late_call_is_interrupted_told_and_killed_grace_later():
    scheduler, job = ready(), Job(timeout=1.0)
    scheduler.add(job, 0, 2, 10.0)
    take(scheduler)
    assert scheduler.next_timer() == 11.0
    scheduler.tick(11.0)
    assert take(scheduler) == [Observe(1)]
    scheduler.observed(1, 1, 10.5, 11.0)
    assert take(scheduler) == []
    assert scheduler.next_timer() == 11.5
    scheduler.tick(11.5)
    assert take(scheduler) == [Observe(1)]
    scheduler.observed(1, 1, 10.5, 11.5)
    actions = take(scheduler)
    assert actions[0] == Interrupt(1, 1, cancelled=False)
    assert failures(actions) == [(0, CallTimeout, 1)]
    assert str(actions[1].error) == "the call ran longer than its timeout of 1 s"
    assert scheduler.next_timer() == 11.75
    scheduler.tick(11.7)
    assert take(scheduler) == []
    scheduler.tick(11.75)
    assert take(scheduler) == [Kill(1)]
    assert scheduler.next_timer() is None
    scheduler.lost(1, 1, WorkerLost(), 12.0)
    assert failures(take(scheduler)) == []


def test_a_late_call_to_be_repeated_is_told_nothing_until_its_worker_is_free():
    scheduler, job = ready(), Job(timeout=1.0, retry=Retry(1, on=(CallTimeout,)))
    scheduler.add(job, 0, 1, 0.0)
    for attempt in (1, 2):
        assert [type(action) for action in take(scheduler)] == [Send]
        scheduler.tick(attempt * 2.0)
        scheduler.observed(1, attempt, attempt * 2.0 - 1.0, attempt * 2.0)
        actions = take(scheduler)
        assert actions[:2] == [Observe(1), Interrupt(1, attempt, cancelled=False)]
        assert failures(actions) == ([] if attempt == 1 else [(0, CallTimeout, 2)])
        scheduler.failed(1, OSError("what it made of the interrupt"), 1.0, attempt * 2.0)
    assert take(scheduler) == []
    assert not job.settled
    assert not job.failures
    assert scheduler.next_timer() is None


def test_a_short_timeout_behind_a_long_one_is_kept():
    scheduler, long, short = ready(), Job(timeout=64.0), Job(timeout=1.0)
    long.seconds = short.seconds = 1e-6
    long.answered = short.answered = 100
    scheduler.add(long, 0, 1, 0.0)
    scheduler.add(short, 0, 1, 0.0)
    assert [type(action) for action in take(scheduler)] == [Send, Send]
    now = 0.0
    while now < 8.0:  # the long one runs from 0 to 4.5, the short one from then on
        at = scheduler.next_timer()
        assert at is not None
        now = at
        scheduler.tick(now)
        assert take(scheduler) == [Observe(1)]
        if now > 4.5 and scheduler.peers[1].done == 0:
            scheduler.finished(1, 1, 4.5, 4.5)
        scheduler.observed(1, 1 if now < 4.5 else 2, 0.0 if now < 4.5 else 4.5, now)
        if scheduler.actions:
            break
    assert now == 5.5
    assert take(scheduler)[0] == Interrupt(1, 2, cancelled=False)


def test_the_call_that_is_interrupted_is_the_one_that_runs_though_its_forerunner_is_not_told():
    scheduler, job = ready(), Job(chunk=2)
    scheduler.add(job, 0, 2, 0.0)
    assert scheduler.cancel(job, 0, 1.0)
    take(scheduler)
    scheduler.tick(1.0)
    scheduler.observed(1, 2, 1.0, 1.0)  # call 0 was answered between the look at the page and the look at the words
    assert take(scheduler) == [Observe(1)]
    assert scheduler.finished(1, 2, 1.0, 1.0) == [(None, 0, 1), (job, 1, 2)]


def test_the_call_that_runs_is_found_behind_other_runs():
    scheduler, first, second = ready(), Job(chunk=2), Job(timeout=1.0)
    for job in (first, second):
        job.seconds, job.answered = 1e-9, 10
    scheduler.add(first, 0, 2, 0.0)
    scheduler.add(second, 0, 2, 0.0)
    take(scheduler)
    scheduler.observed(1, 3, 1.0, 2.0)  # both of the first are answered, and neither is told
    assert failures(take(scheduler)[1:]) == [(0, CallTimeout, 1)]
    assert second.settled == {0}


# ---- cancelling ------------------------------------------------------------------------------------------------------


def test_a_running_call_that_is_cancelled_is_interrupted_and_its_answer_thrown_away():
    scheduler, job = ready(), Job()
    scheduler.add(job, 0, 1, 0.0)
    take(scheduler)
    assert scheduler.cancel(job, 0, 1.0)
    assert not scheduler.cancel(job, 0, 1.0)
    assert scheduler.unfinished == 0
    assert take(scheduler) == [Skip(1, 1, 1)]
    scheduler.tick(1.0)
    scheduler.observed(1, 1, 0.5, 1.0)
    assert take(scheduler) == [Observe(1), Interrupt(1, 1, cancelled=True)]
    assert scheduler.next_timer() == 1.0 + GRACE
    scheduler.failed(1, CallCancelled(), 0.5, 1.1)
    assert take(scheduler) == []
    assert scheduler.next_timer() is None
    assert not job.settled


def test_values_that_nobody_wants_are_marked_in_the_middle_of_an_answer():
    scheduler, job = ready(), Job(chunk=5)
    scheduler.add(job, 0, 5, 0.0)
    scheduler.cancel(job, 1, 0.0)
    scheduler.cancel(job, 4, 0.0)
    assert scheduler.finished(1, 5, 1.0, 0.0) == [(job, 0, 1), (None, 1, 2), (job, 2, 4), (None, 4, 5)]
    assert not job.settled
    assert scheduler.unfinished == 0


def test_a_cancelled_call_that_began_in_the_moment_it_was_to_be_skipped_is_found():
    scheduler, job = ready(), Job()
    scheduler.add(job, 0, 1, 0.0)
    assert scheduler.cancel(job, 0, 1.0)
    take(scheduler)
    scheduler.tick(1.0)
    scheduler.observed(1, 0, 0.0, 1.0)  # not begun yet, but past the place where it looks for skips
    at = scheduler.next_timer()
    assert at == 1.0 + GRACE
    scheduler.tick(at)
    scheduler.observed(1, 1, 1.0, at)
    assert take(scheduler) == [Observe(1), Observe(1), Interrupt(1, 1, cancelled=True)]


def test_dropping_a_job_leaves_the_others_alone():
    scheduler, job, other = ready(), Job(retry=Retry(3, backoff=9.0), chunk=2), Job()
    scheduler.add(job, 0, 10, 0.0)
    scheduler.failed(1, OSError(), 1.0, 0.0)
    scheduler.add(other, 0, 3, 0.0)
    take(scheduler)
    assert scheduler.drop(job, 1.0) == 10
    assert scheduler.unfinished == 3
    assert take(scheduler) == [Skip(1, 2, 2)]
    assert scheduler.drop(job, 1.0) == 0
    assert scheduler.finished(1, 1, 1.0, 1.0) == [(None, 1, 2)]
    assert take(scheduler) == [Send(1, other, 0, 1)]
    assert not job.failures


def test_a_call_that_waits_for_its_repeat_can_be_cancelled():
    scheduler, job = ready(), Job(retry=Retry(3, backoff=9.0), chunk=2)
    scheduler.add(job, 0, 2, 0.0)
    scheduler.failed(1, OSError(), 1.0, 0.0)
    scheduler.failed(1, OSError(), 1.0, 0.5)
    take(scheduler)
    assert scheduler.cancel(job, 0, 1.0)
    assert not scheduler.cancel(job, 0, 1.0)
    assert scheduler.next_timer() == 9.5
    assert job.failures == {1: 1}
    scheduler.tick(20.0)
    assert take(scheduler) == [Send(1, job, 1, 2)]


def test_cancelling_a_call_that_is_interrupted_already_does_it_once():
    scheduler, job = ready(), Job(timeout=1.0, retry=Retry(3))
    scheduler.add(job, 0, 1, 0.0)
    scheduler.tick(1.0)
    scheduler.observed(1, 1, 0.0, 1.0)
    assert Interrupt(1, 1, cancelled=False) in take(scheduler)
    scheduler.cancel(job, 0, 1.1)
    scheduler.tick(1.1)
    scheduler.observed(1, 1, 0.0, 1.1)
    assert take(scheduler) == [Skip(1, 1, 1), Observe(1)]
    assert scheduler.next_timer() == 1.0 + GRACE


def test_a_timed_out_call_whose_worker_dies_is_too_late_and_not_lost():
    scheduler, job = ready(), Job(timeout=1.0, retry=Retry(1, on=(CallTimeout,)))
    scheduler.add(job, 0, 1, 0.0)
    scheduler.tick(1.0)
    scheduler.observed(1, 1, 0.0, 1.0)
    take(scheduler)
    scheduler.lost(1, 1, WorkerLost(), 1.5)
    assert take(scheduler) == [Start(2)]  # and no Failed: it is to run again
    scheduler.worker_ready(2, 1.6)
    assert take(scheduler) == [Send(2, job, 0, 1)]


def test_what_a_lost_worker_held_goes_to_an_idle_one_at_once():
    scheduler, job = ready(2), Job(chunk=3)
    scheduler.add(job, 0, 3, 0.0)
    take(scheduler)
    scheduler.lost(1, 0, WorkerLost(), 0.0)
    assert take(scheduler) == [Start(3), Send(2, job, 0, 3)]


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
