"""Waiting for what comes soon: looked for, for a bounded time, then slept for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from elsewhere.runtime import spin
from elsewhere.runtime.spin import wait_soon
from elsewhere.sansio.spinning import QUICK, Spinning


def ready() -> Spinning:
    spinning = Spinning()
    for _ in range(QUICK):
        spinning.slept(0.0)
    return spinning


def after(looks: int) -> Callable[[], str]:
    """What is there from so many looks on."""
    seen = iter([""] * looks)
    return lambda: next(seen, "found")


def test_the_first_wait_sleeps():
    spinning = Spinning()
    assert wait_soon(spinning, lambda: "looked", lambda: "slept") == "slept"


def test_short_waits_lead_to_looking():
    spinning = Spinning()
    outcomes = [wait_soon(spinning, after(1), lambda: "slept") for _ in range(QUICK + 1)]
    assert outcomes == ["slept"] * QUICK + ["found"]
    assert spinning.wanted()


def test_looking_ends_and_sleeping_begins():
    spinning, looks = ready(), []
    assert wait_soon(spinning, lambda: looks.append(1), lambda: "slept") == "slept"
    assert looks
    assert not spinning.wanted()


def test_what_is_there_at_once_is_not_slept_for():
    assert wait_soon(ready(), after(0), lambda: "slept") == "found"


@pytest.mark.parametrize(("gives_way", "expected"), [(True, ["way", "look"]), (False, ["look"])])
def test_who_has_just_said_something_gives_the_core_away_first(monkeypatch, gives_way, expected):
    order: list[str] = []
    monkeypatch.setattr(spin, "_give_way", lambda: order.append("way"))

    def look() -> str:
        order.append("look")
        return "found"

    assert wait_soon(ready(), look, lambda: "slept", gives_way=gives_way) == "found"
    assert order == expected
