"""Handlers of the main thread are put off where they would do harm, called in any case, and restored exactly."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from elsewhere.runtime.driving import signals
from elsewhere.runtime.driving.signals import Condition, Deferred, harmless

ONE, TWO = signal.SIGUSR2, signal.SIGALRM


class First(Exception):
    pass


class Second(Exception):
    pass


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """What is there before a test is there after it, and the machinery at rest."""
    before = {signum: signal.getsignal(signum) for signum in (ONE, TWO, signal.SIGINT)}
    gc.disable()  # what a handler raises in a finalizer or a callback of the collector is ignored by Python
    yield
    gc.enable()
    assert signals._state.depth == 0
    assert not signals._state.pending
    assert not signals._state.open
    for signum, handler in before.items():
        signal.signal(signum, handler)


def on(signum: int, *does: Callable[[], object]) -> tuple[list[int], Any]:
    """Handle a signal: note it, then do something."""
    seen: list[int] = []

    def handler(number: int, frame: Any) -> None:
        seen.append(number)
        for do in does:
            do()

    signal.signal(signum, handler)
    return seen, handler


def fail(error: type[Exception]) -> Callable[[], object]:
    def do() -> None:
        raise error

    return do


def send(signum: int) -> None:
    os.kill(os.getpid(), signum)


def test_a_handler_is_put_off_until_the_end():
    seen, handler = on(ONE)
    with Deferred():
        send(ONE)
        assert seen == []
        send(ONE)
        assert seen == []
    assert seen == [ONE, ONE]
    assert signal.getsignal(ONE) is handler


def test_what_it_raises_comes_out_at_the_end():
    _, handler = on(ONE, fail(First))
    reached = False
    with pytest.raises(First), Deferred():
        send(ONE)
        reached = True
    assert reached
    assert signal.getsignal(ONE) is handler


def test_it_is_called_at_once_in_a_sleep():
    seen, _ = on(ONE)

    def wait(argument: object) -> object:
        send(ONE)
        assert seen == [ONE]
        return argument

    with Deferred() as deferred:
        assert deferred.sleep(wait, 3) == 3
        send(ONE)
        assert seen == [ONE]
    assert seen == [ONE, ONE]


def test_what_was_put_off_comes_before_the_sleep():
    on(ONE, fail(First))
    with pytest.raises(First), Deferred() as deferred:
        send(ONE)
        deferred.sleep(lambda _: pytest.fail("it slept"), None)


def test_what_it_raises_ends_the_sleep_and_later_ones_are_put_off_again():
    on(ONE, fail(First))
    seen, _ = on(TWO)
    with Deferred() as deferred:
        with pytest.raises(First):
            deferred.sleep(lambda _: send(ONE), None)
        send(TWO)
        assert seen == []
    assert seen == [TWO]


def test_all_that_were_put_off_are_called_and_the_last_exception_knows_the_one_before():
    first, _ = on(ONE, fail(First))
    second, _ = on(TWO, fail(Second))
    with pytest.raises(Second) as caught, Deferred():
        send(ONE)
        send(TWO)
    assert (first, second) == ([ONE], [TWO])
    assert isinstance(caught.value.__context__, First)


def test_nested_contexts_wait_for_the_outermost():
    seen, handler = on(ONE)
    with Deferred():
        with Deferred():
            send(ONE)
        assert seen == []
        assert signal.getsignal(ONE) is not handler
        with Deferred():
            pass
        assert seen == []
    assert seen == [ONE]
    assert signal.getsignal(ONE) is handler


def test_a_handler_may_wait_itself_and_be_interrupted_again():
    """As when a handler asks whether to quit, and is answered by another Ctrl-C."""
    second, _ = on(TWO)

    def wait() -> None:
        with Deferred() as inner:
            send(TWO)
            assert second == []
            inner.sleep(lambda _: send(TWO), None)
            assert second == [TWO, TWO]
            send(TWO)
        assert second == [TWO] * 3, "the handler's own code is interrupted as always"
        send(TWO)
        assert second == [TWO] * 4

    first, _ = on(ONE, wait)
    with Deferred() as deferred:
        deferred.sleep(lambda _: send(ONE), None)
        assert first == [ONE]
        send(TWO)
        assert second == [TWO] * 4
    assert second == [TWO] * 5


def test_a_handler_that_a_handler_installs_stays_and_is_put_off_too():
    def other(signum: int, frame: Any) -> None:
        raise Second

    def install() -> None:
        signal.signal(ONE, other)

    on(ONE, install)
    with pytest.raises(Second), Deferred() as deferred:
        deferred.sleep(lambda _: send(ONE), None)
        send(ONE)  # raises only at the end
        deferred.sleep  # noqa: B018 - a place where it could be raised
    assert signal.getsignal(ONE) is other


def test_a_handler_that_installs_itself_again():
    seen: list[int] = []

    def handler(signum: int, frame: Any) -> None:
        signal.signal(ONE, handler)
        seen.append(signum)

    signal.signal(ONE, handler)
    for _ in range(3):
        with Deferred() as deferred:
            deferred.sleep(lambda _: send(ONE), None)
            before = len(seen)
            send(ONE)
            assert len(seen) == before
    assert len(seen) == 6
    assert signal.getsignal(ONE) is handler
    assert len([signum for signum, _ in signals._state.wrapped if signum == ONE]) <= 2


def test_a_handler_that_is_taken_away_meanwhile():
    on(ONE, lambda: signal.signal(ONE, signal.SIG_IGN))
    with Deferred() as deferred:
        deferred.sleep(lambda _: send(ONE), None)
        send(ONE)
    assert signal.getsignal(ONE) == signal.SIG_IGN


def test_handlers_that_are_no_functions_are_left_alone():
    signal.signal(ONE, signal.SIG_IGN)
    before = list(map(signal.getsignal, sorted(signal.valid_signals())))
    with Deferred():
        assert signal.getsignal(ONE) == signal.SIG_IGN
        assert signal.getsignal(signal.SIGINT) is not before[signal.SIGINT - 1]
    assert list(map(signal.getsignal, sorted(signal.valid_signals()))) == before


def test_harmless_handlers_are_called_anywhere():
    seen, handler = on(ONE)
    harmless(handler)
    try:
        with Deferred():
            send(ONE)
            assert seen == [ONE]
    finally:
        signals._harmless.remove(handler)


def test_other_threads_have_nothing_to_put_off():
    seen, _ = on(ONE)
    inside, sent = threading.Event(), threading.Event()

    def work() -> None:
        with Deferred() as deferred:
            inside.set()
            sent.wait(30)
            assert deferred.sleep(lambda value: value, 4) == 4

    thread = threading.Thread(target=work)
    thread.start()
    inside.wait(30)
    send(ONE)
    assert seen == [ONE]
    sent.set()
    thread.join()


def timed(microseconds: int, more: Callable[[], bool]) -> Iterator[None]:
    """Again and again until the timer's signal has been handled; a timer as short as this is dropped now and then."""
    while more():
        signal.setitimer(signal.ITIMER_REAL, microseconds * 1e-6)
        for _ in range(20_000):
            if not more():
                return
            yield


