"""In which of a few ways a host's verb has ended, in two or three words: what summaries count and messages group by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from elsewhere.errors import (
    CallTimeout,
    ConnectError,
    ConnectionLost,
    ConnectTimeout,
    HostKeyError,
    MayHaveRun,
    NotTouched,
    Unauthorized,
)
from elsewhere.fleet.files.outcome import TransferError
from elsewhere.fleet.naming.known import table
from elsewhere.fleet.results import CommandError, Result
from elsewhere.sansio.hosts.many.folding import shortly
from elsewhere.sansio.hosts.many.plain import plain

__all__ = ["INTERRUPTED", "NOT_TOUCHED", "OK", "UNKNOWN_KEY", "by_kind", "kind_of", "report"]

OK = "ok"
NOT_TOUCHED = "not touched"
INTERRUPTED = "interrupted"
UNKNOWN_KEY = "host key unknown"
MOST_KINDS = 12  # lines of a report: more are a list, not a report
MOST_KEYS = 50  # rows of a table of keys
MOST_TEXT = 300  # characters of one host's message in a report


def kind_of(outcome: object) -> str:
    """``"ok"``, ``"exit status 3"``, ``"unreachable"``, ...; the name of its type for an exception of another kind.

    Args:
        outcome: a verb's result, or its exception.
    """
    if isinstance(outcome, CommandError):
        return kind_of(outcome.result)
    if isinstance(outcome, Result):
        if outcome.ok:
            return OK
        return f"ended by SIG{outcome.signal}" if outcome.signal else f"exit status {outcome.returncode}"
    if not isinstance(outcome, BaseException):
        return OK if getattr(outcome, "ok", True) else "not ok"
    if isinstance(outcome, Unauthorized):
        return "sudo refused" if _SUDO.match(str(outcome)) else "login refused"
    for kind, text in _KINDS:
        if isinstance(outcome, kind):
            return text
    if isinstance(outcome, HostKeyError):
        return "host key changed" if outcome.changed else UNKNOWN_KEY
    if isinstance(outcome, ConnectError):
        return _not_reached(outcome)
    return INTERRUPTED if type(outcome) is MayHaveRun else type(outcome).__name__


_SUDO = re.compile(r"\S+: (there is no )?sudo\b")  # one type for both, as one may do the same about both
_KINDS: tuple[tuple[type[BaseException], str], ...] = (
    (NotTouched, NOT_TOUCHED),
    (CallTimeout, "timed out"),
    (ConnectTimeout, "not connected in time"),
    (ConnectionLost, "connection lost"),
    (TransferError, "copy failed"),
    (FileNotFoundError, "file not found"),
)


def _not_reached(error: ConnectError) -> str:
    if error.phase == "resolve":
        return "name not found"
    cause = error.__cause__
    if isinstance(cause, ConnectionRefusedError) or "Connection refused" in str(cause):
        return "connection refused"
    return "host key not believed" if error.phase == "host key" else "unreachable"


def by_kind(results: Mapping[Any, object]) -> dict[str, dict[Any, object]]:
    """Hosts with their outcomes, by kind: ok first, then what failed, most hosts first; not touched last."""
    found: dict[str, dict[Any, object]] = {}
    for host, outcome in results.items():
        found.setdefault(kind_of(outcome), {})[host] = outcome

    def rank(kind: str) -> tuple[bool, bool, int]:
        return kind != OK, kind == NOT_TOUCHED, -len(found[kind])

    return {kind: found[kind] for kind in sorted(found, key=rank)}


def _keys(hosts: Mapping[Any, object]) -> list[str]:
    """One table of the keys that are not known."""
    errors = {host: error for host, error in hosts.items() if isinstance(error, HostKeyError)}
    names = list(errors)
    *rows, cure = table({name: errors[name] for name in names[:MOST_KEYS]}).splitlines()
    if len(names) > MOST_KEYS:
        rows.append(f"  and {len(names) - MOST_KEYS:,} more: {shortly(map(str, names[MOST_KEYS:]))}")
    return [*rows, cure]


def report(verb: str, results: Mapping[Any, object]) -> str:
    """What failed where, as the message of one error: short, however many hosts there are.

    Args:
        verb: that was asked for: ``"run"``.
        results: by host; at least one is an exception.
    """
    failed = {host: outcome for host, outcome in results.items() if isinstance(outcome, Exception)}
    untouched = sum(isinstance(outcome, NotTouched) for outcome in failed.values())
    lines = [f"{verb} failed on {len(failed) - untouched:,} of {len(results):,} hosts:"]
    kinds = by_kind(failed)
    for kind, hosts in list(kinds.items())[:MOST_KINDS]:
        if kind == UNKNOWN_KEY and len(hosts) > 1:
            lines += [f"  {line}" for line in _keys(hosts)]
            continue
        lines.append(f"  {len(hosts):,} {kind}: {shortly(map(str, hosts))}")
        if kind != NOT_TOUCHED:
            example = plain(" ".join(str(next(iter(hosts.values()))).split()))
            lines.append(f"    {example if len(example) <= MOST_TEXT else f'{example[: MOST_TEXT - 3]}...'}")
    if len(kinds) > MOST_KINDS:
        lines.append(f"  and {len(kinds) - MOST_KINDS} more kinds of failure")
    return "\n".join(lines)
