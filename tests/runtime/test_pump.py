"""The pump with real threads and no workers: who waits drives, nobody is forgotten, errors come where they should.

`Things` is the smallest pump there is: things to be done are numbers, and somebody posts that one is done.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from elsewhere.errors import PoolClosed
from elsewhere.runtime.driving.pump import Pump

PATIENCE = 20.0  # seconds: what has not come by then never will
SOON = 5.0  # seconds for what takes microseconds, on a machine with much other work


class Things(Pump):
    """Things that are done once `finish` was carried out."""

    def __init__(self) -> None:
        super().__init__("things")
        self.wanted: set[object] = set()
        self.done: set[object] = set()
        self.wakers: dict[object, list[Callable[[], None]]] = {}
        self.closing = False
        self.crashed: BaseException | None = None
        self.given_back = 0
        self.inside_step: threading.Lock = threading.Lock()
        self._thread.start()

    def _carry_out(self) -> None:
        assert self.inside_step.acquire(blocking=False), "two threads in a step"
        try:
            while self._inbox:
                event, args = self._inbox.popleft()
                event(*args)
        finally:
            self.inside_step.release()

    def _next_timer(self) -> float | None:
        return None

    def _busy(self) -> bool:
        return bool(self._inbox or self.wanted)

    def _over(self) -> bool:
        return self.closing and not self.wanted and not self._inbox

    def _crash(self, error: BaseException) -> None:
        self.crashed = error
        for thing in list(self.wanted):
            self._finish(thing)

    def _give_back(self) -> None:
        self.given_back += 1

    def _finish(self, thing: object) -> None:
        self.wanted.discard(thing)
        self.done.add(thing)
        for wake in self.wakers.pop(thing, ()):
            wake()

    def _close(self) -> None:
        self.closing = True

    # ---- for everybody -------------------------------------------------------------------------------------------

    def want(self, thing: object) -> None:
        self.wanted.add(thing)

    def finish(self, thing: object) -> None:
        self.post(self._finish, thing)

    def tell(self, thing: object) -> None:
        """Done without a step, as by a callback's thread."""
        self._finish(thing)
        self.nudge()

    def wait_for(self, thing: object, timeout: float | None = PATIENCE) -> bool:
        def subscribe(wake: Callable[[], None]) -> None:
            self.wakers.setdefault(thing, []).append(wake)
            if thing in self.done:
                wake()

        return self.wait(lambda: thing in self.done, timeout, subscribe)

    def close(self) -> None:
        self.post(self._close)


@pytest.fixture
def things() -> Iterator[Things]:
    things = Things()
    yield things
    things.close()
    assert things.join(PATIENCE)
    assert things.given_back == 1
    assert not things._thread.is_alive()


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads take turns after each few instructions."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def together(*works: Callable[[], object], daemon: bool = False) -> None:
    """Run these at the same time; what one raises is raised here."""
    errors: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * PATIENCE)
    assert not [thread for thread in threads if thread.is_alive()], "a thread hangs"
    if errors:
        raise errors[0]


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        threading.Event().wait(0.001)


