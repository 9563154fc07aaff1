"""Who drives a real pool: signals at random instants, pools that are idle, results that nobody waits for, forks."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import os
import random
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from elsewhere import Pool, PoolClosed
from elsewhere.runtime.driving import signals
from tests.contract.work import square

PATIENCE = 20.0  # seconds: what has not come by then never will
PROMPT = 0.5  # seconds for a call that does nothing; it is a few ms on a quiet machine
ROUNDS = 5  # of which one has to be prompt: a busy machine may have no core for the others
RAISES = 400  # for each way to make calls


class Alarm(Exception):
    pass


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        threading.Event().wait(0.002)


@pytest.fixture(autouse=True)
def no_driver_failed(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.CRITICAL] == []


@pytest.fixture(params=["processes", "threads"])
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    with Pool(2, where=request.param) as pool:
        assert pool.map(square, range(4)) == [0, 1, 4, 9]
        yield pool


# ---- signals ---------------------------------------------------------------------------------------------------------


def call_apply(pool: Pool, number: int) -> None:
    assert pool.apply(square, (number,)) == number**2


def call_map(pool: Pool, number: int) -> None:
    assert pool.map(square, range(number, number + 20)) == [x * x for x in range(number, number + 20)]


def call_submit(pool: Pool, number: int) -> None:
    futures = [pool.submit(square, number + at) for at in range(3)]
    assert [future.result(PATIENCE) for future in futures] == [x * x for x in range(number, number + 3)]


class Streams:
    """One imap after the other, each consumed to its end although `next` raises now and then.

    What was taken out a moment before `next` would have returned is lost, as with any iterator: one result for each
    exception at most.
    """

    def __init__(self, ordered: bool, of: Callable[[list[int]], Any]) -> None:
        self.ordered = ordered
        self.of = of
        self.stream: Any = None
        self.got: list[int] = []
        self.wanted: list[int] = []
        self.broken_off = 0

    def __call__(self, pool: Pool, number: int) -> None:
        if self.stream is None:
            self.wanted = [x * x for x in range(number, number + 150)]
            self.got, self.broken_off = [], 0
            start = pool.imap if self.ordered else pool.imap_unordered
            self.stream = start(square, self.of(list(range(number, number + 150))))
        try:
            for value in self.stream:
                self.got.append(value)
        except Alarm:
            self.broken_off += 1
            raise
        self.stream = None
        if self.ordered:
            assert self.got == sorted(self.got)
        assert len(set(self.got)) == len(self.got)
        assert set(self.got) <= set(self.wanted)
        assert len(self.wanted) - len(self.got) <= self.broken_off


WAYS: dict[str, Callable[[], Callable[[Pool, int], None]]] = {
    "apply": lambda: call_apply,
    "map": lambda: call_map,
    "submit": lambda: call_submit,
    "imap": lambda: Streams(True, list),
    "imap of a generator": lambda: Streams(True, iter),
    "imap_unordered": lambda: Streams(False, list),
}


@pytest.mark.parametrize("way", WAYS)
def test_an_alarm_that_raises_at_random_instants_leaves_every_later_call_right(pool, way, monkeypatch):
    """One alarm at a time, inside a method that waits or makes calls: each comes out of it, and out of it only.

    But for those that Python calls while it runs a finalizer: it tells those to `sys.unraisablehook`.
    """
    ignored: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda told: ignored.append(told.exc_type))
    raised: list[str] = []

    def raise_it(signum: int, frame: Any) -> None:
        raised.append("".join(traceback.format_stack(frame)[-4:]))
        raise Alarm

    number = swallowed = 0
    draw = random.Random(way)
    call = WAYS[way]()
    before = signal.signal(signal.SIGALRM, raise_it)
    interrupt = signal.getsignal(signal.SIGINT)
    try:
        for at in range(RAISES):
            try:
                signal.setitimer(signal.ITIMER_REAL, draw.uniform(50e-6, 2000e-6))
                while len(raised) == at:
                    number += 1
                    call(pool, number)
                    if number % 1000 == 0:  # a short timer is dropped now and then
                        signal.setitimer(signal.ITIMER_REAL, draw.uniform(50e-6, 2000e-6))
                if ignored.count(Alarm) == swallowed:
                    pytest.fail(f"swallowed at\n{raised[-1]}")
                swallowed += 1
            except Alarm:
                pass
            assert len(raised) == at + 1
            assert signal.getsignal(signal.SIGALRM) is raise_it
            assert signal.getsignal(signal.SIGINT) is interrupt
            assert signals._state.depth == 0
            if at % 20 == 0:
                call(pool, number)
                call_apply(pool, number)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    call(pool, number + 1)
    call_map(pool, number)
    assert swallowed < RAISES / 10
    until(lambda: pool.statistics().unfinished == 0)


def test_a_handler_that_uses_the_pool_at_random_instants(pool):
    """It submits to the job that is just being submitted to, and waits inside of waits."""
    wrong: list[object] = []
    calls = 0

    def use(signum: int, frame: Any) -> None:
        nonlocal calls
        calls += 1
        try:
            call_submit(pool, -calls)
            call_apply(pool, -calls)
        except BaseException as error:
            wrong.append(error)
        if calls < 300:
            signal.setitimer(signal.ITIMER_REAL, draw.uniform(50e-6, 2000e-6))

    draw = random.Random(5)
    before = signal.signal(signal.SIGALRM, use)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.001)
        number = 0
        while calls < 300:
            number += 1
            call_submit(pool, number)
            call_map(pool, number)
            assert [*pool.imap(square, range(10))] == [x * x for x in range(10)]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert wrong == []


def test_a_handler_that_uses_the_pool_while_other_threads_do(pool):
    calls = 0
    wrong: list[object] = []
    over = threading.Event()

    def work() -> None:
        number = 0
        while not over.is_set():
            number += 1
            try:
                call_apply(pool, number)
            except BaseException as error:
                wrong.append(error)

    def use(signum: int, frame: Any) -> None:
        nonlocal calls
        calls += 1
        call_apply(pool, -calls)
        if calls < 100:
            signal.setitimer(signal.ITIMER_REAL, 0.001)

    threads = [threading.Thread(target=work) for _ in range(3)]
    before = signal.signal(signal.SIGALRM, use)
    try:
        for thread in threads:
            thread.start()
        signal.setitimer(signal.ITIMER_REAL, 0.001)
        number = 0
        while calls < 100:
            number += 1
            call_submit(pool, number)
    finally:
        over.set()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        for thread in threads:
            thread.join(PATIENCE)
    assert wrong == []
    assert not [thread for thread in threads if thread.is_alive()]


def test_ctrl_c_comes_at_once_out_of_a_map_and_the_pool_goes_on(pool, tmp_path):
    handler = signal.getsignal(signal.SIGINT)

    def interrupt() -> None:
        until(lambda: len(pool.statistics().running) == 2)
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    for at in range(3):
        opened = tmp_path / f"open-{at}"
        sent: list[float] = []
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            pool.map(wait_for_file, [str(opened)] * 4)
        assert time.monotonic() - sent[0] < PATIENCE / 2  # which the calls have
        thread.join()
        opened.touch()  # in threads the calls go on
        assert pool.map(square, range(5)) == [0, 1, 4, 9, 16]
        assert signal.getsignal(signal.SIGINT) is handler


def wait_for_file(path: str) -> None:
    end = time.monotonic() + PATIENCE
    while not Path(path).exists() and time.monotonic() < end:
        time.sleep(0.002)


def test_programs_that_wait_for_signals_are_not_disturbed(pool):
    seen: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda signum, frame: seen.append(signum))
    try:
        pool.submit(square, 3).result()
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.2)  # the first may come before the pause
        signal.pause()
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert set(seen) == {signal.SIGALRM}
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
        os.kill(os.getpid(), signal.SIGALRM)
        signal.sigtimedwait([signal.SIGALRM], 0)  # another thread may have got it
        assert pool.apply(square, (4,)) == 16
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
        signal.signal(signal.SIGALRM, before)


# ---- idle ------------------------------------------------------------------------------------------------------------


def switches(pids: list[int]) -> dict[str, int]:
    """How often each thread of these processes has gone to sleep by itself."""
    found: dict[str, int] = {}
    for pid in pids:
        for status in Path(f"/proc/{pid}/task").glob("*/status"):
            lines = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
            found[f"{lines['Name']} {lines['Pid']}"] = int(lines["voluntary_ctxt_switches"])
    return found


def family(root: int) -> list[int]:
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
    found = [root]
    for pid in found:
        found.extend(child for child, parent in parents.items() if parent == pid)
    return found


def gone_up(before: dict[str, int], after: dict[str, int], but: int = -1) -> dict[str, int]:
    """Which threads have slept how often; `but` is one that did so on purpose."""
    return {name: after[name] - count for name, count in before.items() if after.get(name, 0) > count
            and not name.endswith(f" {but}")}  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("used", [False, True])
def test_an_idle_pool_does_not_wake_up(pool, used):
    me = threading.get_native_id()
    if used:
        pool.map(square, range(1000))
        [pool.submit(square, at) for at in range(100)][-1].result()
        until(lambda: pool.statistics().unfinished == 0)
    for _ in range(20):  # it is given time to settle
        pids = family(os.getpid())
        before = switches(pids)
        assert len(before) > 2
        time.sleep(1.0)
        woken = gone_up(before, switches(pids), me)
        if not woken:
            return
    pytest.fail(f"it wakes up, each second: {woken}")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_waiting_for_a_long_call_takes_few_wake_ups(pool):

    def woken() -> int:
        future = pool.submit(time.sleep, 1.0)
        before = switches([os.getpid()])
        future.result()
        return sum(gone_up(before, switches([os.getpid()])).values())

    assert any(woken() < 10 for _ in range(ROUNDS))


# ---- results that nobody waits for -----------------------------------------------------------------------------------


def busy_python(over: threading.Event) -> None:
    end = time.monotonic() + PATIENCE
    while not over.is_set() and time.monotonic() < end:
        sum(range(100))


IDLING: dict[str, Callable[[threading.Event], object]] = {
    "a lock": lambda over: over.wait(PATIENCE),
    "Python code": busy_python,
    "sleep": lambda over: time.sleep(PROMPT),
}


@pytest.mark.parametrize("idling", IDLING)
def test_a_callback_comes_whatever_the_main_thread_does(pool, idling):

    def passed() -> float:
        over = threading.Event()
        came: list[float] = []

        def callback(_: object) -> None:
            came.append(time.monotonic())
            over.set()

        began = time.monotonic()
        pool.submit(square, 3).add_done_callback(callback)
        IDLING[idling](over)
        assert over.wait(PATIENCE)
        return came[0] - began

    assert min(passed() for _ in range(ROUNDS)) < PROMPT


def test_the_standard_librarys_wait_and_as_completed(pool):
    def passed() -> float:
        began = time.monotonic()
        futures = [pool.submit(square, at) for at in range(20)]
        assert not concurrent.futures.wait(futures, PATIENCE).not_done
        futures = [pool.submit(square, at) for at in range(20)]
        assert sorted(future.result() for future in concurrent.futures.as_completed(futures, PATIENCE)) == [
            at * at for at in range(20)
        ]
        return time.monotonic() - began

    assert min(passed() for _ in range(ROUNDS)) < 2 * PROMPT


def test_asyncio(pool):
    async def passed() -> float:
        began = time.monotonic()
        assert await pool.submit(square, 3) == 9
        assert await asyncio.gather(*[pool.submit(square, at) for at in range(50)]) == [x * x for x in range(50)]
        with pool.executor() as executor:
            assert await asyncio.get_running_loop().run_in_executor(executor, square, 5) == 25
        assert [value async for value in pool.imap(square, range(30))] == [x * x for x in range(30)]
        return time.monotonic() - began

    async def main() -> float:
        return min([await passed() for _ in range(ROUNDS)])

    assert asyncio.run(main()) < 4 * PROMPT


def test_a_slow_consumer_finds_its_results_ready(pool):
    """The work between one `next` and the following is time in which the calls go on."""
    stream = pool.imap(square, range(10))
    for at in range(10):
        time.sleep(0.01)  # the consumer's own work
        assert next(stream) == at * at
        if at == 2:
            until(lambda: len(stream._job._ready) == 7)  # without anybody waiting for them


def test_many_threads_make_calls_at_once(pool):
    wrong: list[object] = []

    def work(number: int) -> None:
        for at in range(200):
            if pool.apply(square, (1000 * number + at,)) != (1000 * number + at) ** 2:
                wrong.append((number, at))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
    assert not [thread for thread in threads if thread.is_alive()]
    assert wrong == []


def test_asking_again_and_again_without_time_makes_progress(pool):
    for at in range(5):
        future = pool.submit(square, at)
        end = time.monotonic() + PATIENCE
        while True:
            try:
                assert future.result(timeout=0) == at * at
                break
            except TimeoutError:
                assert time.monotonic() < end


# ---- forks -----------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_does_not_drive_its_parents_pool(pool, tmp_path):
    opened = tmp_path / "open"
    future = pool.submit(wait_for_file, str(opened))
    stream = pool.imap(square, range(1000))
    assert next(stream) == 0
    read, write = os.pipe()
    child = os.fork()
    if not child:
        said: list[str] = []
        signal.alarm(int(PATIENCE))
        for use in (
            future.result,
            lambda: future.exception(1.0),
            lambda: list(stream),
            lambda: pool.submit(square, 3),
            lambda: pool.map(square, range(3)),
        ):
            try:
                use()
                said.append("it returned")
            except PoolClosed:
                said.append("PoolClosed")
            except BaseException as error:
                said.append(repr(error))
        stream.close()
        pool.__exit__(None, None, None)
        os.write(write, " ".join(said).encode())
        os._exit(0)
    os.close(write)
    try:
        assert [*stream] == [x * x for x in range(1, 1000)]
        assert select.select([read], [], [], PATIENCE)[0]
        assert os.read(read, 1000) == b"PoolClosed PoolClosed PoolClosed PoolClosed PoolClosed"
    finally:
        os.close(read)
        os.waitpid(child, 0)
        opened.touch()
    assert future.result(PATIENCE) is None
    assert pool.map(square, range(100)) == [x * x for x in range(100)]
