"""Findings as lines that fit a screen. Everything here is a pure function."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from elsewhere.cli.doctor.finding import CORE, FAILS, MISSING, NOTE, WORKS, Finding

__all__ = ["end", "failed", "lines"]

WORDS = {WORKS: "works", NOTE: "works, but", MISSING: "not installed", FAILS: "does not"}
COLOURS = {WORKS: 32, NOTE: 33, MISSING: 2, FAILS: 31}  # green, yellow, dim, red
NAMES = max(map(len, WORDS.values())) + 2  # the column of the names
SAYS = NAMES + 13  # ... and of what is found


def lines(finding: Finding, *, width: int, coloured: bool) -> list[str]:
    """One finding: a line, and what to do below it."""
    word = WORDS[finding.state]
    shown = f"\x1b[{COLOURS[finding.state]}m{word}\x1b[0m" if coloured else word
    says = f"{finding.says}: {finding.do}" if finding.state == MISSING and finding.do else finding.says
    says = finding.do if says == f"not installed: {finding.do}" else says
    first, *more = textwrap.wrap(says, width - SAYS, break_long_words=False, break_on_hyphens=False) or [""]
    found = [f"{shown}{'':{NAMES - len(word)}}{finding.name:{SAYS - NAMES}}{first}".rstrip()]
    found += [f"{'':{SAYS}}{line}" for line in more]
    if finding.do and finding.state != MISSING:
        todo = textwrap.wrap(finding.do, width - SAYS - 3, break_long_words=False, break_on_hyphens=False)
        found += [f"{'':{SAYS}}{'   ' if number else '-> '}{line}" for number, line in enumerate(todo)]
    return found


def failed(findings: Iterable[Finding], named: Sequence[str]) -> list[str]:
    """The names of what has to work and does not.

    Args:
        findings: all.
        named: parts that were asked for: what is missing there is a failure, too.
    """
    return [
        each.name
        for each in findings
        if (each.state == FAILS and (each.part == CORE or each.part in named))
        or (each.state == MISSING and each.part in named)
    ]


def end(names: Sequence[str], named: Sequence[str]) -> str:
    """The last line."""
    if names:
        return f"Not all that is needed works: {', '.join(names)}."
    return (
        f"All that {' and '.join(named)} need{'s' * (len(named) == 1)} works." if named else "All that is core works."
    )
