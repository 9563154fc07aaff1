"""The one place that uses the Pool: workers in, results out. Everything else here runs without a process in sight.

`Engine` is what `run` needs, so that its tests can bring a place of their own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from elsewhere.cli.batch.job import Job, Task, stdout_is_for_rows

__all__ = ["Calls", "Engine", "Result", "processes"]


class Result(Protocol):
    """How one call ended."""

    @property
    def input(self) -> Any:
        """The task."""

    @property
    def value(self) -> Any:
        """What the job returned."""

    @property
    def error(self) -> BaseException | None:
        """Why it did not, or None."""

    @property
    def attempt(self) -> int:
        """How often it was run, this time included."""


class Calls(Protocol):
    """Makes calls of one job: tasks are read as workers have room for them, results come as they are there."""

    def __call__(self, job: Job, tasks: Iterable[Task], /, *, ordered: bool) -> Iterator[Result]:
        """Results as calls end, or in the order of the tasks."""


# jobs, timeout, retries -> calls, while the block lasts; left by an exception, everything stops at once
Engine = Callable[[int | None, float | None, int], contextlib.AbstractContextManager[Calls]]


@contextlib.contextmanager
def processes(jobs: int | None, timeout: float | None, retries: int) -> Iterator[Calls]:
    """Calls in worker processes."""
    from elsewhere import Pool

    with Pool(jobs, stdout_is_for_rows, timeout=timeout, retry=retries) as pool:
        yield pool.calls