@pytest.mark.parametrize("body", ["pass", "sleep", "nest"])
def test_at_random_instants_each_raise_comes_out_and_handlers_are_restored(body):
    """Also in the midst of entering and leaving, when some handlers are wrapped and others are not."""
    raised: list[int] = []

    def alarm(signum: int, frame: Any) -> None:
        raised.append(signum)
        raise First

    signal.signal(ONE, lambda signum, frame: None)
    signal.signal(TWO, alarm)
    before = {signum: signal.getsignal(signum) for signum in (ONE, TWO, signal.SIGINT)}
    for at in range(1500):
        try:
            for _ in timed(1 + at % 97, lambda: len(raised) == at):  # noqa: B023 - called before the next round
                with Deferred() as deferred:
                    if body == "sleep":
                        deferred.sleep(lambda _: None, None)
                    elif body == "nest":
                        with Deferred():
                            pass
            pytest.fail("it was swallowed")
        except First:
            pass
        assert len(raised) == at + 1
        assert (signals._state.depth, len(signals._state.pending)) == (0, 0)
        assert {signum: signal.getsignal(signum) for signum in before} == before


def test_with_on_a_condition_never_leaves_its_lock_taken():
    raised: list[int] = []

    def alarm(signum: int, frame: Any) -> None:
        raised.append(signum)
        raise First

    signal.signal(TWO, alarm)
    condition = Condition()
    for at in range(1500):
        try:
            for _ in timed(1 + at % 97, lambda: len(raised) == at):  # noqa: B023 - called before the next round
                with condition:
                    pass
        except First:
            pass
        assert not condition._is_owned()
    taken: list[bool] = []
    thread = threading.Thread(target=lambda: taken.append(condition.acquire(timeout=5)) or condition.release())
    thread.start()
    thread.join()
    assert taken == [True]


FORK = """
import os, signal, threading, time
from elsewhere.runtime.driving.signals import Deferred
def handler(signum, frame):
    os.write(1, b"handled ")
signal.signal(signal.SIGUSR2, handler)
signal.signal(signal.SIGALRM, signal.SIG_DFL)
inside, over = threading.Event(), threading.Event()
def fork():
    inside.wait()
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        assert signal.getsignal(signal.SIGUSR2) is handler
        with Deferred() as deferred:
            os.kill(os.getpid(), signal.SIGUSR2)
            os.write(1, b"put off, ")
        os.write(1, b"in the child. ")
        os._exit(0)
    os.waitpid(pid, 0)
    over.set()
thread = threading.Thread(target=fork)
thread.start()
with Deferred():
    inside.set()
    assert over.wait(20)
    os.kill(os.getpid(), signal.SIGUSR2)
    os.write(1, b"put off, ")
os.write(1, b"in the parent.")
thread.join()
"""


def test_a_child_forked_from_another_thread_inside_of_it():
    ran = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=50, check=False)
    assert ran.stdout == "put off, handled in the child. put off, handled in the parent."
    assert ran.stderr == ""


def test_an_exception_from_a_handler_is_told_from_the_works_own():
    def work(error: type[Exception] | None) -> Callable[[], object]:
        return lambda: fail(error)() if error is not None else None

    for own in (None, Second):
        with pytest.raises(First) as caught:
            fail(First)()
        assert signals.is_from_handler(caught.value, work(own)) == (own is None)
    with pytest.raises(First) as caught:
        raise First
    assert not signals.is_from_handler(caught.value, work(None))
