"""Workers that nobody can look into: the call they are taken to be in is a guess, which may be wrong."""

from __future__ import annotations

from elsewhere.errors import WorkerLost
from elsewhere.sansio.scheduling.jobs import Failed, Interrupt, Job, Kill, Send, Withdraw
from elsewhere.sansio.scheduling.scheduler import FENCE, PATIENCE, Scheduler
from tests.sansio.stories import GRACE, known, ready, take

BUDGET = 2.0**-6  # seconds; the calls of `known` jobs take 2**-12


def interrupted_and_withdrawn(*, late: bool = False) -> Scheduler:
    """Worker 1 was interrupted in a call that it had not begun, and that is then taken back from it."""
    scheduler, job = ready(2, budget=BUDGET), known(1.0)
    scheduler.add(job, 0, 8, 0.0)
    scheduler.finished(2, 4, 2.0**-10, 0.0)
    now = 1.0 if late else PATIENCE
    if not late:
        scheduler.cancel(job, 0, 0.0)
    scheduler.observed(1, 1, 0.0, now)
    assert Interrupt(1, 1, cancelled=not late) in take(scheduler)
    scheduler.observed(1, 0, 0.0, now + FENCE)
    assert Withdraw(1, 1) in take(scheduler)
    scheduler.released(1, now + FENCE)
    return scheduler


def test_a_worker_is_not_killed_for_a_call_that_was_taken_back():
    scheduler = interrupted_and_withdrawn()
    scheduler.tick(PATIENCE + 2 * GRACE)
    assert not [action for action in take(scheduler) if isinstance(action, Kill)]


def test_the_call_that_gets_the_place_of_an_interrupted_one_is_not_late():
    scheduler, job = interrupted_and_withdrawn(late=True), Job()
    scheduler.add(job, 0, 1, 1.25)
    assert take(scheduler)[-1] == Send(1, job, 0, 1)
    error = WorkerLost("it died")
    scheduler.lost(1, 1, error, 2.0)
    assert [action.error for action in take(scheduler) if isinstance(action, Failed)] == [error]


def test_a_worker_that_is_to_end_is_killed_though_its_interrupt_is_forgotten():
    scheduler, job = ready(2, budget=BUDGET), known()
    scheduler.add(job, 0, 8, 0.0)
    scheduler.finished(2, 4, 2.0**-10, 0.0)
    scheduler.cancel(job, 0, 0.0)
    scheduler.observed(1, 1, 0.0, 0.0)
    scheduler.observed(1, 1, 0.0, PATIENCE)
    scheduler.terminate(PATIENCE)
    scheduler.observed(1, 0, 0.0, PATIENCE + FENCE)
    take(scheduler)
    scheduler.tick(PATIENCE + GRACE)
    assert sorted(action.worker for action in take(scheduler) if isinstance(action, Kill)) == [1, 2]
