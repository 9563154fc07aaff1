"""Who looks at the output of a command, and answers."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator

from elsewhere.fabric.v3.invoke.exceptions import ResponseNotAccepted

__all__ = ["FailingResponder", "Responder", "StreamWatcher"]


class StreamWatcher(threading.local):
    """Has a method `submit`, which is given all of the output so far whenever there is more of it."""

    def submit(self, stream: str) -> Iterable[str]:
        """Texts to be typed."""
        raise NotImplementedError


class Responder(StreamWatcher):
    """Answers whatever matches.

    Args:
        pattern: a regular expression.
        response: what is typed at each match, with its newline.
    """

    def __init__(self, pattern: str, response: str) -> None:
        self.pattern, self.response = pattern, response
        self.index = 0

    def pattern_matches(self, stream: str, pattern: str, index_attr: str) -> list[str]:
        """What of the output behind that place matches; the place is its end then."""
        found = re.findall(pattern, stream[getattr(self, index_attr) :], re.DOTALL)
        if found:
            setattr(self, index_attr, len(stream))
        return found

    def submit(self, stream: str) -> Iterable[str]:
        return [self.response for _ in self.pattern_matches(stream, self.pattern, "index")]


class FailingResponder(Responder):
    """A `Responder` that knows how a wrong answer looks.

    Args:
        pattern, response: see there.
        sentinel: what comes after a wrong one; a regular expression.
    """

    def __init__(self, pattern: str, response: str, sentinel: str) -> None:
        super().__init__(pattern, response)
        self.sentinel = sentinel
        self.failure_index = 0
        self.tried = False

    def submit(self, stream: str) -> Iterator[str]:
        """See `StreamWatcher`; raises `ResponseNotAccepted`."""
        answers = list(super().submit(stream))
        if self.tried and self.pattern_matches(stream, self.sentinel, "failure_index"):
            raise ResponseNotAccepted(f'Auto-response to r"{self.pattern}" failed with {self.sentinel!r}!')
        self.tried = self.tried or bool(answers)
        return iter(answers)
