"""The options that verbs share: spelled, checked and explained once, so that they mean the same everywhere.

A verb takes what it needs by ``@shared("jobs", "output", ...)``. Further verbs add rows to the table, not spellings.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import click

__all__ = ["TABLE", "seconds", "shared"]


def seconds(text: str) -> float | None:
    """``"1.5"`` is 1.5; ``"inf"`` is None, no limit. Not `click.FloatRange`, which lets NaN through."""
    try:
        number = float(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a number of seconds.") from None
    if not number > 0:
        raise click.BadParameter(f"{text} is not more than 0 seconds.")
    return None if number == math.inf else number


Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _option(*names: str, **settings: Any) -> Decorator:
    return click.option(*names, **settings)


TABLE: dict[str, Decorator] = {
    "jobs": _option(
        "-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="How many at once; as many as there are cores."
    ),
    "output": _option(
        "-o", "--output", type=click.Path(), metavar="FILE", help="Append rows to FILE instead of printing them."
    ),
    "resume": _option("--resume", is_flag=True, help="Go on with an existing FILE: run what has no row yet."),
    "max_failures": _option(
        "--max-failures", type=click.IntRange(min=1), metavar="N", help="Stop after N failures; never by default."
    ),
    "timeout": _option("--timeout", type=seconds, metavar="SECONDS", help="Stop a call that runs longer."),
    "retries": _option(
        "--retries", type=click.IntRange(min=0), default=0, metavar="N", help="Repeat a failed call up to N times."
    ),
    "text": _option(
        "--json/--text", "as_json", default=True, help="JSON lines (the default), or values only, one a line."
    ),
    "dry_run": _option("-n", "--dry-run", is_flag=True, help="Say what would be run, and run nothing."),
    "quiet": _option("-q", "--quiet", is_flag=True, help="No progress bar and no notes; errors remain."),
}


def shared(*names: str) -> Decorator:
    """The options of these names, in this order, for a command."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for name in reversed(names):  # the last decorator applied is the first option listed
            command = TABLE[name](command)
        return command

    return decorate
