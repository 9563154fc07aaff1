"""Calls that are late or that nobody wants any more, while a worker holds them."""

from __future__ import annotations

import pytest

from elsewhere.call import Retry
from elsewhere.errors import CallCancelled, CallTimeout, WorkerLost
from elsewhere.sansio.scheduling.jobs import Interrupt, Job, Kill, Observe, Send, Skip, Start
from tests.sansio.stories import GRACE, failures, ready, take

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


@pytest.mark.parametrize("lengths", [(9, 3), (1, 1, 1, 1)])
def test_a_call_is_found_in_whichever_run_it_is(lengths: tuple[int, ...]):
    """Runs of other lengths begin before and behind it, on other workers."""
    size, at = len(lengths), 0
    scheduler, job = ready(size), Job()
    for key, length in enumerate(lengths, 1):
        scheduler.peers[key].hold(job, at, at + length, 0.0)
        at += length + 1  # one is over between two of them
    scheduler.unfinished = sum(lengths)
    at = 0
    for key, length in enumerate(lengths, 1):
        assert not scheduler.cancel(job, at + length, 0.0)
        for index in range(at, at + length):
            assert scheduler.cancel(job, index, 0.0)
            assert [(action.worker, action.first) for action in take(scheduler) if isinstance(action, Skip)] == [
                (key, index - at + 1)
            ]
        at += length + 1


def test_a_call_is_found_though_a_run_that_was_longer_begins_near_it():
    scheduler, job = ready(2), Job()
    scheduler.peers[1].hold(job, 0, 9, 0.0)
    scheduler.peers[1].answered(5)
    scheduler.peers[2].hold(job, 10, 12, 0.0)
    scheduler.unfinished = 6
    assert scheduler.cancel(job, 11, 0.0)
    assert take(scheduler) == [Skip(2, 2, 2)]
