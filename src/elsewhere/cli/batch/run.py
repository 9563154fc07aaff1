"""One run of ``elsewhere map``: every input that has no row yet is called, and gets one.

::

    inputs ─▶ _tasks ─▶ engine ─▶ _take ─▶ destination

Rows reach a file in the order in which calls end, and anything else in the order of the inputs: only a file has no
reader who waits for the next one. However the run ends, the rows that were there are written before anything is said.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from elsewhere.cli.batch.destination import Destination, Wish, open_destination
from elsewhere.cli.batch.engine import Calls, Engine, Result, processes
from elsewhere.cli.batch.inputs import Fingerprint, Inputs
from elsewhere.cli.batch.job import Answer, Job, Refused, Task
from elsewhere.cli.batch.rows import row
from elsewhere.cli.batch.summary import Failure, Tally, count, shorten
from elsewhere.cli.ending import Problem, Signals, Stopped, say, sentence
from elsewhere.cli.function.convert import ASK, NUMBER, TEXT, reads_as_number
from elsewhere.cli.function.target import Target
from elsewhere.errors import ElsewhereError

__all__ = ["Plan", "Run"]


@dataclass(frozen=True)
class Plan:
    """What the command line asks for; `again` is the command that would go on with this run."""

    target: Target
    conversion: str
    wish: Wish
    again: str
    jobs: int | None = None
    timeout: float | None = None
    retries: int = 0
    max_failures: int | None = None
    unordered: bool = False
    quiet: bool = False


class Bar(Protocol):
    """What a run needs of `elsewhere.progress.Progress`."""

    def advance(self, done: int = 1, failed: int = 0) -> None: ...
    def set_total(self, total: int | None) -> None: ...


class _NoBar:
    def advance(self, done: int = 1, failed: int = 0) -> None: ...
    def set_total(self, total: int | None) -> None: ...


class _Enough(Exception):
    """As many calls have failed as may."""


class Run:
    """A plan that is carried out.

    Args:
        plan: what to do.
        inputs: what to do it with.
        signals: hold what may not be cut in two.
        engine: where the calls go.
    """

    def __init__(self, plan: Plan, inputs: Inputs, signals: Signals, engine: Engine = processes) -> None:
        self.plan = plan
        self.tally = Tally()
        self._signals = signals
        self._engine = engine
        self._inputs = inputs
        self._seen = Fingerprint()
        self._conversion = plan.conversion
        self._bar: Bar = _NoBar()
        self._to: Destination

    def run(self) -> int:
        """Do it.

        Returns:
            The exit code.

        Raises:
            Problem: it cannot be done, or not be finished.
            Stopped: a signal came.
        """
        plan = self.plan
        self._to = open_destination(plan.wish, plan.target.identity, self._conversion, self._inputs, self._note)
        try:
            return self._finish(enough=self._work())
        except Stopped as stopped:
            say(f"elsewhere: stopped by {stopped.name} after {self._rows()}. {self._how_to_resume()}".rstrip())
            raise
        except ElsewhereError as error:
            raise Problem(f"{sentence(' '.join(str(error).split()))} {self._how_to_resume()}".rstrip()) from None
        except Problem as problem:
            problem.args = (f"{problem} {self._how_to_resume()}".rstrip(),)
            raise

    def _work(self) -> bool:
        """Make the calls; true if that ended early because too many failed."""
        plan = self.plan
        if self._to.record is not None and self._to.record.conversion is not None:
            self._conversion = self._to.record.conversion
        self._say_what_is_there()
        try:
            if self._to.earlier is not None and self._left() == 0:
                return False  # no workers are started, no host is connected to, for nothing
            with self._progress() as self._bar, self._engine(plan.jobs, plan.timeout, plan.retries) as calls:
                for result in self._results(calls):
                    with self._signals.held():
                        self._take(result)
        except _Enough:
            return True
        finally:
            with self._signals.held():
                self._to.sink.close()
        return False

    def _results(self, calls: Calls) -> Iterator[Result]:
        tasks = self._tasks()
        if self._conversion == ASK:
            first = next(tasks, None)
            if first is None:
                return
            answer = self._ask(calls, first)
            if answer is None:
                tasks = itertools.chain([first], tasks)
            else:
                yield answer
        in_file = self.plan.wish.output is not None and not self.plan.wish.as_text
        ordered = not self.plan.unordered and not in_file
        yield from calls(self._job(), tasks, ordered=ordered)

    def _ask(self, calls: Calls, first: Task) -> Result | None:
        """Find out by the first call whether inputs are text or numbers; its result, unless it has to be repeated.

        Alone and in a worker: all others wait for this one, so it is asked only where the answer may be "numbers".
        """
        result = None
        self._conversion = TEXT
        if reads_as_number(first.given):
            result = next(iter(calls(Job(self.plan.target, ASK, self.plan.wish.as_text), [first], ordered=True)))
            if result.value is Answer.NEEDS_NUMBER:
                self._conversion, result = NUMBER, None
                label = self.plan.target.label
                self._note(
                    f"{label} takes no text ({first.given!r}): every input that reads as a number is given as one."
                )
        with self._signals.held():
            self._to.remember(conversion=self._conversion)
        return result

    def _tasks(self) -> Iterator[Task]:
        """What is still to be called, read as there is room for it: this runs in the pool's feeding thread."""
        # What has been surveyed has its fingerprint; taking it again would only cost time.
        inputs = self._inputs if self._to.survey is not None else self._seen.following(self._inputs)
        index = -1
        for index, given in enumerate(inputs):
            if not self._to.is_done(index):
                yield Task(index, given)
        self._bar.set_total(index + 1 - self._kept())

    def _job(self) -> Job:
        return Job(self.plan.target, self._conversion, self.plan.wish.as_text)

    def _take(self, result: Result) -> None:
        """Write the row of one call, and count it."""
        task: Task = result.input
        failure = None if result.error is None else Failure.of(result.error)
        if failure is not None:
            self._write_failure(task, failure, result.attempt)
        elif isinstance(result.value, Refused):
            raise self._refusal(task, result.value)
        else:
            text, seconds = result.value
            if self.plan.wish.as_text:
                self._to.sink.write((text + "\n").encode("utf-8", "surrogateescape"))
            else:
                self._to.sink.write(row(task.number, task.given, "value", text, seconds, result.attempt))
        self.tally.add(task, failure)
        self._bar.advance(1, int(failure is not None))
        if self.plan.max_failures is not None and self.tally.failed >= self.plan.max_failures:
            raise _Enough

    def _write_failure(self, task: Task, failure: Failure, attempt: int) -> None:
        if self.plan.wish.as_text:
            say(f"elsewhere: input {task.number}, {shorten(repr(task.given), 60)}: {failure}")
        else:
            self._to.sink.write(row(task.number, task.given, "error", failure.json(), failure.seconds, attempt))

    def _refusal(self, task: Task, value: Refused) -> Problem:
        return Problem(
            f"{self.plan.target.label} returned a value of type {value.type_name} for input {task.number} "
            f"({shorten(repr(task.given), 60)}), which JSON cannot hold: let it return something that JSON can, or "
            "use --text."
        )

    # ------------------------------------------------------------ the end, and what is said

    def _finish(self, *, enough: bool) -> int:
        if self._seen.complete:
            with self._signals.held():
                self._to.remember(inputs=self._seen)
        if self.tally.failed:
            for number, line in enumerate(self.tally.lines()):
                say(line if number else f"elsewhere: {line}")
        if enough:
            say(f"elsewhere: stopped, as --max-failures asks, after {self._rows()}. {self._how_to_resume()}")
        earlier = self._to.earlier.failed if self._to.earlier is not None else 0
        if earlier:
            say(f"elsewhere: {count(earlier, 'row')} of an earlier run failed: --retry-failed runs them again.")
        return 1 if self.tally.failed or earlier else 0

    def _say_what_is_there(self) -> None:
        if self._to.earlier is not None and self._to.survey is not None:
            total = count(self._to.survey.count, "row")
            self._note(f"{self._kept():,} of {total} there already, {self._left():,} to run.")

    def _progress(self) -> contextlib.AbstractContextManager[Bar]:
        # Rows on a terminal are progress enough, and a bar between them would be torn by them.
        if self.plan.quiet or (self.plan.wish.output is None and sys.stdout.isatty()):
            return contextlib.nullcontext(_NoBar())
        from elsewhere.progress import Progress

        return Progress(self._left(), self.plan.target.label, stream=sys.stderr)

    def _left(self) -> int | None:
        """How many inputs have no row yet; None if nobody knows how many there are."""
        return None if self._to.survey is None else self._to.survey.count - self._kept()

    def _kept(self) -> int:
        return self._to.earlier.kept if self._to.earlier is not None else 0

    def _rows(self) -> str:
        done = self._kept() + self.tally.done
        if self._to.survey is None:
            return count(done, "row")
        return f"{done:,} of {count(self._to.survey.count, 'row')}"

    def _how_to_resume(self) -> str:
        if self._to.record is not None:
            return f"To go on: {self.plan.again}"
        # Where nothing was done nothing is lost: the same command again does it.
        return "It cannot be resumed: rows in a file can, by -o FILE." if self.tally.done else ""

    def _note(self, text: str) -> None:
        if not self.plan.quiet:
            say(f"elsewhere: {text}")
