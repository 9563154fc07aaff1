"""Signals that end a server: none is missed, whichever thread it hits and whenever."""

from __future__ import annotations

import os
import select
import signal
import threading
import time

import pytest

from elsewhere.net.serving import signals as module
from elsewhere.net.serving.flag import Bell, Flag
from elsewhere.net.serving.signals import Signals


@pytest.fixture
def other():
    """A thread that does nothing but receive signals."""
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    yield thread
    over.set()
    thread.join()


def test_a_signal_that_hits_another_thread_wakes_this_one(other, monkeypatch):
    class Poll:
        """One just before which the signal comes, so that Python does not get to run its handler."""

        def __init__(self):
            self.real = select.poll()
            self.register = self.real.register

        def poll(self, wait):
            signal.pthread_kill(other.ident, signal.SIGTERM)
            return self.real.poll(wait)

    monkeypatch.setattr(module, "poll", Poll)
    began = time.monotonic()
    with Signals() as signals:
        signals.wait(signals.first, seconds=20)
        assert signals.first.is_set
    assert time.monotonic() - began < 10
    assert signals.number is signal.SIGTERM


def test_the_first_asks_and_the_second_insists():
    with Signals() as signals:
        os.kill(os.getpid(), signal.SIGINT)
        signals.wait(signals.first, seconds=20)
        assert (signals.first.is_set, signals.second.is_set) == (True, False)
        os.kill(os.getpid(), signal.SIGTERM)
        signals.wait(signals.second, seconds=20)
        assert signals.second.is_set
    assert signals.number is signal.SIGINT


def test_everything_is_as_before():
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with Bell() as bell:
        signal.set_wakeup_fd(bell.rings)
        with Signals():
            assert signal.getsignal(signal.SIGTERM) != before[0]
        assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
        assert signal.set_wakeup_fd(-1) == bell.rings


def test_waiting_has_a_bound():
    with Signals() as signals:
        began = time.monotonic()
        signals.wait(signals.first, seconds=0.03)
        assert 0.03 <= time.monotonic() - began < 5
        assert not signals.first.is_set


def test_elsewhere_than_in_the_main_thread_nothing_is_done():
    found = []

    def run():
        with Signals() as signals:
            found.append(signal.getsignal(signal.SIGTERM))
            signals.first.set()
            signals.wait(signals.first)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(10)
    assert found == [signal.getsignal(signal.SIGTERM)]


def test_a_flag_is_set_once_and_stays():
    flag = Flag()
    assert not flag.is_set
    assert not flag.wait(0.01)
    threads = [threading.Thread(target=flag.set) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert flag.wait(20)
    for thread in threads:
        thread.join()
    assert flag.wait(None)
    flag.close()
    flag.close()
    assert flag.is_set
    assert flag.wait(None)


def test_a_bell_rings_until_it_is_hushed():
    with Bell() as bell:
        poller = select.poll()
        poller.register(bell, select.POLLIN)
        assert not poller.poll(0)
        for _ in range(100_000):  # more than a pipe holds
            bell.ring()
        assert poller.poll(0)
        bell.hush()
        assert not poller.poll(0)
