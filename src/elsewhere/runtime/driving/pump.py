"""Who makes a pool go: the thread that waits for a result, and a background thread for results nobody waits for.

Rule: one thread at a time drives. `sansio.helm` says which; this file has the locks, the sleeping and the waking.

::

    wait(done) ── arrive ──> _drive: step, step, ... until done() ── leave ──> the next one that waits, or nobody
                    └──────> _park: sleep until it is done, or the helm is handed over
    background ── look ────> the same steps while nobody else drives

A pool whose calls are all over sleeps in the background thread without a timeout: it wakes up 0 times a second.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from elsewhere.errors import PoolClosed
from elsewhere.runtime.driving.signals import Deferred
from elsewhere.sansio.helm import Helm

__all__ = ["Pump"]

LONGEST_WAIT = 3600.0  # seconds; the system calls overflow at some hundred hours
HEARS = 0.5  # seconds; a signal may hit another thread, or this one on its way to sleep: no sleep ends with it then
LAST_LOOK = 1.0  # seconds for the background thread to see that it is over
BETWEEN = 0.0005  # seconds between the steps that a thread makes while it posts call after call
Subscribe = Callable[[Callable[[], None]], None]


class _Ticket:
    """A thread that waits: its identity at the helm, and what wakes it when it is parked."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def wake(self) -> None:
        """From any thread, any number of times."""
        try:
            self._lock.release()
        except RuntimeError:
            return  # it is awake

    def sleep(self, timeout: float | None) -> None:
        """Until woken."""
        self._lock.acquire(timeout=-1 if timeout is None else timeout)


