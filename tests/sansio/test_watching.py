"""Who is looked at because others have nothing to do, and who is not: each look is a step of the driver."""

from __future__ import annotations

import pytest

from elsewhere.sansio.scheduling.jobs import Job, Observe, Recall, Retire, Send, Start, Withdraw
from elsewhere.sansio.scheduling.scheduler import FENCE, PATIENCE
from tests.sansio.stories import known, ready, take

BUDGET = 2.0**-6  # seconds; the calls of `known` jobs take 2**-12


@pytest.mark.parametrize(("held", "at"), [(1, None), (2, PATIENCE), (3, PATIENCE)])
def test_one_that_holds_a_call_behind_its_present_one_is_looked_at(held: int, at: float | None):
    scheduler, job = ready(2, budget=BUDGET), known()
    scheduler.add(job, 0, 2 * held, 0.0)
    scheduler.finished(2, held, 2.0**-12 * held, 0.0)
    assert scheduler.peers[1].outstanding == held
    assert scheduler.next_timer() == at


def test_a_call_that_runs_is_not_younger_because_others_were_handed_over_behind_it():
    scheduler, job = ready(2, budget=BUDGET), known()
    scheduler.add(job, 0, 8, 0.0)
    scheduler.add(job, 8, 16, PATIENCE / 2)
    other, busy = sorted(scheduler.peers.values(), key=lambda peer: peer.fed)
    scheduler.finished(other.key, other.outstanding, 2.0**-10, PATIENCE / 2)
    take(scheduler)
    assert busy.fed == PATIENCE / 2
    scheduler.observed(busy.key, 1, 0.0, PATIENCE)
    assert take(scheduler) == [Recall(busy.key)]


def test_all_that_hold_more_than_one_call_are_looked_at():
    scheduler, job = ready(3, budget=BUDGET), known()
    scheduler.add(job, 0, 12, 0.0)
    scheduler.finished(3, 4, 2.0**-10, 0.0)
    take(scheduler)
    scheduler.tick(PATIENCE)
    assert take(scheduler) == [Observe(1), Observe(2)]


def test_without_a_budget_nobody_is_looked_at():
    scheduler, job = ready(2, budget=0.0), Job(chunk=4)
    scheduler.add(job, 0, 4, 0.0)
    assert take(scheduler) == [Send(1, job, 0, 4)]
    assert scheduler.next_timer() is None


def test_one_from_which_calls_are_taken_back_already_is_not_looked_at_for_another():
    scheduler, job = ready(2, budget=BUDGET), known()
    scheduler.add(job, 0, 8, 0.0)
    scheduler.finished(2, 4, 2.0**-10, 0.0)
    scheduler.tick(PATIENCE)
    scheduler.observed(1, 3, 0.0, PATIENCE)
    scheduler.tick(PATIENCE + FENCE)
    scheduler.observed(1, 3, 0.0, PATIENCE + FENCE)
    assert take(scheduler)[-2:] == [Withdraw(1, 4), Send(2, job, 3, 4)]
    scheduler.finished(2, 1, 2.0**-12, 0.01)
    assert scheduler.peers[1].outstanding == 3
    assert scheduler.next_timer() is None


def test_while_calls_wait_nobody_is_looked_at_for_one_that_may_not_have_them():
    scheduler, job = ready(2, budget=BUDGET), known()
    scheduler.add(job, 0, 8, 0.0)
    scheduler.finished(2, 4, 2.0**-10, 0.0)
    scheduler.observed(1, 1, 0.0, PATIENCE)
    scheduler.finished(1, 4, 2.0**-10, PATIENCE)  # recalled, and has nothing to do
    scheduler.add(job, 8, 200, PATIENCE)
    assert scheduler.peers[2].outstanding > 1
    assert scheduler._ready
    assert scheduler.peers[2].check_at is None


def test_nobody_is_looked_at_for_one_that_leaves():
    scheduler, job = ready(2, budget=BUDGET), known()
    scheduler.add(job, 0, 8, 0.0)
    scheduler.worn(2)
    take(scheduler)
    scheduler.finished(2, 4, 2.0**-10, 0.0)
    assert take(scheduler) == [Retire(2), Start(3)]
    assert scheduler.next_timer() is None
    scheduler.worker_ready(3, 1.0)
    assert scheduler.next_timer() == 1.0 + PATIENCE


def test_one_at_which_was_looked_while_nobody_was_idle_is_looked_at_again():
    scheduler, job, other = ready(2, budget=BUDGET), known(), Job()
    scheduler.add(job, 0, 8, 0.0)
    scheduler.finished(2, 4, 2.0**-10, 0.0)
    scheduler.add(other, 0, 1, 0.0)
    take(scheduler)
    scheduler.tick(PATIENCE)
    assert take(scheduler) == [Observe(1)]
    scheduler.observed(1, 1, 0.0, PATIENCE)
    assert scheduler.next_timer() is None
    scheduler.finished(2, 1, 1.0, 1.0)
    assert scheduler.next_timer() == 1.0 + PATIENCE


def test_one_that_was_looked_at_is_not_looked_at_again_before_somebody_has_nothing_to_do():
    scheduler, job = ready(2, budget=BUDGET), known()
    scheduler.add(job, 0, 8, 0.0)
    scheduler.finished(2, 4, 2.0**-10, 0.0)
    take(scheduler)
    scheduler.tick(PATIENCE)
    scheduler.observed(1, 4, PATIENCE, PATIENCE)  # it is in the last, the others' answers are on their way
    assert take(scheduler) == [Observe(1)]
    assert scheduler.next_timer() is None
