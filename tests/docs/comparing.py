"""Whether what was printed is what a page says; the rules are in `blocks.py`."""

from __future__ import annotations

import difflib
import re
from itertools import groupby

HOST = re.compile(r"^\[[\w.@:-]+\] ")
# A bar that is no terminal's, before its last line: "score: 3/9  33%  2.0/s  eta 0:03", or "score: 3  after 0:02".
UNDER_WAY = re.compile(r"^\S.*: [\d,]+(?:/[\d,]+  \d+%(?!.*  in \d)|(?:  [\d.,]+/\w+)?  after [\d:]+)")
NUMBER = r"\d[\d,]*(?:\.\d+)?"
# What another text may stand for, and which.
LOOSE = {
    r"\.\.\.": r"[^\n]*?",
    rf"(?<=  ){NUMBER}/s(?!\w)": rf"{NUMBER}/(?:s|min|h)",  # a bar's
    rf"(?<=  in ){NUMBER} s$": rf"(?:{NUMBER} s|[\d:]+)",  # ... from ten seconds on "in 0:12"
    rf"(?<![\w.]){NUMBER}(?= ?(?:s|ms|µs|seconds|times|%|x)(?!\w)|/s(?!\w))": NUMBER,
    r"\b\d+m[\d.]+s$": r"\d+m[\d.]+s",  # of bash's time
    r"(?<=\bworker )\d+|(?<=\bpid )\d+": r"\d+",
}
ANY_OF_THEM = re.compile("|".join(f"({pattern})" for pattern in LOOSE))


def tidy(text: str) -> list[str]:
    """Lines without spaces at their ends, and without empty ones at the end or bars under way; hosts in order."""
    lines = [line.rstrip() for line in text.rstrip().splitlines() if not UNDER_WAY.match(line)]
    found: list[str] = []
    for of_hosts, group in groupby(lines, key=lambda line: bool(HOST.match(line))):
        some = list(group)
        found += sorted(some, key=lambda line: line.partition("]")[0]) if of_hosts else some
    return found


def pattern(lines: list[str]) -> re.Pattern[str]:
    """What matches all that these lines stand for; a newline is behind each."""
    return re.compile("".join(_pattern(line) for line in lines), re.MULTILINE)


def _pattern(line: str) -> str:
    if line.strip() == "...":
        return r"(?:[^\n]*\n)*?"
    parts, end = [], 0
    for loose in ANY_OF_THEM.finditer(line):
        assert loose.lastindex is not None
        parts += [re.escape(line[end : loose.start()]), list(LOOSE.values())[loose.lastindex - 1]]
        end = loose.end()
    return "".join(parts) + re.escape(line[end:]) + "\n"


def matches(expected: str, printed: str) -> bool:
    """Whether this was to be printed."""
    return bool(pattern(tidy(expected)).fullmatch(_joined(printed)))


def begins(expected: str, printed: str) -> bool:
    """Whether all that was to be printed has been, perhaps with more behind it."""
    return bool(pattern(tidy(expected)).match(_joined(printed)))


def tells_the_end(expected: str, printed: str) -> bool:
    """Whether the last line that was printed stands there, by more than dots."""
    wanted, got = tidy(expected), tidy(printed)
    last = wanted[-1] if wanted else ""
    return bool(got) and last.strip(". ") != "" and bool(re.fullmatch(_pattern(last), got[-1] + "\n"))


def difference(expected: str, printed: str) -> str:
    """Both beside each other, for a person."""
    lines = difflib.unified_diff(tidy(expected), tidy(printed), "the page", "printed", lineterm="", n=30)
    return "\n".join(f"    {line}" for line in lines)


def _joined(text: str) -> str:
    return "".join(f"{line}\n" for line in tidy(text))
