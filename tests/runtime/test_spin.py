"""Waiting for what comes soon: looked for, for a bounded time, then slept for."""

from __future__ import annotations

from collections.abc import Callable

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
