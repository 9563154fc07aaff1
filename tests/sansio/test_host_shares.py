"""Which host of a pool has how many workers: sums, fairness, and what happens when hosts come and go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from elsewhere.sansio.hosts.shares import Shares

MOST = 9


def test_one_that_is_still_being_reached_keeps_its_place():
    shares = Shares(2, 4, MOST)
    shares.up(0, 64)
    assert shares.planned() == [2, 0]
    shares.out(1)
    assert shares.planned() == [4, 0]


def test_a_host_that_comes_back_gets_its_share():
    shares = Shares(2, 4, MOST)
    shares.up(0, 1)
    shares.out(1)
    shares.open = [4, 0]
    shares.up(1, 1)
    assert shares.planned() == [2, 2]
    assert shares.surplus() == {0: 2}
    assert shares.next() == 1


def test_without_a_number_each_has_its_cores():
    shares = Shares(3, None, MOST)
    shares.up(0, 2)
    shares.up(1, 64)
    assert shares.planned() == [2, MOST, 0]
    shares.limit(1, 3)
    assert shares.planned() == [2, 3, 0]


@pytest.mark.parametrize("wanted", [1, 2, 3, 7])
def test_the_first_hosts_get_what_is_left(wanted):
    shares = Shares(3, wanted, MOST)
    for host in range(3):
        shares.up(host, 1)
    assert shares.planned() == [wanted // 3 + (host < wanted % 3) for host in range(3)]


@given(st.lists(st.sampled_from("tuo"), min_size=1, max_size=8), st.none() | st.integers(1, 80))
def test_all_that_can_be_had_is_had_and_evenly(states, wanted):
    shares = Shares(len(states), wanted, MOST)
    for host, state in enumerate(states):
        if state == "u":
            shares.up(host, host + 1)
        elif state == "o":
            shares.out(host)
    planned = shares.planned()
    up = [each for each, state in zip(planned, states, strict=True) if state == "u"]
    assert all(each == 0 for each, state in zip(planned, states, strict=True) if state != "u")
    assert all(each <= MOST for each in planned)
    if wanted is None:
        assert up == [min(host + 1, MOST) for host, state in enumerate(states) if state == "u"]
    else:
        assert not up or max(up) - min(up) <= 1
        if "t" not in states:
            assert sum(up) == min(wanted, MOST * len(up))
    assert shares.none_left == (set(states) == {"o"})


class Life(RuleBasedStateMachine):
    """Workers follow the plan, whatever hosts do, in as many steps as there are workers to move."""

    def __init__(self):
        super().__init__()
        self.shares = Shares(3, 5, MOST)
        self.rooms = [MOST] * 3

    @rule(host=st.integers(0, 2), cores=st.integers(-3, 100))
    def up(self, host, cores):
        self.shares.up(host, cores)
        self.rooms[host] = MOST

    @rule(host=st.integers(0, 2))
    def lost(self, host):
        self.shares.trying(host)
        self.shares.open[host] = 0

    @rule(host=st.integers(0, 2))
    def out(self, host):
        self.shares.out(host)
        self.shares.open[host] = 0

    @rule(host=st.integers(0, 2), most=st.integers(0, 9))
    def limit(self, host, most):
        self.shares.limit(host, most)
        self.rooms[host] = min(self.rooms[host], most)

    @rule(wanted=st.integers(1, 20))
    def wants(self, wanted):
        self.shares.wanted = wanted

    @precondition(lambda self: self.shares.size)
    @rule()
    def follows(self):
        for host, more in self.shares.surplus().items():
            self.shares.open[host] -= more
        for _ in range(3 * MOST):
            if sum(self.shares.open) >= self.shares.size:
                break
            host = self.shares.next()
            assert host is not None
            self.shares.open[host] += 1
        assert self.shares.open == self.shares.planned()

    @invariant()
    def nobody_gets_more_than_there_is_room_for(self):
        assert all(0 <= each <= room for each, room in zip(self.shares.planned(), self.rooms, strict=True))
        assert self.shares.size <= (self.shares.wanted or 0)
        assert (self.shares.next() is None) == (not any(map(self.shares.is_up, range(3))))


TestLife = Life.TestCase
