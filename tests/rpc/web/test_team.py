"""Threads beside a loop: as many as are allowed, as few as are needed, and none after the end."""

from __future__ import annotations

import threading

import pytest

from elsewhere.rpc.serving.loop import team as module
from elsewhere.rpc.serving.loop.team import Team
from tests.contract.work import PATIENCE, until


class Holds:
    """Work that lasts until it is let go."""

    def __init__(self) -> None:
        self.came, self.go, self.ended = threading.Semaphore(0), threading.Event(), threading.Semaphore(0)
        self.threads: list[threading.Thread] = []

    def __call__(self) -> None:
        self.threads.append(threading.current_thread())
        self.came.release()
        self.go.wait(PATIENCE)
        self.ended.release()

    def wait_for(self, count: int) -> None:
        for _ in range(count):
            assert self.came.acquire(timeout=PATIENCE)


@pytest.fixture
def team():
    team = Team(3, "tested")
    yield team
    team.end()


@pytest.fixture
def holds():
    holds = Holds()
    yield holds
    holds.go.set()


def test_one_thread_does_what_comes_one_by_one(team):
    found = []
    for n in range(50):
        done = threading.Event()
        team.submit(lambda: (found.append((n, threading.current_thread().name)), done.set()))  # noqa: B023 - waited for
        assert done.wait(PATIENCE)
        until(lambda: team._idle == 1)
    assert found == [(n, "tested-1") for n in range(50)]


def test_no_more_threads_than_are_allowed(team, holds):
    for _ in range(7):
        team.submit(holds)
    holds.wait_for(3)
    assert len(team._threads) == 3
    assert not holds.came.acquire(timeout=0.05)
    holds.go.set()
    holds.wait_for(4)
    assert len(set(holds.threads)) == 3


def test_each_piece_of_work_is_done_once(team):
    found = []
    threads = [
        threading.Thread(target=lambda n=n: [team.submit(lambda i=i: found.append((n, i))) for i in range(500)])
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: len(found) >= 2000)
    assert sorted(found) == [(n, i) for n in range(4) for i in range(500)]


def test_who_is_abandoned_counts_no_longer(team, holds):
    jobs = [team.submit(holds) for _ in range(3)]
    holds.wait_for(3)
    more = Holds()
    team.submit(more)
    assert not more.came.acquire(timeout=0.05)
    jobs[0].abandon()
    jobs[0].abandon()
    more.wait_for(1)  # in the place of the one
    team.submit(more)
    assert not more.came.acquire(timeout=0.05)
    holds.go.set()
    more.wait_for(1)
    more.go.set()
    until(lambda: team._idle == len(team._threads) <= 3)


def test_what_is_abandoned_in_the_queue_is_not_begun(team, holds):
    for _ in range(3):
        team.submit(holds)
    holds.wait_for(3)
    found = []
    waiting = team.submit(lambda: found.append("abandoned"))
    team.submit(lambda: found.append("wanted"))
    waiting.abandon()
    holds.go.set()
    until(lambda: found)
    assert found == ["wanted"]
    assert team._lost == 0


def test_threads_without_work_leave(monkeypatch, holds):
    monkeypatch.setattr(module, "STAY", 0.05)
    team = Team(3, "tested")
    for _ in range(3):
        team.submit(holds)
    holds.wait_for(3)
    holds.go.set()
    until(lambda: not team._threads)
    again = threading.Event()
    team.submit(again.set)
    assert again.wait(PATIENCE)
    team.end()
    assert not team._threads


def test_after_the_end_nothing_is_begun(holds):
    team = Team(1, "tested")
    team.submit(holds)
    holds.wait_for(1)
    found = []
    team.submit(lambda: found.append("too late"))
    team.end()
    with pytest.raises(RuntimeError, match="has ended"):
        team.submit(print)
    holds.go.set()
    until(lambda: not team._threads)
    assert found == []


def test_a_bug_in_the_work_is_logged_and_the_thread_goes_on(team, caplog):
    team.submit(lambda: 1 / 0)
    done = threading.Event()
    team.submit(done.set)
    assert done.wait(PATIENCE)
    until(lambda: "a bug in elsewhere" in caplog.text)
