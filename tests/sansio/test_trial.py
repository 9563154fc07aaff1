"""How to wait: what was quicker is kept, and tried again."""

from __future__ import annotations

import pytest

from elsewhere.sansio.trial import KEPT, TRIES, Trial


def run(trial, sleeping, looking, count):
    found = []
    for _ in range(count):
        found.append(trial.looks)
        if trial.kept:
            trial.passed()
        else:
            trial.took(looking if trial.looks else sleeping)
    return found


@pytest.mark.parametrize(("sleeping", "looking"), [(60e-6, 40e-6), (30e-6, 33e-6), (5.0, 5.0), (5.0, 40e-6)])
def test_the_quicker_way_is_kept_and_both_are_tried_again(sleeping, looking):
    trial = Trial()
    for _ in range(3):
        assert run(trial, sleeping, looking, 2 * TRIES) == [False] * TRIES + [True] * TRIES
        assert run(trial, sleeping, looking, KEPT) == [looking < min(sleeping, 0.001)] * KEPT


def test_a_few_long_waits_decide_nothing():
    trial = Trial()
    for number in range(2 * TRIES):
        trial.took(0.0009 if number % 5 == 0 else 40e-6 if trial.looks else 50e-6)
    assert trial.looks


def test_waits_that_are_all_long_end_the_trial():
    trial = Trial()
    assert run(trial, 1.0, 1.0, 2 * TRIES + KEPT)[-KEPT:] == [False] * KEPT
