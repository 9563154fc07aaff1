"""The options that verbs share: spelled, checked and explained once, so that they mean the same everywhere.

A verb takes what it needs by ``@shared("jobs", "output", ...)``, in words of its own where they mean something else to
it. Further verbs add rows to the table, not spellings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import click

__all__ = ["TABLE", "Decorator", "Row", "row", "seconds", "shared", "taken"]


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


class Row(NamedTuple):
    """How an option is spelled, and the rest of what `click.option` takes."""

    spelled: tuple[str, ...]
    settings: dict[str, Any]


def row(*spelled: str, **settings: Any) -> Row:
    """A row of a table."""
    return Row(spelled, settings)


TABLE: dict[str, Row] = {
    "jobs": row("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="How many at once; as many as cores."),
    "output": row("-o", "--output", type=click.Path(), metavar="FILE", help="Append rows to FILE, and show none."),
    "resume": row("--resume", is_flag=True, help="Go on with FILE: do what has no row yet."),
    "retry_failed": row("--retry-failed", is_flag=True, help="As --resume, and again what has failed."),
    "overwrite": row("--overwrite", is_flag=True, help="Start anew, though FILE exists."),
    "max_failures": row(
        "--max-failures", type=click.IntRange(min=1), metavar="N", help="Begin nothing more after N have failed."
    ),
    "timeout": row("--timeout", type=seconds, metavar="SECONDS", help="End what takes longer."),
    "retries": row(
        "--retries", type=click.IntRange(min=0), default=0, metavar="N", help="Repeat a failed call up to N times."
    ),
    "text": row("--json/--text", "as_json", default=True, help="JSON lines, or text only."),
    "dry_run": row("-n", "--dry-run", is_flag=True, help="Say what would be done, and do nothing."),
    "quiet": row("-q", "--quiet", is_flag=True, help="No progress bar and no notes; errors remain."),
}


def shared(*names: str, **changes: str | dict[str, Any]) -> Decorator:
    """The options of these names, in this order, for a command.

    Args:
        names: of rows.
        changes: by name, another help or other settings: what a verb calls its work, and its own default.
    """
    return taken(TABLE, names, changes)


def taken(
    table: Mapping[str, Row], names: tuple[str, ...], changes: Mapping[str, str | dict[str, Any]] | None = None
) -> Decorator:
    """`shared`, of any table."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for name in reversed(names):  # the last decorator applied is the first option listed
            change = (changes or {}).get(name, {})
            more = {"help": change} if isinstance(change, str) else change
            spelled, settings = table[name]
            command = click.option(*spelled, **{**settings, **more})(command)
        return command

    return decorate
