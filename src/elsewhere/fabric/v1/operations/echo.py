"""What a host's output looks like here: each line behind the host's name.

Rule: pure; texts in, texts out.
"""

from __future__ import annotations

import re

__all__ = ["Echo"]

_END = re.compile(r"\r\n|\r|\n")


class Echo:
    """One stream of one command.

    Args:
        prefix: of each line: ``"[web1] out: "``; "" for none.
        linewise: give whole lines only, so that those of several hosts do not mix.
    """

    def __init__(self, prefix: str, linewise: bool) -> None:
        self._prefix = prefix
        self._linewise = linewise
        self._line = ""  # of which a whole one is waited for
        self._fresh = True  # at the start of a line, where the prefix goes
        self._return = False  # the last was a carriage return, whose newline may still come
        self._last = ""  # what was given

    def feed(self, text: str) -> str:
        """What to write for this."""
        if self._return and text.startswith("\n"):
            text = text[1:]
        elif not text:
            return ""
        self._return = text.endswith("\r")
        *lines, rest = _END.split(text)
        if self._linewise:
            return self._whole(lines, rest)
        found = []
        for line in lines:
            found.append(f"{self._prefix if self._fresh else ''}{line}\n")
            self._fresh = True
        found.append(f"{self._prefix if self._fresh else ''}{rest}")
        self._fresh = False
        return self._given("".join(found))

    def _whole(self, lines: list[str], rest: str) -> str:
        self._fresh = False
        found = []
        for line in lines:
            found.append(f"{self._prefix}{self._line}{line}\n")
            self._line = ""
        self._line += rest
        return self._given("".join(found))

    def _given(self, text: str) -> str:
        self._last = (self._last + text)[-len(self._prefix) :] if self._prefix else ""
        return text

    def end(self) -> str:
        """It has ended: what to write still."""
        if self._fresh and not self._last:
            return ""
        found = self._given(f"{self._prefix}{self._line}") if self._linewise else ""
        return found + ("\n" if self._prefix and self._last == self._prefix else "")
