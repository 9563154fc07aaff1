"""Calls that are stopped: by their timeout, by `cancel`, with their asyncio task. First inside, then for good."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from concurrent.futures import CancelledError

import pytest

from elsewhere import CallTimeout, Pool, Retry
from tests.faults.faults import (
    clean_up,
    clean_up_async,
    endless_c,
    ignore_interrupt,
    is_first,
    pid,
    same,
    say,
    wait_for_ever,
)
from tests.faults.helpers import Ends, until, workers

TIMEOUT = 1.0  # enough for the call to have begun
GRACE = 1.0  # seconds, enough for a call to say that it was told
MUCH = 20.0  # seconds that a busy machine may take


@pytest.fixture
def pool():
    with Pool(2, on_exit="terminate", grace=GRACE) as pool:
        yield pool


class TestTimeout:
    def test_the_future_fails_near_the_deadline(self, pool):
        pool.map(same, range(10))
        begin = time.monotonic()
        error = pool.options(timeout=TIMEOUT).submit(wait_for_ever).exception(30)
        assert isinstance(error, CallTimeout)
        assert isinstance(error, TimeoutError)
        assert TIMEOUT <= time.monotonic() - begin < MUCH
        assert f"{TIMEOUT:g} s" in str(error)

    @pytest.mark.parametrize("function", [clean_up, clean_up_async])
    def test_finally_runs_and_the_worker_stays(self, pool, post, function):
        before = until(lambda: len(workers(pool)) == 2 and workers(pool))
        future = pool.options(timeout=TIMEOUT).submit(function, post.path)
        assert isinstance(future.exception(30), CallTimeout)
        inside = "CallTimeout" if function is clean_up else "CancelledError"
        assert [post.line() for _ in range(3)] == ["began", inside, "finally"]
        assert pool.map(same, range(100)) == list(range(100))
        assert before <= workers(pool)
        assert pool.statistics().lost_workers == 0

    @pytest.mark.parametrize("function", [ignore_interrupt, endless_c])
    def test_a_worker_that_does_not_come_back_is_killed(self, pool, post, function):
        future = pool.options(timeout=TIMEOUT).submit(function, post.path)
        victim = post.pid()
        with Ends(victim) as ends:
            assert isinstance(future.exception(30), CallTimeout)
            assert ends.within(MUCH)
        assert post.rest() == (["CallTimeout"] if function is ignore_interrupt else [])
        assert pool.map(same, range(100)) == list(range(100))
        assert victim not in workers(pool)

    def test_the_grace_is_kept(self, post):
        """A function that needs a while to clean up has it."""
        with Pool(1, grace=30) as pool:
            future = pool.options(timeout=TIMEOUT).submit(clean_up_slowly, post.path)
            assert isinstance(future.exception(30), CallTimeout)
            assert post.line() == "began"
            assert post.line() == "cleaned up"
            assert pool.submit(same, 1).result(30) == 1
            assert pool.statistics().lost_workers == 0

    def test_a_stopped_worker_is_killed_and_replaced(self, pool, post):
        future = pool.options(timeout=1).submit(wait_for_ever, post.path)
        victim = post.pid()
        with Ends(victim) as ends:
            os.kill(victim, signal.SIGSTOP)
            assert isinstance(future.exception(30), CallTimeout)
            assert ends.within(MUCH)
        until(lambda: len(workers(pool)) == 2 and victim not in workers(pool))
        assert pool.map(same, range(100)) == list(range(100))

    def test_a_retry_starts_only_when_the_old_worker_is_gone(self, pool, post, tmp_path):
        once = str(tmp_path / "once")
        retry = Retry(retries=1, on=(CallTimeout,))
        future = pool.options(timeout=TIMEOUT, retry=retry).submit(hang_once, once, post.path)
        first = post.pid()
        with Ends(first) as ends:
            second, alive = post.line().split()
            assert int(second) != first
            assert alive == "False", "the first try still ran"
            assert ends.within(0)
        assert future.result(30) == "second"
        assert future.attempt == 2

    def test_a_retry_starts_only_when_the_old_call_has_cleaned_up(self, pool, post, tmp_path):
        future = pool.options(timeout=TIMEOUT, retry=1).submit(clean_up_once, str(tmp_path / "once"), post.path)
        assert future.result(30) == "second"
        assert [post.line() for _ in range(3)] == ["first begins", "first ends", "second begins"]

    def test_calls_behind_a_late_one_are_not_lost(self, post):
        """They wait in the same worker, which is killed."""
        with Pool(1) as pool:
            pool.map(same, range(1000))  # so quick that many are handed over at once
            values = pool.map(
                stuck_at_500, [*range(500), post.path, *range(501, 1000)], timeout=1, return_exceptions=True
            )
            assert [type(value) for value in values[500:501]] == [CallTimeout]
            assert values[:500] == list(range(500))
            assert values[501:] == list(range(501, 1000))

    @pytest.mark.parametrize("name", ["map", "imap", "imap_unordered"])
    def test_of_several(self, pool, name, tmp_path):
        with pytest.raises(CallTimeout):
            list(getattr(pool, name)(wait_for_ever, [None, None], timeout=TIMEOUT))
        assert pool.map(same, range(10)) == list(range(10))

    def test_waiting_for_a_result_stops_only_the_waiting(self, pool, post):
        future = pool.submit(wait_for_ever, post.path)
        post.pid()
        with pytest.raises(TimeoutError) as caught:
            future.result(0.01)
        assert not isinstance(caught.value, CallTimeout)
        assert future.running()
        future.cancel()


def clean_up_slowly(path):
    try:
        say(path, "began")
        time.sleep(1000)
    finally:
        time.sleep(0.5)  # longer than the usual grace, which is 0.2
        say(path, "cleaned up")


def hang_once(once, path):
    if is_first(once):
        with open(once, "w") as file:
            file.write(str(os.getpid()))
        ignore_interrupt_quietly(path)
    with open(once) as file:
        first = file.read()
    say(path, f"{os.getpid()} {os.path.exists(f'/proc/{first}')}")
    return "second"


def ignore_interrupt_quietly(path):
    began = False
    while True:
        try:
            if not began:
                began = True
                say(path, os.getpid())
            time.sleep(1000)
        except BaseException:
            continue


def clean_up_once(once, path):
    if is_first(once):
        try:
            say(path, "first begins")
            time.sleep(1000)
        finally:
            say(path, "first ends")
    say(path, "second begins")
    return "second"


def stuck_at_500(value):
    if isinstance(value, str):
        endless_c(value)
    return value


class TestCancel:
    def test_finally_runs_and_the_worker_stays(self, pool, post):
        future = pool.submit(clean_up, post.path)
        assert post.line() == "began"
        assert future.running()
        assert future.cancel()
        assert future.cancelled()
        with pytest.raises(CancelledError):
            future.result(30)
        assert [post.line(), post.line()] == ["CallCancelled", "finally"]
        assert pool.map(same, range(100)) == list(range(100))
        assert pool.statistics().lost_workers == 0

    @pytest.mark.parametrize("function", [ignore_interrupt, endless_c])
    def test_a_worker_that_does_not_come_back_is_killed(self, pool, post, function):
        future = pool.submit(function, post.path)
        victim = post.pid()
        with Ends(victim) as ends:
            assert future.cancel()
            assert ends.within(MUCH)
        assert post.rest() == (["CallCancelled"] if function is ignore_interrupt else [])
        assert pool.map(same, range(100)) == list(range(100))

    def test_a_cancelled_call_is_not_repeated(self, pool, post):
        future = pool.options(retry=5).submit(wait_for_ever, post.path)
        victim = post.pid()
        future.cancel()
        with Ends(victim):
            assert pool.map(same, range(100)) == list(range(100))
        assert post.rest() == []

    def test_many_of_them_while_others_run(self, pool):
        """Waiting ones, running ones and finished ones, in whatever state the cancellation meets them."""
        for _ in range(5):
            futures = [pool.submit(same, value) for value in range(1000)]
            cancelled = [future.cancel() for future in futures[::3]]
            outcomes = [None if future.cancelled() else future.result(30) for future in futures]
            assert [v for v in outcomes if v is not None] == [v for v, o in enumerate(outcomes) if o is not None]
            assert len(cancelled) == len(futures[::3])

    def test_of_a_map_s_future(self, pool, post):
        future = pool.map_async(wait_for_ever, [post.path, post.path])
        victims = {post.pid(), post.pid()}
        future.cancel()
        assert sorted(pool.map(same, range(10))) == list(range(10))
        assert victims <= workers(pool)


class TestTask:
    def test_cancelling_the_task_that_awaits_stops_the_call(self, pool, post):
        async def main():
            task = asyncio.ensure_future(wait(pool.submit(clean_up, post.path)))
            await asyncio.to_thread(post.line)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(main())
        assert [post.line(), post.line()] == ["CallCancelled", "finally"]
        assert pool.map(same, range(10)) == list(range(10))

    def test_a_timeout_of_asyncio_kills_what_does_not_come_back(self, pool, post):
        pool.map(same, range(10))  # the workers are there

        async def main():
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(TIMEOUT):
                    await pool.submit(endless_c, post.path)

        asyncio.run(main())
        victim = post.pid()
        until(lambda: victim not in workers(pool))
        assert pool.submit(pid).result(30) != victim


async def wait(future):
    return await future
