"""How far a job is, in words: numbers in, text out."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Snapshot", "compose", "compose_line", "duration", "pace"]


class Snapshot(NamedTuple):
    """How far a job is at one moment."""

    label: str
    done: int
    total: int | None  # None: nobody knows
    failed: int
    elapsed: float
    rate: float  # calls a second
    ended: bool = False


def compose(shot: Snapshot, *, elapsed: bool = False) -> list[str]:
    """What to show, part by part: count, percentage, pace, time so far (if asked for), time to go, failures."""
    parts = [f"{shot.done:,}"]
    if shot.total is not None:
        # Rounded down: 100% is said when everything is done, and not before.
        percent = 100 * shot.done // shot.total if shot.total else 100
        parts = [f"{shot.done:,}/{shot.total:,}", f"{percent}%"]
    if shot.rate > 0:
        parts.append(pace(shot.rate))
    if shot.ended:
        parts.append(f"in {shot.elapsed:.1f} s" if shot.elapsed < 10 else f"in {duration(shot.elapsed)}")
    elif elapsed or shot.total is None:
        parts.append(f"after {duration(shot.elapsed)}")
    if shot.total is not None and shot.rate > 0 and shot.done < shot.total and not shot.ended:
        parts.append(f"eta {duration((shot.total - shot.done) / shot.rate)}")
    if shot.failed:
        parts.append(f"{shot.failed:,} failed")
    return parts


def compose_line(shot: Snapshot, *, elapsed: bool = False) -> str:
    """``score: 1,200/20,000  6%  400/s  eta 0:47  3 failed``."""
    return (f"{shot.label}: " if shot.label else "") + "  ".join(compose(shot, elapsed=elapsed))


def duration(seconds: float) -> str:
    """``0:47``, ``12:05``, ``3:07:00``, ``2d 03h``."""
    minutes, second = divmod(round(max(0.0, seconds)), 60)
    hours, minute = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24}d {hours % 24:02}h"
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def pace(rate: float) -> str:
    """``12,400/s``, ``4.2/s``, ``12/min``, ``3.5/h``: the unit in which the number is at least 1."""
    number, unit = (rate, "s") if rate >= 1 else (60 * rate, "min") if 60 * rate >= 1 else (3600 * rate, "h")
    return f"{number:,.1f}/{unit}" if number < 9.95 else f"{number:,.0f}/{unit}"