# ---- waiting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["posted", "told"])
@pytest.mark.parametrize("seed", range(4))
def test_every_wait_ends_when_its_thing_is_done(things, hasty, seed, how):
    """Eight threads wait for one thing after the other; two others do them in any order."""
    rounds, waiters = 60, 8
    todo: list[tuple[int, int]] = []
    lock = threading.Lock()
    left = threading.Semaphore(0)

    def wait(number: int) -> None:
        for thing in [(number, at) for at in range(rounds)]:
            things.want(thing)
            with lock:
                todo.append(thing)
            left.release()
            assert things.wait_for(thing), f"{thing} was done and nobody said so"
            assert thing in things.done

    def do(seed: int) -> None:
        draw = random.Random(seed)
        for _ in range(rounds * waiters // 2):
            assert left.acquire(timeout=PATIENCE)
            with lock:
                thing = todo.pop(draw.randrange(len(todo)))
            (things.finish if how == "posted" else things.tell)(thing)

    together(*[lambda n=n: wait(n) for n in range(waiters)], lambda: do(seed), lambda: do(seed + 100))


def test_waits_that_end_early_hand_on(things, hasty):
    """Drivers and parked threads leave when their time is up, or by an exception out of `done`."""
    never = object()
    ended = threading.Event()

    def leave_early(seed: int) -> None:
        draw = random.Random(seed)
        while not ended.is_set():
            if draw.random() < 0.5:
                assert not things.wait_for(never, draw.choice([0, 1e-5, 1e-4, 1e-3]))
                continue
            looks = itertools.count()
            limit = draw.choice([1, 2, 3])

            def done(looks: Iterator[int] = looks, limit: int = limit) -> bool:
                if next(looks) >= limit:
                    raise LookupError
                return False

            with pytest.raises(LookupError):
                things.wait(done, 1e-3, lambda wake: wake())
                raise LookupError

    def wait(number: int) -> None:
        for at in range(100):
            things.want((number, at))
            things.finish((number, at)) if at % 3 else things.tell((number, at))
            began = time.monotonic()
            assert things.wait_for((number, at))
            assert time.monotonic() - began < SOON

    def all_wait() -> None:
        try:
            together(*[lambda n=n: wait(n) for n in range(4)])
        finally:
            ended.set()

    together(all_wait, *[lambda n=n: leave_early(n) for n in range(3)])


def test_one_that_asks_again_and_again_without_time_drives(things):
    for at in range(50):
        things.want(at)
        things.finish(at)
        end = time.monotonic() + PATIENCE
        while not things.wait_for(at, 0):
            assert time.monotonic() < end, "it keeps others from driving and does not drive itself"


def test_what_nobody_waits_for_is_done_all_the_same(things):
    for at in range(50):
        things.want(at)
        things.finish(at)
        until(lambda at=at: at in things.done)


def test_a_parked_thread_is_woken_while_another_drives(things):
    things.want("long")
    things.want("short")

    def short() -> None:
        until(lambda: things._helm.holder is not None and things._helm.holder is not things._alarm)
        threading.Timer(0.01, things.finish, ["short"]).start()
        assert things.wait_for("short")
        things.finish("long")

    together(lambda: things.wait_for("long"), short)


def test_what_is_done_between_looking_and_sleeping_is_seen(things):
    """Told by another thread at the worst moment: the driver has looked, and is not yet asleep."""
    flag: list[int] = []
    looks = []

    def tell() -> None:
        flag.append(1)
        things.nudge()

    def done() -> bool:
        looks.append(1)
        if len(looks) < 3:
            return False
        if not flag:
            thread = threading.Thread(target=tell)
            thread.start()
            thread.join()
            return False  # as it was when this look began
        return True

    things.nudge()
    began = time.monotonic()
    for _ in range(3):
        things.post(lambda: None)
    timer = threading.Timer(0.05, things.post, [lambda: None])
    timer.start()
    assert things.wait(done, PATIENCE, lambda wake: None)
    timer.join()
    assert time.monotonic() - began < SOON


# ---- the end -------------------------------------------------------------------------------------------------------


def test_join_from_several_threads():
    for _ in range(20):
        things = Things()
        things.want("work")
        joined: list[bool] = []
        started = threading.Barrier(6)

        def join(things: Things = things, joined: list[bool] = joined, started: threading.Barrier = started) -> None:
            started.wait(PATIENCE)
            joined.append(things.join(PATIENCE))

        def end(things: Things = things, started: threading.Barrier = started) -> None:
            started.wait(PATIENCE)
            things.close()
            things.finish("work")

        together(*[join] * 5, end)
        assert joined == [True] * 5
        assert things.given_back == 1
        assert things.join(0)


def test_join_has_a_limit(things):
    things.want("work")
    assert not things.join(0)
    assert not things.join(0.01)
    things.finish("work")


def test_a_step_that_fails_leaves_nobody_waiting():
    things = Things()
    names = range(4)
    for name in names:
        things.want(name)

    def fail() -> None:
        until(lambda: len(things._waiting) == len(names))
        things.post(lambda: 1 / 0)

    together(*[lambda n=n: things.wait_for(n) for n in names], fail)
    assert isinstance(things.crashed, ZeroDivisionError)
    assert things.join(PATIENCE)
    assert things.given_back == 1


def test_waiting_inside_a_step_is_refused(things):
    refused: list[BaseException] = []

    def wait_inside() -> None:
        try:
            things.wait_for("never")
        except RuntimeError as error:
            refused.append(error)
        assert not things.join(PATIENCE), "it would wait for itself"

    things.want(1)
    things.post(wait_inside)
    things.finish(1)
    assert things.wait_for(1)
    assert "inside the pool" in str(refused[0])


def test_a_forked_child_drives_nothing(things, monkeypatch):
    monkeypatch.setattr(things, "_pid", 1)
    with pytest.raises(PoolClosed, match="forked copy"):
        things.wait_for("never")
    with pytest.raises(PoolClosed, match="forked copy"):
        things.join(1.0)


# ---- signal handlers -------------------------------------------------------------------------------------------------


class Interrupt(Exception):
    pass


@pytest.fixture
def handler() -> Iterator[Callable[[Any], object]]:
    before = signal.getsignal(signal.SIGALRM)
    yield lambda function: signal.signal(signal.SIGALRM, lambda signum, frame: function())
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def in_sleep(things: Things, work: Callable[[], object], *, parked: bool = False) -> Callable[[], object]:
    """Do it in another thread once the main thread sleeps at the helm, or is parked."""

    def run() -> None:
        main = threading.main_thread().ident
        if parked:
            until(lambda: main in things._waiting and things._driving not in (None, main))
        else:
            until(lambda: things._driving == main and things._asleep)
        work()

    return run


def drive_elsewhere(things: Things, thing: object) -> threading.Thread:
    """Another thread takes the helm and waits for a thing."""
    things.want(thing)
    thread = threading.Thread(target=things.wait_for, args=(thing,))
    thread.start()
    until(lambda: things._driving == thread.ident)
    return thread


def alarm_when(ready: Callable[[], object]) -> threading.Thread:
    def send() -> None:
        ready()
        os.kill(os.getpid(), signal.SIGALRM)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


@pytest.mark.parametrize("parked", [False, True])
def test_an_exception_from_a_handler_comes_out_of_the_wait(things, handler, parked):
    def fail() -> None:
        raise Interrupt

    handler(fail)
    things.want("main")
    other = drive_elsewhere(things, "other") if parked else None
    alarm = alarm_when(in_sleep(things, lambda: None, parked=parked))
    with pytest.raises(Interrupt):
        things.wait_for("main")
    alarm.join()
    things.finish("main")
    assert things.wait_for("main")
    if other is not None:
        things.finish("other")
        other.join(PATIENCE)
        assert not other.is_alive()


@pytest.mark.parametrize("parked", [False, True])
def test_a_signal_that_hits_another_thread_is_heard_in_the_wait(things, handler, parked):
    """As one that comes when the main thread is just about to sleep: it does not end that sleep."""

    def fail() -> None:
        raise Interrupt

    def hit() -> None:
        in_sleep(things, lambda: None, parked=parked)()
        signal.pthread_kill(threading.get_ident(), signal.SIGALRM)

    handler(fail)
    things.want("main")
    other = drive_elsewhere(things, "other") if parked else None
    thread = threading.Thread(target=hit)
    thread.start()
    began = time.monotonic()
    with pytest.raises(Interrupt):
        things.wait_for("main")
    assert time.monotonic() - began < PATIENCE / 2
    thread.join()
    for thing in ("main", "other"):
        things.finish(thing)
    if other is not None:
        other.join(PATIENCE)


@pytest.mark.parametrize("ends_by", ["return", "raise"])
@pytest.mark.parametrize("parked", [False, True])
def test_a_handler_may_wait_inside_of_a_wait(things, handler, parked, ends_by):
    """Also when the helm is handed over meanwhile to the wait that it interrupts."""
    seen: list[object] = []

    def wait() -> None:
        things.want("inner")
        finisher = threading.Timer(0.02, finish)
        finisher.start()
        seen.append(things.wait_for("inner"))
        finisher.join()
        if ends_by == "raise":
            raise Interrupt

    def finish() -> None:
        if parked:
            things.finish("other")  # who drives leaves, and hands the helm to the main thread's outer wait
            until(lambda: "other" in things.done and not other.is_alive())
        things.finish("outer")
        things.finish("inner")

    handler(wait)
    things.want("outer")
    other = drive_elsewhere(things, "other") if parked else None
    alarm = alarm_when(in_sleep(things, lambda: None, parked=parked))
    if ends_by == "raise":
        with pytest.raises(Interrupt):
            things.wait_for("outer")
    began = time.monotonic()
    assert things.wait_for("outer")
    assert time.monotonic() - began < SOON
    alarm.join()
    assert seen == [True]
    assert things._waiting == {}
    assert not things._inside


@pytest.mark.parametrize("ends_by", ["return", "raise"])
@pytest.mark.parametrize("parked", [False, True])
def test_a_handler_may_end_it_inside_of_a_wait(handler, parked, ends_by):
    things = Things()
    freed: list[int] = []

    def end() -> None:
        things.close()
        for thing in list(things.wanted):
            things.finish(thing)
        assert things.join(PATIENCE)
        freed.append(things.given_back)
        if ends_by == "raise":
            raise Interrupt

    handler(end)
    things.want("main")
    other = drive_elsewhere(things, "other") if parked else None
    alarm = alarm_when(in_sleep(things, lambda: None, parked=parked))
    if ends_by == "raise":
        with pytest.raises(Interrupt):
            things.wait_for("main")
    else:
        assert things.wait_for("main")
    alarm.join()
    if other is not None:
        other.join(PATIENCE)
    else:
        assert freed == [0], "what the outer sleep uses was given back under it"
    assert things.given_back == 1
    assert things.join(PATIENCE)


def test_posts_from_a_handler_that_interrupts_posts(things, handler):
    """Handlers post, and raise, while the main thread posts: nothing that was posted stays undone."""
    numbers = itertools.count()
    posted: list[int] = []
    draw = random.Random(1)

    def alarm() -> None:
        signal.setitimer(signal.ITIMER_REAL, draw.uniform(5e-5, 5e-4))

    def post() -> None:
        number = next(numbers)
        things.finish(number)
        posted.append(number)
        if number % 2:
            raise Interrupt
        alarm()

    handler(post)
    end = time.monotonic() + PATIENCE
    for _ in range(300):
        try:
            alarm()
            while time.monotonic() < end:
                number = next(numbers)
                things.want(number)
                things.finish(number)
                posted.append(number)
                if number % 5 == 0:
                    assert things.wait_for(number)
            pytest.fail("no alarm")
        except Interrupt:
            continue
    for number in posted:
        assert things.wait_for(number)
    things.wanted.clear()
