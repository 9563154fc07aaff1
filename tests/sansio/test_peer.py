"""What is known of one worker: what it holds, and what is left of its lifetime."""

from __future__ import annotations

import pytest

from elsewhere.sansio.scheduling.jobs import Job
from elsewhere.sansio.scheduling.peer import Peer


@pytest.mark.parametrize(
    ("first", "back"),
    [
        (9, []),
        (8, [(1, 4, 5)]),
        (5, [(1, 1, 5)]),
        (4, [(1, 0, 5)]),
        (3, [(0, 2, 3), (1, 0, 5)]),
        (1, [(0, 0, 3), (1, 0, 5)]),
    ],
)
def test_a_record_gives_up_the_end_of_what_it_holds(first: int, back: list[tuple[int, int, int]]):
    peer, jobs = Peer(1, 8), [Job(), Job()]
    peer.hold(jobs[0], 0, 3, 0.0)
    peer.hold(jobs[1], 0, 5, 0.0)
    assert peer.left == 0
    assert [(jobs.index(run.job), run.lo, run.hi) for run in peer.withdraw(first)] == back
    assert peer.outstanding == sum(run.hi - run.lo for run in peer.held) == first - 1
    assert peer.left == 9 - first


def test_calls_that_are_taken_away_are_given_back_to_a_lifetime_and_chunks_are_not():
    peer = Peer(1, 8)
    peer.hold(Job(), 0, 3, 0.0)
    peer.hold(Job(chunk=5), 0, 5, 0.0)
    assert peer.left == 4
    peer.withdraw(2)
    assert peer.left == 6


@pytest.mark.parametrize("left", [None, 8])
def test_a_worn_worker_has_nothing_left_whatever_is_taken_away(left: int | None):
    peer = Peer(1, left)
    peer.hold(Job(), 0, 5, 0.0)
    peer.left, peer.worn = 0, True
    [run] = peer.withdraw(3)
    assert (run.lo, run.hi, peer.left, peer.outstanding) == (2, 5, 0, 2)