class Pump:
    """Base of the drivers: an inbox, and steps made by one thread at a time.

    Args:
        name: for the background thread.
    """

    def __init__(self, name: str) -> None:
        self._inbox: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._asleep = False  # is whoever drives to be woken when something is posted?
        self._nudged = False  # may what the driver waits for be there, although no step brought it?
        self._bell = _Ticket()
        self._ended = False
        self._given_back = False
        self._stepping: int | None = None  # the thread that is inside a step
        self._driving: int | None = None  # the thread that holds the helm
        self._inside = 0  # signal handlers that wait inside of a sleep
        self._waiting: dict[int, _Ticket] = {}  # by thread
        self._spare: list[_Ticket] = []  # of threads that drove and were never parked
        self._stepped_at = 0.0
        self._due: float | None = None  # when there is something to do without anybody saying so (`time.monotonic`)
        self._added = False  # did a thread add calls that may soon wait for them?
        self._alarm = _Ticket()  # wakes the background thread
        self._helm = Helm(self._alarm)
        self._mutex = threading.RLock()  # a finalizer or a signal handler may post while its thread holds it
        self._pid = os.getpid()
        self._at_end: list[Callable[[], None]] = []
        self._thread = threading.Thread(target=self._background, name=name, daemon=True)

    # ---- what subclasses are asked --------------------------------------------------------------------------------

    def _carry_out(self) -> None:
        """Carry out what the inbox, the clock and the machine say now; set `_due`."""
        raise NotImplementedError

    def _sleep(self, timeout: float | None) -> Any:
        """Wait for something to happen; what it gives goes to `_happened`."""
        self._bell.sleep(timeout)

    def _happened(self, events: Any) -> None:
        """Take note of it."""

    def _wake(self) -> None:
        """Interrupt `_sleep`, from any thread."""
        self._bell.wake()

    def _busy(self) -> bool:
        """Is there anything unfinished?"""
        raise NotImplementedError

    def _over(self) -> bool:
        """Has everything come to its end?"""
        raise NotImplementedError

    def _crash(self, error: BaseException) -> None:
        """A bug of ours: leave nobody waiting."""
        raise NotImplementedError

    def _give_back(self) -> None:
        """Give back what was held; called once, at the end."""

    def _turn_away(self) -> None:
        """Fail what was posted too late."""

    # ---- for everybody --------------------------------------------------------------------------------------------

    def post(self, event: Callable[..., None], *args: Any) -> None:
        """Have `event(*args)` called by whoever drives, soon."""
        self._inbox.append((event, args))
        if self._asleep:
            self._ring()
        elif self._helm.holder is None:
            self.attend()
        if self._ended:
            self._turn_away()

    def attend(self) -> None:
        """Somebody waits who cannot drive: the background thread is to do it."""
        with self._mutex:
            ring = self._helm.attend(time.monotonic())
        if ring:
            self._alarm.wake()

    def nudge(self) -> None:
        """What somebody waits for may be there, although no step brought it."""
        if self._stepping != threading.get_ident():
            self._nudged = True  # for a driver that has looked, and is not yet asleep
            if self._asleep:
                self._ring()

    def _ring(self) -> None:
        """Interrupt the driver's sleep, once."""
        with Deferred():  # or a signal could leave it asleep, and everybody else in the belief that it was woken
            self._asleep = False
            self._wake()

    def wait(self, done: Callable[[], bool], timeout: float | None, subscribe: Subscribe) -> bool:
        """Wait until something is done, driving meanwhile unless another thread does.

        Args:
            done: is it?
            timeout: seconds; None for no limit.
            subscribe: called with a function that is to be called, from any thread, when it is done.

        Returns:
            whether it is done; False when time is up.

        Raises:
            PoolClosed: this is a forked child, and the pool its parent's.
        """
        if done():
            return True
        if os.getpid() != self._pid:
            self._check_process()
        until = None if timeout is None else time.monotonic() + timeout
        me = threading.get_ident()
        if self._stepping == me:
            raise RuntimeError(
                "this code runs inside the pool (it was called by an output stream, a logging handler or a finalizer), "
                "and cannot wait for one of its calls"
            )
        with Deferred() as deferred:
            if self._driving == me:
                return self._drive_inside(done, until, deferred)
            outer = self._waiting.get(me)  # of a parked wait, inside of which a signal handler waits
            ticket = self._waiting[me] = outer or self._ticket()
            drives = False
            try:
                if outer is None:
                    with self._mutex:
                        drives = self._helm.arrive(ticket, time.monotonic())
                else:
                    drives = self._helm.holder is ticket
                if not drives and not self._park(ticket, done, until, subscribe, deferred):
                    return done()
                self._driving = me
                return self._drive(done, until, deferred)
            finally:
                if outer is None:
                    del self._waiting[me]
                    self._leave(ticket)
                    if drives:
                        self._spare.append(ticket)
                else:
                    ticket.wake()  # it may have what it waits for, or the helm

    def _ticket(self) -> _Ticket:
        try:
            return self._spare.pop()
        except IndexError:
            return _Ticket()

    def inherited(self) -> bool:
        """Is this a forked child, and the pool its parent's?"""
        return os.getpid() != self._pid

    def _check_process(self) -> None:
        if self.inherited():
            raise PoolClosed(f"this pool belongs to process {self._pid}; this one is a forked copy: make a pool here")

    def join(self, timeout: float | None = None) -> bool:
        """Wait until it is over; False if `timeout` seconds did not suffice."""
        if self._stepping == threading.get_ident():
            return False
        if timeout != 0:
            self.wait(lambda: self._ended, timeout, self._at_end.append)
        if not self._ended:
            return False
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(LAST_LOOK)
        return True

    # ---- driving ---------------------------------------------------------------------------------------------------

    def _drive(self, done: Callable[[], bool], until: float | None, deferred: Deferred) -> bool:
        while True:
            self._nudged = False
            if done():
                return True
            if self._ended:
                return done()
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                self._step(0, deferred)  # at least one: who asks again and again without time keeps others from driving
                return done()
            if deferred.active and (left is None or left > HEARS):
                left = HEARS
            self._step(left, deferred)

    def _drive_inside(self, done: Callable[[], bool], until: float | None, deferred: Deferred) -> bool:
        """A signal handler waits, while the thread that it runs in sleeps at the helm."""
        self._inside += 1
        try:
            return self._drive(done, until, deferred)
        finally:
            self._inside -= 1
            self._asleep = True  # as the sleeper had it
            self._wake()  # it may have to sleep for another time now, or have what it waits for

    def _park(
        self, ticket: _Ticket, done: Callable[[], bool], until: float | None, subscribe: Subscribe, deferred: Deferred
    ) -> bool:
        """Sleep until the helm is handed over (True), or it is done or time is up (False)."""
        subscribe(ticket.wake)
        self.nudge()  # if the background thread drives, it makes room
        while not done():
            if self._helm.holder is ticket:
                return True
            left = LONGEST_WAIT if until is None else until - time.monotonic()
            if left <= 0 or self._ended:
                return False
            deferred.sleep(ticket.sleep, min(left, HEARS if deferred.active else LONGEST_WAIT))
        return False

    def _leave(self, ticket: Any) -> None:
        """Go: hand the helm on, or see to it that the background thread looks in time."""
        now = time.monotonic()
        with self._mutex:
            if self._helm.holder is ticket:
                self._driving = None
                if self._ended:
                    self._close_up()
            following = self._helm.leave(ticket, now)
            ring = following is None and not self._ended and self._helm.should_wake(self._busy(), now)
        if isinstance(following, _Ticket):
            following.wake()
        elif ring:
            self._alarm.wake()

    def _step(self, limit: float | None, deferred: Deferred) -> None:
        """Sleep for at most `limit` seconds if nothing is posted, take note of what happened, and carry it out."""
        events: Any = None
        self._asleep = True
        if self._inbox or self._nudged:  # before the flag was up: nobody has rung
            self._asleep = self._nudged = False
        else:
            try:
                timeout = None if limit is None and self._due is None else self._sleeping_time(limit)
                events = deferred.sleep(self._sleep, timeout) if timeout != 0 else self._sleep(0)
            finally:
                self._asleep = False
            if self._ended:  # a signal handler waited for that, inside the sleep
                return
        self._stepping = threading.get_ident()
        try:
            if events:
                self._happened(events)
            self._carry_out()
            if self._over():
                self._end()
        except BaseException as error:  # noqa: BLE001 - a bug of ours; signals' exceptions come only while it sleeps
            try:
                self._crash(error)
            finally:
                self._end()
        finally:
            self._stepped_at = time.monotonic()
            self._stepping = None

    def _sleeping_time(self, limit: float | None) -> float | None:
        at = self._due
        if at is not None:
            until = max(0.0, at - time.monotonic())
            limit = until if limit is None else min(limit, until)
        return None if limit is None else min(limit, LONGEST_WAIT)

    def _end(self) -> None:
        """It is over: from now on nobody drives."""
        if not self._ended:
            self._close_up()
            self._ended = True
            self._turn_away()
            self._alarm.wake()
            for wake in self._at_end:
                wake()

    def _close_up(self) -> None:
        """Give back what was held, once, and not while an outer sleep still uses it."""
        if not self._inside and not self._given_back:
            self._given_back = True
            with contextlib.suppress(Exception):
                self._give_back()

    def _go_on(self) -> None:
        """A thread has added calls and goes on without waiting: the first are sent at once, a burst now and then."""
        self._added = True
        if self._helm.holder is not None:
            return
        now = time.monotonic()
        if now > self._stepped_at + BETWEEN:
            with Deferred() as deferred:
                ticket = object()
                try:
                    with self._mutex:
                        drives = self._helm.arrive(ticket, now)
                    if drives:
                        self._driving = threading.get_ident()
                        self._step(0, deferred)  # what was posted
                        self._step(0, deferred)  # what has come in meanwhile
                finally:
                    self._leave(ticket)
        elif self._helm.wake_at > now:
            with self._mutex:
                ring = self._helm.should_wake(True, now)
            if ring:
                self._alarm.wake()

    # ---- the background thread ---------------------------------------------------------------------------------------

    def _background(self) -> None:
        alarm = self._alarm
        deferred = Deferred()
        with deferred:
            while not self._ended:
                now = time.monotonic()
                with self._mutex:
                    drives = self._helm.look(self._busy(), now)
                    pause = self._helm.wake_at - now
                if not drives:
                    alarm.sleep(min(max(pause, 0.0), LONGEST_WAIT))
                    continue
                self._driving = threading.get_ident()
                self._added = False
                try:
                    while not self._ended and self._helm.stay(self._added, time.monotonic()):
                        self._added = False
                        self._step(None, deferred)
                finally:
                    self._leave(alarm)
