"""How many calls a worker is handed, and to whom the first go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsewhere.call import Retry
from elsewhere.errors import WorkerLost
from elsewhere.sansio.scheduling.credits import AHEAD, BUDGET, GROWTH, MOST, PAST, ahead, measure, room
from elsewhere.sansio.scheduling.jobs import Job, Retire, Send, Start
from elsewhere.sansio.scheduling.peer import Peer
from elsewhere.sansio.scheduling.scheduler import Scheduler
from tests.sansio.stories import all_at_once, away, known, ready, take


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
    assert sent == [1, 4, 16, 16, 16, 16]


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
        assert 1 <= peer.outstanding <= min(MOST, max(1, GROWTH * job.answered))
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


def test_a_bell_tells_what_each_of_its_calls_took_and_a_failure_counts_as_a_call():
    scheduler, job = ready(), Job(chunk=2)
    scheduler.add(job, 0, 4, 0.0)
    scheduler.finished(1, 2, 2.0, 0.0)
    assert job.seconds == 1.0
    scheduler.finished(1, 1, 3.0, 0.0)  # by then the first two stand for one
    assert job.seconds == 2.0
    scheduler.failed(1, OSError(), 4.0, 0.0)
    assert (job.seconds, job.answered) == (3.0, 4)


def test_a_bell_for_calls_of_two_jobs_tells_the_same_of_both():
    scheduler, jobs = ready(), [Job(), Job()]
    for job in jobs:
        job.seconds, job.answered = 2.0**-12, 100  # a mean of no sample: what is measured next replaces it
        scheduler.add(job, 0, 2, 0.0)
    scheduler.finished(1, 3, 1.5, 0.0)
    assert [(job.seconds, job.answered) for job in jobs] == [(0.5, 102), (0.5, 101)]


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


@pytest.mark.parametrize(
    ("seconds", "calls"),
    [(None, 2), (1.0, 2), (BUDGET / 8, 10), (BUDGET / 500, 502), (BUDGET / 511, AHEAD), (0.0, AHEAD)],
)
def test_who_reads_inputs_ahead_reads_what_a_worker_may_hold(seconds: float | None, calls: int):
    job = Job()
    job.seconds = seconds
    assert ahead(job) == calls


def test_there_is_room_for_what_is_left_of_a_lifetime_and_no_more():
    job = known()
    assert room(Peer(1, 3), job, 1.0) == 3
    assert room(Peer(1, 0), job, 1.0) == 0
    assert room(Peer(1, 0), Job(), 1.0) == 0
    assert room(Peer(1, 0), Job(chunk=4), 1.0) == 0
    assert room(Peer(1, 1), Job(chunk=4), 1.0) == 4


def test_measuring_counts_answers_though_nobody_knows_how_long_they_took():
    job = Job()
    measure(job, 3, 0.0)
    assert (job.seconds, job.answered) == (None, 3)
    measure(job, 2, 1.0)
    measure(job, 3, 0.0)
    measure(job, 1, 2.0)
    assert (job.seconds, job.answered) == (1.5, 9)


# ---- the mean --------------------------------------------------------------------------------------------------------

SECONDS = st.floats(1e-9, 1e3)


def measured(*bells: tuple[int, float]) -> Job:
    job = Job()
    for count, seconds in bells:
        measure(job, count, seconds)
    return job


@given(SECONDS, st.integers(1, MOST))
def test_the_first_bell_is_believed(seconds: float, count: int):
    assert measured((count, seconds)).seconds == pytest.approx(seconds)


@given(st.lists(st.tuples(st.integers(1, MOST), SECONDS), min_size=1, max_size=30))
def test_a_mean_lies_between_what_was_measured(bells: list[tuple[int, float]]):
    mean = measured(*bells).seconds
    assert mean is not None
    least, most = min(each for _, each in bells), max(each for _, each in bells)
    assert least * 0.999 <= mean <= most * 1.001


@pytest.mark.parametrize("count", [1, 15, 16, 17, MOST])
def test_a_bell_weighs_as_many_calls_as_it_tells_of_and_the_past_as_sixteen(count: int):
    job = measured((1000, 1.0), (count, 2.0))
    assert job.seconds == pytest.approx((PAST * 1.0 + count * 2.0) / (PAST + count))


def test_a_short_past_weighs_less_at_each_bell():
    assert measured((8, 1.0), (4, 3.0)).seconds == 2.0
    assert measured((8, 1.0), (4, 1.0), (4, 3.0)).seconds == 2.0
    assert measured((8, 1.0), (4, 1.0), (4, 1.0), (8, 3.0)).seconds == pytest.approx((4 * 1.0 + 8 * 3.0) / 12)


def test_the_call_a_worker_wakes_up_for_does_not_distort_the_mean():
    """It costs ten times as much as each of the many behind it, and comes alone, once for every bell of theirs."""
    job = Job()
    for _ in range(20):
        measure(job, 1, 1e-4)
        after_one = job.seconds
        measure(job, 100, 1e-5)
        assert job.seconds is not None
        assert job.seconds < 1.2e-5
    assert after_one is not None
    assert after_one < 2e-5


@pytest.mark.parametrize(("old", "new"), [(1e-5, 1.0), (1.0, 1e-5)])
def test_a_change_is_not_taken_from_one_call_and_is_from_five(old: float, new: float):
    job = measured(*[(500, old)] * 20)
    seen = []
    for _ in range(12):
        measure(job, 1, new)
        assert job.seconds is not None
        seen.append((job.seconds - old) / (new - old))
    assert seen == sorted(seen)
    assert seen[0] < 0.1
    assert seen[4] > 0.5
    assert seen[11] > 0.99


def test_a_change_that_many_calls_show_is_seen_at_once():
    job = measured(*[(500, 1e-5)] * 20, (100, 1.0))
    assert job.seconds is not None
    assert job.seconds > 0.8


# ---- how many --------------------------------------------------------------------------------------------------------


def test_a_budget_is_what_was_known_when_calls_were_handed_over():
    """What is learnt afterwards may show that it was too much: that is no reason to complain."""
    scheduler, chunked, plain = ready(budget=2.0**-9), Job(chunk=1), known()
    scheduler.add(chunked, 0, 2, 0.0)
    scheduler.add(plain, 0, 30, 0.0)
    assert take(scheduler) == [Send(1, chunked, 0, 1)]
    scheduler.finished(1, 1, 2.0**-13, 0.0)  # cheap: the second goes ahead, and others with it
    decided = list(scheduler.actions)
    assert decided == [Send(1, chunked, 1, 2), Send(1, plain, 0, 8)]
    scheduler.failed(1, OSError(), 4.0, 0.0)  # told before anything was carried out
    assert take(scheduler)[:2] == decided


# ---- to whom ---------------------------------------------------------------------------------------------------------


def test_a_run_is_shared_out_between_the_idle():
    scheduler, job = ready(3, budget=1.0), known()
    scheduler.add(job, 0, 8, 0.0)
    assert take(scheduler) == [Send(1, job, 0, 3), Send(2, job, 3, 6), Send(3, job, 6, 8)]


def test_a_few_runs_are_shared_out_too():
    scheduler, long, short = Scheduler(3, budget=1.0), known(), known()
    scheduler.open()
    scheduler.add(long, 0, 5, 0.0)
    scheduler.add(short, 0, 1, 0.0)
    take(scheduler)
    all_at_once(scheduler)
    scheduler.tick(0.0)
    sends = take(scheduler)
    assert sends == [Send(1, long, 0, 2), Send(2, long, 2, 5), Send(3, short, 0, 1)]


def test_a_share_is_one_of_all_that_waits_and_not_of_the_first_run():
    scheduler, short, long = Scheduler(3, budget=1.0), known(), known()
    scheduler.open()
    scheduler.add(short, 0, 2, 0.0)
    scheduler.add(long, 0, 9, 0.0)
    take(scheduler)
    all_at_once(scheduler)
    scheduler.tick(0.0)
    assert take(scheduler) == [Send(1, short, 0, 2), Send(2, long, 0, 5), Send(3, long, 5, 9)]


def test_each_idle_worker_gets_a_chunk_before_one_gets_two():
    scheduler, job = ready(2, budget=1.0), Job(chunk=3)
    job.seconds = 2.0**-12
    scheduler.add(job, 0, 6, 0.0)
    assert take(scheduler) == [Send(1, job, 0, 3), Send(2, job, 3, 6)]


def test_a_retry_goes_to_an_idle_worker_though_this_one_has_room():
    scheduler, job = ready(2, budget=1.0), known()
    job.retry = Retry(1)
    scheduler.add(job, 0, 4, 0.0)
    scheduler.finished(2, 2, 0.001, 0.0)
    take(scheduler)
    scheduler.failed(1, OSError(), 0.001, 0.0)
    assert take(scheduler) == [Send(2, job, 0, 1)]


def test_an_empty_add_holds_nothing_up():
    scheduler, empty, job = ready(), Job(), Job()
    scheduler.add(empty, 0, 0, 0.0)
    scheduler.add(job, 0, 1, 0.0)
    assert take(scheduler) == [Send(1, job, 0, 1)]
    assert scheduler.unfinished == 1


def test_adds_with_a_gap_between_them_are_two_runs():
    scheduler, job = ready(), Job(chunk=9)
    with away(scheduler, 1):  # so that both wait
        scheduler.add(job, 0, 2, 0.0)
        scheduler.add(job, 5, 6, 0.0)
    scheduler.tick(0.0)
    assert take(scheduler) == [Send(1, job, 0, 2)]
    scheduler.finished(1, 2, 1.0, 0.0)
    assert take(scheduler) == [Send(1, job, 5, 6)]


def test_answers_that_come_in_heaps_let_a_worker_hold_more():
    scheduler, job = ready(budget=2.0**-9), Job()
    job.seconds, job.answered, job.heap = 2.0**-13, 1000, 4
    scheduler.add(job, 0, 1000, 0.0)
    assert take(scheduler) == [Send(1, job, 0, 64)]  # 16 of them are the budget
    assert ahead(job) >= 4 * (ahead(Job()) - 1)


def test_the_last_of_a_whole_job_are_dealt_in_ever_smaller_parts():
    scheduler, job = ready(2, budget=2.0**-9), Job()
    job.seconds, job.answered, job.heap, job.whole = 2.0**-13, 1000, 8, True
    scheduler.add(job, 0, 60, 0.0)
    assert take(scheduler) == [Send(1, job, 0, 30), Send(2, job, 30, 45)]
    scheduler.finished(1, 30, 30 * job.seconds, 0.0)
    assert take(scheduler) == [Send(1, job, 45, 53)]
    scheduler.finished(2, 6, 6 * job.seconds, 0.0)
    assert take(scheduler) == []  # it has more than half of the budget that calls have which come alone
    scheduler.finished(2, 9, 9 * job.seconds, 0.0)
    assert take(scheduler) == [Send(2, job, 53, 57)]  # a quarter of that budget at least
    scheduler.finished(2, 4, 4 * job.seconds, 0.0)
    assert take(scheduler) == [Send(2, job, 57, 60)]
