"""A thousand hosts."""

from __future__ import annotations

from benchmarks.fleet.yard import Yard


def measure(yard: Yard, hosts: int) -> dict[str, float]:
    """Not yet."""
    return {}
