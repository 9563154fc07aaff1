"""Who drives, under every order of coming and going that Hypothesis finds: no thread, no clock."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from elsewhere.sansio.helm import ATTENDED, IDLE, TICK, Helm

BACK = "background"
SECONDS = st.sampled_from([0.0, 2.0**-14, 2.0**-10, 2.0**-9, 2.0**-8, 2.0**-5, 2.0**-4, 2.0**-3, 4.0])
WHO = st.sampled_from(["a", "b", "c", "d"])
EDGE = 1e-9  # seconds: sums of times are not exact


class HelmMachine(RuleBasedStateMachine):
    """Threads that keep to the rules of `pump`: what is said is done, by whoever it is said to, at some later time.

    The background thread is one that sleeps until `alarm_at` (its `wake_at`, or at once when it was rung), and is
    never late: time does not go past that moment before it has looked.
    """

    @initialize()
    def begin(self) -> None:
        self.helm = Helm(BACK)
        self.now = 100.0
        self.busy = False
        self.inside: set[str] = set()  # threads that have come and not gone
        self.rung = False
        self.unserved_since = inf  # since when something is unfinished and nobody drives
        self.attended_until = -inf
        self.looks_at_rest = 0
        self.look()

    # ---- the background thread -----------------------------------------------------------------------------------

    def look(self) -> None:
        self.rung = False
        drove = self.helm.holder == BACK
        drives = self.helm.look(self.busy, self.now)
        assert drives == (self.helm.holder == BACK)
        if drives:
            assert self.helm.wake_at == inf
        else:
            assert not drove
            assert self.helm.wake_at > self.now, "it would spin"
        if drives and not drove:
            assert not self.inside, "it took the helm from somebody"

    def stay(self, posted: bool) -> None:
        """It has made a step."""
        if self.helm.stay(posted, self.now):
            return
        self.go(BACK)
        assert self.helm.holder != BACK

    # ---- what pump does ------------------------------------------------------------------------------------------

    def go(self, who: str) -> None:
        held = self.helm.holder == who
        parked = self.inside - {self.helm.holder} - {who}
        following = self.helm.leave(who, self.now)
        self.inside.discard(who)
        assert following is None or held, "who does not drive has nothing to hand on"
        if held:
            assert following in parked if parked else following is None
            assert self.helm.holder == following
        if following is None:
            self.ring_if(self.helm.should_wake(self.busy, self.now))

    def ring_if(self, ring: bool) -> None:
        if ring:
            assert self.helm.holder is None
            assert not self.helm.should_wake(self.busy, self.now), "once is enough"
            self.rung = True

    def changed(self) -> None:
        unserved = self.busy and self.helm.holder is None
        self.unserved_since = min(self.unserved_since, self.now) if unserved else inf

    # ---- what happens --------------------------------------------------------------------------------------------

    @rule(who=WHO)
    def arrive(self, who: str) -> None:
        if who in self.inside:
            return
        free = self.helm.holder is None
        assert self.helm.arrive(who, self.now) == free
        assert (self.helm.holder == who) == free
        self.inside.add(who)
        if self.helm.holder == BACK:  # pump nudges it: a step, and it makes room
            self.stay(posted=False)
            assert self.helm.holder == who

    @precondition(lambda self: self.inside)
    @rule(data=st.data())
    def leave_or_time_out(self, data: st.DataObject) -> None:
        self.go(data.draw(st.sampled_from(sorted(self.inside))))

    @rule(who=WHO, times=st.integers(2, 6), between=st.sampled_from([0.0, TICK / 4, TICK / 2]))
    def wait_again_and_again(self, who: str, times: int, between: float) -> None:
        """Call after call from one thread: the background thread is rung once at most."""
        if self.inside or self.helm.holder == BACK or self.rung or self.now < self.attended_until:
            return  # somebody who cannot drive has the background thread do it at once
        rings = 0
        for _ in range(times):
            self.busy = True
            assert self.helm.arrive(who, self.now)
            self.unserved_since = inf
            self.now += between
            self.inside.add(who)
            self.go(who)
            rings += self.rung
            if self.rung or self.helm.wake_at <= self.now:
                self.look()
                assert self.helm.holder is None, "it took the helm though somebody has just driven"
        assert rings <= 1

    @precondition(lambda self: self.helm.holder == BACK)
    @rule(posted=st.booleans())
    def step(self, posted: bool) -> None:
        attended = self.now < self.attended_until
        self.stay(posted)
        if not posted:
            assert self.helm.holder == BACK, "nobody was parked"
        else:
            assert (self.helm.holder == BACK) == attended, "those who post may soon drive themselves"

    @rule()
    def post(self) -> None:
        """Calls are added, by a thread that does not wait."""
        self.busy = True
        if self.helm.holder is None:
            self.ring_if(self.helm.should_wake(True, self.now))

    @rule()
    def attend(self) -> None:
        free = self.helm.holder is None
        assert self.helm.attend(self.now) == free
        if free:
            self.rung = True
        self.attended_until = self.now + ATTENDED

    @precondition(lambda self: self.helm.holder is not None)
    @rule()
    def all_done(self) -> None:
        """Only a driver's step ends what was unfinished."""
        self.busy = False

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: float) -> None:
        until = self.now + seconds
        for _ in range(1000):
            self.changed()
            at = self.now if self.rung else self.helm.wake_at
            if self.helm.holder == BACK or at > until:
                break
            self.now = max(self.now, at)
            self.look()
        else:
            pytest.fail("it looks for ever")
        self.now = until

    @rule()
    def quiet(self) -> None:
        """Everybody goes and everything is done: soon the background thread sleeps without end, and stays so."""
        for who in sorted(self.inside):
            self.go(who)
        self.busy = False
        for _ in range(5):
            if self.helm.holder == BACK:
                break
            assert self.rung or self.helm.wake_at <= self.now + IDLE + EDGE
            self.now = self.now if self.rung else max(self.now, self.helm.wake_at)
            self.look()
        else:
            pytest.fail("it still looks")
        assert self.helm.stay(False, self.now)
        assert self.helm.wake_at == inf

    # ---- what holds always ---------------------------------------------------------------------------------------

    @invariant()
    def nobody_is_forgotten(self) -> None:
        holder = self.helm.holder
        assert holder is None or holder == BACK or holder in self.inside, "who left holds it"
        assert holder is not None or not self.inside, "they wait, and nobody drives"

    @invariant()
    def unfinished_calls_are_looked_after_in_time(self) -> None:
        self.changed()
        if self.helm.holder is None and not self.rung:
            assert self.helm.wake_at <= self.now + (TICK if self.busy else IDLE) + EDGE
        if self.unserved_since < inf and not self.rung:
            assert self.now <= self.unserved_since + 2 * TICK + EDGE or self.helm.wake_at <= self.now + EDGE


