"""A worker dies: the call it was in fails and says so, and nothing else is lost."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import threading

import pytest

from elsewhere import Pool, Retry, WorkerLost
from tests.faults.faults import (
    AbortAt,
    CrashAtUnpickle,
    ExitAt,
    ExitAtUnpickle,
    ExitZeroAt,
    KillAfterDescriptorAt,
    KillAt,
    KillMidMessageAt,
    KillMidReplyAt,
    KillWhileThreadsRunAt,
    PauseAtUnpickle,
    SegfaultAt,
    TerminateAt,
    block_until,
    pid,
    reply_large,
    result_that_crashes_at_pickle,
    same,
    say,
    wait_for_ever,
)
from tests.faults.helpers import WAYS, Ends, by_imap_unordered, by_map, by_submit, errors_in, server_pid, until, workers

MANY, FATAL = 5_000, 2_500
DEATHS = [KillAt, SegfaultAt, AbortAt, TerminateAt, ExitAt, ExitZeroAt, KillWhileThreadsRunAt]


def check_lost(error, fault, name):
    assert type(error) is WorkerLost
    assert error.exitcode == fault.exitcode
    assert error.signal == fault.signal
    assert error.pid not in {None, 0, os.getpid()}
    assert name in error.call
    assert name in str(error)
    assert str(error.pid) in str(error)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fault", DEATHS)
def test_only_the_call_that_ended_its_worker_is_lost(pool, fault, way):
    outcomes = way(pool, fault(7), range(20))
    (error,) = errors_in(outcomes)
    check_lost(error, fault, fault.__name__)
    outcomes.remove(error)
    assert sorted(outcomes) == [value for value in range(20) if value != 7]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fault", [CrashAtUnpickle, ExitAtUnpickle])
def test_only_the_call_whose_argument_ended_its_worker_is_lost(pool, fault, way):
    outcomes = way(pool, same, [*range(10), fault(), *range(11, 20)])
    (error,) = errors_in(outcomes)
    check_lost(error, fault, "same")
    outcomes.remove(error)
    assert sorted(outcomes) == [value for value in range(20) if value != 10]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fault", [KillMidReplyAt, KillAfterDescriptorAt, KillMidMessageAt])
def test_a_worker_that_dies_in_the_middle_of_a_large_reply(pool, way, fault):
    outcomes = way(pool, fault(3), range(6))
    (error,) = errors_in(outcomes)
    check_lost(error, fault, fault.__name__)
    assert sorted(value for value in outcomes if value is not error) == [0, 1, 2, 4, 5]


@pytest.mark.parametrize("way", WAYS)
def test_a_result_that_ends_its_worker_when_it_is_pickled(pool, way):
    (error,) = way(pool, result_that_crashes_at_pickle, [1])
    check_lost(error, KillAt, "result_that_crashes_at_pickle")
    assert pool.map(same, range(100)) == list(range(100))


def test_of_5000_calls_of_a_map_exactly_one_is_lost(pool):
    values = pool.map(KillAt(FATAL), range(MANY), return_exceptions=True)
    check_lost(values[FATAL], KillAt, f"input {FATAL}")
    values[FATAL] = FATAL
    assert values == list(range(MANY))


@pytest.mark.parametrize("way", WAYS)
def test_of_5000_calls_exactly_one_is_lost(pool, way):
    outcomes = way(pool, KillAt(FATAL), range(MANY))
    (error,) = errors_in(outcomes)
    outcomes.remove(error)
    assert sorted([*outcomes, FATAL]) == list(range(MANY))


@pytest.mark.parametrize("way", WAYS)
def test_of_5000_calls_none_is_lost_with_a_retry(pool, way, tmp_path):
    outcomes = way(pool.options(retry=1), KillAt(FATAL, tmp_path / "once"), range(MANY))
    assert sorted(outcomes) == list(range(MANY))
    assert pool.statistics().retried == 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fault", [CrashAtUnpickle, ExitAtUnpickle])
def test_an_argument_that_kills_only_once_is_loaded_again(pool, fault, way, tmp_path):
    outcomes = way(pool.options(retry=1), same, [1, fault(tmp_path / "once"), 3])
    assert set(outcomes) == {1, "loaded", 3}


def test_a_call_that_kills_each_worker_is_tried_as_often_as_asked(pool):
    (error,) = pool.map(KillAt(0), [0], retry=Retry(retries=2, on=(WorkerLost,)), return_exceptions=True)
    assert isinstance(error, WorkerLost)
    assert pool.statistics().lost_workers == 3


def test_calls_lost_before_they_began_are_not_tried_twice(tmp_path):
    """Calls queued behind the fatal one go elsewhere and count no attempt."""
    with Pool(1) as pool:
        outcomes = list(pool.calls(KillAt(FATAL), range(MANY)))
    assert {outcome.attempt for outcome in outcomes} == {1}
    assert [outcome.index for outcome in outcomes if outcome.error] == [FATAL]


def test_a_map_raises_the_loss_and_carries_all_results(pool):
    with pytest.raises(WorkerLost) as caught:
        pool.map(KillAt(3), range(10))
    results = caught.value.results
    assert results[3] is caught.value
    assert [value for value in results if value is not caught.value] == [0, 1, 2, 4, 5, 6, 7, 8, 9]


# ---- killed from outside ---------------------------------------------------------------------------------------------


def test_killed_while_idle(pool):
    pids = until(lambda: len(workers(pool)) == 2 and workers(pool))
    with Ends(*pids) as ends:
        for each in pids:
            os.kill(each, signal.SIGKILL)
        assert ends.within(20)
    assert pool.map(same, range(1000)) == list(range(1000))
    assert not pids & workers(pool)


def test_killed_between_calls(pool):
    """No call runs when the worker dies: none is lost, whatever it held."""
    for _ in range(5):
        victim = pool.submit(pid).result(30)
        os.kill(victim, signal.SIGKILL)
        assert pool.map(same, range(50)) == list(range(50))


def test_killed_while_it_runs(pool, post):
    future = pool.submit(wait_for_ever, post.path)
    victim = post.pid()
    others = pool.map_async(same, range(1000))
    os.kill(victim, signal.SIGKILL)
    with pytest.raises(WorkerLost, match="wait_for_ever") as caught:
        future.result(30)
    assert (caught.value.pid, caught.value.exitcode, caught.value.signal) == (victim, -9, "SIGKILL")
    assert others.get(30) == list(range(1000))


def test_killed_while_it_loads_an_argument(pool, post, tmp_path):
    future = pool.submit(same, PauseAtUnpickle(tmp_path / "once", post.path))
    os.kill(post.pid(), signal.SIGKILL)
    with pytest.raises(WorkerLost, match="same"):
        future.result(30)
    retried = pool.options(retry=1).submit(same, PauseAtUnpickle(tmp_path / "again", post.path))
    os.kill(post.pid(), signal.SIGKILL)
    assert retried.result(30) == "loaded"


def test_killed_while_it_replies_100_mb(pool, post):
    """At whatever byte: it is lost, or whole."""
    future = pool.submit(reply_large, post.path)
    victim = post.pid()
    with Ends(victim) as ends:
        os.kill(victim, signal.SIGKILL)
        assert ends.within(20)
    error = future.exception(30)
    assert isinstance(error, WorkerLost) or future.result() == bytes(100_000_000)
    assert pool.map(same, range(10)) == list(range(10))


def slow_start(path, once):
    """An initializer that says its pid and hangs for whoever comes first."""
    from tests.faults.faults import is_first

    if is_first(once):
        say(path, os.getpid())
        threading.Event().wait()


def test_killed_in_the_initializer(post, tmp_path):
    with Pool(1, slow_start, (post.path, str(tmp_path / "once"))) as pool:
        future = pool.submit(same, 5)
        os.kill(post.pid(), signal.SIGKILL)
        assert future.result(30) == 5


@pytest.mark.parametrize("context", ["forkserver", "spawn", "fork"])
def test_killed_while_starting(context):
    """As soon as it has a pid."""
    with Pool(1, context=context) as pool:
        futures = [pool.submit(same, value) for value in range(10)]
        (victim,) = until(lambda: workers(pool))
        os.kill(victim, signal.SIGKILL)
        outcomes = [future.exception(30) or future.result() for future in futures]
        lost = errors_in(outcomes)  # none, or the one call that had begun by then
        assert [type(error) for error in lost] in [[], [WorkerLost]]
        assert all(outcome in lost or outcome == value for value, outcome in enumerate(outcomes))


def with_pid(value):
    return value, os.getpid()


@pytest.mark.slow
def test_workers_killed_at_random_moments_lose_nothing_with_a_retry():
    """A thread kills 30 workers that were seen to work: of 2,000 calls and 2,000 more... each result comes once."""
    with Pool(3, retry=1000) as pool:
        seen = set()
        killed = set()
        stop, news = threading.Event(), threading.Semaphore(0)
        pick = random.Random(7)

        def kill():
            while not stop.is_set():
                news.acquire()
                for victim in pick.sample(sorted(seen - killed), min(1, len(seen - killed))):
                    kill_worker(victim)
                    killed.add(victim)

        thread = threading.Thread(target=kill)
        thread.start()
        try:
            for way in itertools.cycle([by_map, by_imap_unordered, by_submit]):
                if len(killed) >= 30:
                    break
                news.release()
                outcomes = way(pool, with_pid, range(2000))
                assert sorted(value for value, _ in outcomes) == list(range(2000))
                seen |= {worker for _, worker in outcomes}
        finally:
            stop.set()
            news.release()
            thread.join()


def kill_worker(pid):
    with contextlib.suppress(ProcessLookupError):
        fd = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(fd, signal.SIGKILL)
        finally:
            os.close(fd)


# ---- the fork server -------------------------------------------------------------------------------------------------


def test_the_fork_server_killed_while_calls_run(pool, post):
    running = [pool.submit(wait_for_ever, post.path) for _ in range(2)]
    victims = {post.pid(), post.pid()}
    queued = [pool.submit(same, value) for value in range(100)]
    with Ends(server_pid(pool), *victims) as ends:
        os.kill(server_pid(pool), signal.SIGKILL)
        assert ends.within(20)
    lost = [future.exception(30) for future in running]
    assert [type(error) for error in lost] == [WorkerLost, WorkerLost]
    assert {error.pid for error in lost} == victims
    assert [future.result(30) for future in queued] == list(range(100))
    assert pool.map(same, range(1000)) == list(range(1000))


def test_the_fork_server_killed_while_calls_run_that_are_retried(pool, post, tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    futures = [pool.options(retry=1).submit(block_until, post.path, str(gate)) for _ in range(2)]
    pids = {post.pid(), post.pid()}
    os.kill(server_pid(pool), signal.SIGKILL)
    again = {post.pid(), post.pid()}
    assert not pids & again
    fd = os.open(gate, os.O_RDWR)
    assert [future.result(30) for future in futures] == ["done", "done"]
    os.close(fd)


def test_the_fork_server_killed_again_and_again(pool):
    for _ in range(3):
        result = pool.options(retry=5).map_async(same, range(3000))
        os.kill(server_pid(pool), signal.SIGKILL)
        assert result.get(30) == list(range(3000))
    assert pool.map(same, range(10)) == list(range(10))


def test_the_fork_server_of_two_pools_killed(post):
    with Pool(1) as one, Pool(1) as two:
        futures = [one.submit(wait_for_ever, post.path), two.submit(wait_for_ever, post.path)]
        post.pid(), post.pid()
        os.kill(server_pid(one), signal.SIGKILL)
        assert [type(future.exception(30)) for future in futures] == [WorkerLost, WorkerLost]
        assert one.map(same, range(10)) == two.map(same, range(10)) == list(range(10))
