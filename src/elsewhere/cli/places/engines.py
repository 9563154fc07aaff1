"""Calls in other places than worker processes, as `batch.run` makes them.

Where nothing of ours is installed, inputs are converted here and values encoded here: what comes back is a value, which
has been opened as everything that hosts answer. Threads run the same `Job` as processes do.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from elsewhere.cli.batch.engine import Calls, Engine, Result
from elsewhere.cli.batch.job import Answer, Failed, Job, Refused, Task
from elsewhere.cli.batch.rows import Unencodable, encode, type_name
from elsewhere.cli.ending import Problem, WrongUsage, say, sentence
from elsewhere.cli.function.convert import ASK, CONVERTERS
from elsewhere.cli.places.there import FAILED, NEEDS_NUMBER, make_call, make_initializer
from elsewhere.errors import ElsewhereError, NeverStarted, RemoteError
from elsewhere.sansio.hosts.many.plain import plain

__all__ = ["FarCalls", "far", "threads"]


@contextlib.contextmanager
def threads(jobs: int | None, timeout: float | None, retries: int) -> Iterator[Calls]:
    """Calls in threads of this process; what functions print goes to stderr meanwhile."""
    from elsewhere import Pool

    with contextlib.redirect_stdout(sys.stderr), Pool(jobs, where="threads", timeout=timeout, retry=retries) as pool:
        yield pool.calls


def far(where: Any) -> Engine:
    """Calls where nothing of ours is installed.

    Args:
        where: of `Pool`; a `Fleet` is closed in the end.
    """

    @contextlib.contextmanager
    def engine(jobs: int | None, timeout: float | None, retries: int) -> Iterator[Calls]:
        from elsewhere import Pool

        with contextlib.ExitStack() as stack:
            stack.enter_context(_warnings_said())
            if hasattr(where, "__exit__"):
                stack.enter_context(where)
            try:
                pool = Pool(jobs, make_initializer(), where=where, timeout=timeout, retry=retries)
            except (ValueError, TypeError) as error:
                raise WrongUsage(sentence(error).replace("processes=", "-j ")) from None
            except ImportError as error:
                raise Problem(sentence(error)) from None
            yield FarCalls(stack.enter_context(pool))

    return engine


@contextlib.contextmanager
def _warnings_said() -> Iterator[None]:
    """What the library warns of, such as a host that is left out, is said as all that the command says."""
    logger, handler = logging.getLogger("elsewhere"), _Said(logging.WARNING)
    propagates, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagates


class _Said(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(f"elsewhere: {plain(' '.join(record.getMessage().split()))}")


@dataclass(frozen=True)
class _Done:
    """How one call ended; see `batch.engine.Result`."""

    input: Task
    value: Any
    error: BaseException | None
    attempt: int


class FarCalls:
    """Makes calls of one job; see `batch.engine.Calls`."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    def __call__(self, job: Job, tasks: Iterable[Task], /, *, ordered: bool) -> Iterator[Result]:
        """Results as calls end, or in the order of the tasks.

        Raises:
            NeverStarted: calls cannot be made any more; those without a result have not begun.
        """
        function = job.target.function()
        call = make_call(
            function,
            awaits=inspect.iscoroutinefunction(function),
            asks=job.conversion == ASK,
            as_text=job.as_text,
        )
        convert = CONVERTERS.get(job.conversion)
        waiting: dict[int, tuple[Task, Failed | None]] = {}

        def items() -> Iterator[tuple[int, Any]]:
            for task in tasks:
                given, failed = task.given, None
                try:
                    if convert is not None and type(given) is str:
                        given = convert(given)
                except ValueError as error:  # it goes there all the same, as rows have an order
                    failed = Failed(type_name(type(error)), str(error), "", 0.0)
                waiting[task.number] = task, failed
                yield task.number, given

        for result in self._pool.calls(call, items(), ordered=ordered):
            if isinstance(result.error, NeverStarted):
                raise result.error  # nobody is left who could: no row, so that --resume runs them
            task, failed = waiting.pop(result.input[0])
            yield _done(job, task, result) if failed is None else _Done(task, None, failed, 1)


def _done(job: Job, task: Task, result: Any) -> _Done:
    if result.error is not None:
        return _Done(task, None, _failure(result.error), result.attempt)
    try:
        value, seconds = result.value
        if value == NEEDS_NUMBER and job.conversion == ASK:
            return _Done(task, Answer.NEEDS_NUMBER, None, result.attempt)
        return _Done(task, (value if job.as_text else encode(value), float(seconds)), None, result.attempt)
    except Unencodable as error:
        return _Done(task, Refused(error.type_name), None, result.attempt)
    except (TypeError, ValueError) as error:  # a host may answer anything
        wrong = f"the answer is none: {type(error).__name__}: {error}"
        return _Done(task, None, Failed("ProtocolError", wrong, ""), result.attempt)


def _failure(error: BaseException) -> BaseException:
    """In the words of rows."""
    if isinstance(error, RuntimeError) and len(error.args) == 5 and error.args[0] == FAILED:
        _, kind, text, trace, seconds = error.args
        known = isinstance(seconds, int | float)
        return Failed(str(kind), str(text), str(trace), float(seconds) if known else None)
    trace = str(getattr(error.__cause__, "tb", "")).strip('"\n')
    if type(error) is RemoteError:
        return Failed(error.type_name.removeprefix("builtins."), str(error), trace)
    if isinstance(error, ElsewhereError):
        # The pool counts inputs from where this run began, and rows from where the first one did.
        before, at, behind = str(error).partition(" while it ran ")
        text = f"{before}{at}this call{behind[behind.find(': ') :] if ': ' in behind else ''}" if at else str(error)
        return Failed(type_name(type(error)), text, trace)
    return Failed(type_name(type(error)), str(error), trace)
