"""What failed, for a row and for the one who reads stderr: failures by type, each with its first example."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from elsewhere.cli.batch.job import Failed, Task
from elsewhere.cli.batch.rows import encode, type_name
from elsewhere.errors import WorkerLost, describe_exit

__all__ = ["Failure", "Tally", "count", "shorten"]

MOST_KINDS = 10  # lines of a summary: more are a list, not a summary


@dataclass(frozen=True)
class Failure:
    """A failed call in words."""

    kind: str
    message: str
    trace: str = ""
    seconds: float | None = None

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """The function's own exception, or the pool's."""
        if isinstance(error, Failed):
            return cls(error.kind, error.message, error.trace, error.seconds)
        if isinstance(error, WorkerLost):
            # The pool's own text counts inputs from where this run began, and rows from where the first one did.
            worker = "the worker" if error.pid is None else f"worker {error.pid}"
            return cls(type_name(type(error)), f"{worker} {describe_exit(error.exitcode)} while it ran this call")
        # A call stopped by its timeout was somewhere: the pool brings that along as the cause.
        return cls(type_name(type(error)), str(error), str(getattr(error.__cause__, "tb", "")).strip('"\n'))

    def json(self) -> str:
        """``{"type", "message", "traceback"}``, the last one only if there is one."""
        parts = {"type": self.kind, "message": self.message}
        return encode({**parts, "traceback": self.trace} if self.trace else parts)

    def __str__(self) -> str:
        return shorten(f"{self.kind}: {' '.join(self.message.split())}".rstrip(": "), 200)


class Tally:
    """Counts calls that ended, and keeps the first failure of each type."""

    def __init__(self) -> None:
        self.done = 0
        self.failed = 0
        self._kinds: dict[str, tuple[int, Task, Failure]] = {}

    def add(self, task: Task, failure: Failure | None) -> None:
        """One more call ended."""
        self.done += 1
        if failure is not None:
            self.failed += 1
            times, first, example = self._kinds.get(failure.kind, (0, task, failure))
            self._kinds[failure.kind] = (times + 1, first, example)

    def lines(self) -> Iterator[str]:
        """The summary: most frequent first."""
        yield f"{self.failed:,} of {count(self.done, 'call')} failed:"
        kinds = sorted(self._kinds.values(), key=lambda kind: -kind[0])
        for times, first, example in kinds[:MOST_KINDS]:
            which = f"input {first.number}" if times == 1 else f"first: input {first.number}"
            yield f"  {times:,} × {example} ({which}, {shorten(repr(first.given), 60)})"
        if len(kinds) > MOST_KINDS:
            yield f"  and {len(kinds) - MOST_KINDS} more types of error."


def count(number: int, noun: str) -> str:
    """``1 row``, ``20,000 rows``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def shorten(text: str, most: int) -> str:
    """At most so many characters."""
    return text if len(text) <= most else text[: most - 3] + "..."