TestHelm = HelmMachine.TestCase


# ---- one by one ----------------------------------------------------------------------------------------------------


def test_the_first_drives_and_the_others_follow_in_the_order_in_which_they_came():
    helm = Helm(BACK)
    assert [helm.arrive(who, 1.0) for who in "abcd"] == [True, False, False, False]
    assert helm.leave("c", 1.0) is None
    assert [helm.leave("a", 1.0), helm.leave("b", 1.0), helm.leave("d", 1.0)] == ["b", "d", None]


def test_the_background_thread_comes_after_a_while_in_which_nobody_drove():
    helm = Helm(BACK)
    helm.arrive("a", 1.0)
    helm.leave("a", 2.0)
    assert not helm.look(True, 2.0 + TICK / 2)
    assert helm.wake_at == 2.0 + TICK
    assert not helm.look(False, 2.0 + TICK)
    assert helm.wake_at == 2.0 + IDLE
    assert helm.look(True, 2.0 + TICK)


def test_it_sleeps_without_end_while_a_thread_drives_for_long_and_is_woken_when_that_goes():
    helm = Helm(BACK)
    helm.arrive("a", 1.0)
    assert not helm.look(True, 1.0)
    assert helm.wake_at == 1.0 + IDLE
    assert not helm.look(True, 1.0 + IDLE)
    assert helm.wake_at == inf
    helm.leave("a", 3.0)
    assert helm.should_wake(False, 3.0)
    assert not helm.should_wake(False, 3.0)


def test_a_thread_that_makes_call_after_call_wakes_nobody():
    helm = Helm(BACK)
    now, looks = 1.0, 0
    helm.look(True, now)
    helm.leave(BACK, now)
    helm.should_wake(True, now)
    for _ in range(1000):
        helm.arrive("a", now)
        now += 0.0001
        helm.leave("a", now)
        assert not helm.should_wake(False, now) or looks == 0
        if helm.wake_at <= now:
            assert not helm.look(False, now)
            looks += 1
        now += 0.0001
    assert looks <= 0.2 / IDLE + 2


def test_who_cannot_drive_is_attended_to_at_once_for_a_while():
    helm = Helm(BACK)
    helm.arrive("a", 1.0)
    assert not helm.attend(1.0)
    helm.leave("a", 1.0)
    assert helm.attend(1.0)
    assert helm.look(True, 1.0)
    assert helm.stay(True, 1.0)
    assert not helm.stay(True, 1.0 + ATTENDED)
    assert helm.stay(False, 1.0 + ATTENDED)
    helm.arrive("a", 1.0)
    assert not helm.stay(False, 1.0)
    assert helm.leave(BACK, 1.0) == "a"
