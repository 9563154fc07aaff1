"""When a wait spins: after short waits, and not where it has lately cost more than it could save."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from elsewhere.sansio.spinning import DISTURBED, LIMIT, PENANCE, QUICK, TOLERANCE, Spinning

LOSSES = st.lists(st.floats(DISTURBED, 3 * TOLERANCE), max_size=40)


def spinning() -> Spinning:
    machine = Spinning()
    for _ in range(QUICK):
        assert not machine.wanted()
        machine.slept(LIMIT)
    assert machine.wanted()
    return machine


def test_a_long_wait_begins_the_count_of_short_ones_anew():
    machine = Spinning()
    machine.slept(LIMIT / 2)
    machine.slept(LIMIT * 1.01)
    for _ in range(QUICK):
        assert not machine.wanted()
        machine.slept(0.0)
    assert machine.wanted()


def test_a_spin_in_vain_is_followed_by_waits_that_sleep_until_they_are_short_again():
    machine = spinning()
    machine.spun(0.0, found=False)
    assert not machine.wanted()
    for _ in range(QUICK):
        assert not machine.wanted()
        machine.slept(LIMIT)
    assert machine.wanted()


def test_spins_that_find_go_on():
    machine = spinning()
    for _ in range(10 * PENANCE):
        machine.spun(0.0, found=True)
        assert machine.wanted()


@given(LOSSES)
def test_what_others_take_is_put_up_with_for_a_while(losses: list[float]):
    machine, lost = spinning(), 0.0
    for loss in losses:
        machine.spun(loss, found=True)
        lost += loss
        if lost > TOLERANCE:
            break
        assert machine.wanted()
    else:
        return
    for _ in range(PENANCE):
        assert not machine.wanted()
        machine.slept(LIMIT)
    assert machine.wanted()


def test_an_undisturbed_find_is_forgiveness():
    machine = spinning()
    for _ in range(100):
        machine.spun(TOLERANCE, found=True)
        machine.spun(0.0, found=True)
    assert machine.wanted()


def test_an_undisturbed_wait_in_vain_is_none():
    machine = spinning()
    machine.spun(TOLERANCE, found=True)
    machine.spun(0.0, found=False)
    for _ in range(QUICK):
        machine.slept(0.0)
    machine.spun(TOLERANCE / 100, found=True)
    assert not machine.wanted()
    for _ in range(QUICK):
        machine.slept(0.0)
    assert not machine.wanted()
