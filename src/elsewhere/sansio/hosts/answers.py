"""Answers to what a command asks: which, and when.

A question is what a pattern finds at the very end of what was written: who has asked waits, and writes no more. Each
question is answered once; where it is asked again, it is answered again. What a terminal echoes of an answer is no
question.

Rule: bytes may be cut anywhere.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["Answers", "checked"]

KEPT = 4096  # characters of a line that are looked at
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
_FLAGS = re.compile(r"\A(?:\(\?[aiLmsux]+\))+")
Pairs = tuple[tuple[re.Pattern[str], str], ...]


def checked(answers: Mapping[Any, Any] | Iterable[Any]) -> Pairs:
    """The answers as a user gives them: a mapping of patterns to answers, or pairs of both.

    Raises:
        TypeError, ValueError: they are none.
    """
    if isinstance(answers, str | bytes):
        raise TypeError("answers is a dict of patterns to answers, or a list of pairs of them")
    pairs = list(answers.items() if isinstance(answers, Mapping) else answers)
    found = []
    for pair in pairs:
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise TypeError("answers is a dict of patterns to answers, or a list of pairs of them")
        pattern, answer = pair
        if isinstance(pattern, re.Pattern):
            flags, pattern = int(pattern.flags & ~re.UNICODE), pattern.pattern
        else:
            flags = 0
        if not isinstance(pattern, str) or not isinstance(answer, str):
            raise TypeError(f"a pattern and its answer are texts; those of {pattern!r:.80} are not")
        if not pattern:
            raise ValueError("an empty pattern would answer whatever is asked, and what is not")
        try:
            found.append((_at_the_end(pattern, flags), answer))
        except re.error as error:
            raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
    return tuple(found)


def _at_the_end(pattern: str, flags: int) -> re.Pattern[str]:
    flags |= int(re.compile(pattern, flags).flags & ~re.UNICODE)  # with those that stand in it, which must stand first
    pattern = _FLAGS.sub("", pattern)
    end = "\n" if flags & re.VERBOSE else ""  # behind a comment
    # Prompts end with one of these, more often than not; who writes the pattern need not care.
    return re.compile(f"(?:{pattern}{end})[ \\t:?>]*\\Z", flags)


class Answers:
    """Those of one command that runs.

    Args:
        pairs: see `checked`.
        encoding: of what it writes and reads.
    """

    def __init__(self, pairs: Pairs, encoding: str = "utf-8") -> None:
        self._pairs = pairs
        self._encoding = encoding
        self._streams: dict[str, _Stream] = {}
        self._last = ""

    def feed(self, name: str, data: bytes) -> bytes:
        """What is to be typed now.

        Args:
            name: of the stream.
            data: what came on it.
        """
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = _Stream(self._encoding)
        tail = stream.feed(data)
        self._last = tail
        for pattern, answer in self._pairs:
            if pattern.search(tail):
                for each in self._streams.values():
                    each.answered(answer)
                return (answer if answer.endswith("\n") else f"{answer}\n").encode(self._encoding, "surrogateescape")
        return b""

    @property
    def open(self) -> str:
        """The last that was written and not answered, if it does not end a line; that may be a question."""
        return self._last.rpartition("\n")[2].strip()


class _Stream:
    """What was written since the last answer."""

    def __init__(self, encoding: str) -> None:
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._tail = ""
        self._echo = ""

    def feed(self, data: bytes) -> str:
        text = self._decoder.decode(data)
        if self._echo:
            text = self._without_echo(text)
        self._tail = (self._tail + text)[-KEPT:]
        return _ESCAPES.sub("", self._tail)

    def answered(self, answer: str) -> None:
        """All before is over; the answer itself may be echoed."""
        self._tail = ""
        self._echo = answer.rstrip("\n")

    def _without_echo(self, text: str) -> str:
        """The text without what it may begin with: an echo, which a terminal gives whole or not at all."""
        if text.startswith(self._echo):
            text, self._echo = text[len(self._echo) :], ""
        elif self._echo.startswith(text):
            text, self._echo = "", self._echo[len(text) :]
        else:
            self._echo = ""
        return text
