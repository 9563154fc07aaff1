"""What runs in a worker: an input is converted, the function called, its value encoded, all there and in parallel.

The caller's process gets finished JSON text and only appends it. Nothing of the user's own types ever crosses: a
value is text, and a failure is `Failed`, three texts. So no result is lost to what cannot be pickled, and the
caller's process runs none of the user's code.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
import time
import traceback
from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple

from elsewhere.cli.batch.rows import Unencodable, encode, type_name
from elsewhere.cli.function.convert import ASK, CONVERTERS, reads_as_number
from elsewhere.cli.function.target import Target
from elsewhere.errors import ElsewhereError

__all__ = ["Answer", "Failed", "Job", "Refused", "Task", "stdout_is_for_rows"]


class Task(NamedTuple):
    """One input and its number in the list; shown as the input, because that is what its function gets."""

    number: int
    given: Any

    def __repr__(self) -> str:
        return repr(self.given)


class Failed(Exception):
    """The function raised: what and where, in words."""

    def __init__(self, kind: str, message: str, trace: str, seconds: float | None = None) -> None:
        super().__init__(kind, message, trace, seconds)
        self.kind = kind
        self.message = message
        self.trace = trace
        self.seconds = seconds

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


class Refused(NamedTuple):
    """The function returned something that a row cannot hold."""

    type_name: str


class Answer(Enum):
    """What an asking call may find out instead of a value."""

    NEEDS_NUMBER = "the function takes no text, and the input reads as a number"


class Job:
    """A picklable function from a `Task` to the text of its value.

    Args:
        target: the function to call.
        conversion: what inputs become; see `convert`.
        as_text: the value's ``str()`` instead of JSON.
    """

    def __init__(self, target: Target, conversion: str, as_text: bool = False) -> None:
        self.target = target
        self.conversion = conversion
        self.as_text = as_text
        self._call: Callable[[Any], Any] | None = None
        # So that messages of the pool name the function that the user knows.
        module, _, name = target.label.partition(".")
        self.__module__, self.__qualname__ = module, name

    def __reduce__(self) -> tuple[Any, ...]:
        return Job, (self.target, self.conversion, self.as_text)

    def __call__(self, task: Task) -> tuple[str, float] | Refused | Answer:
        """The value's text, and the seconds it took to get the value.

        Raises:
            Failed: converting or calling raised.
        """
        start = time.perf_counter()
        try:
            if self._call is None:
                self._call = _prepared(self.target, self.conversion)
                start = time.perf_counter()  # finding the function is no part of its first call
            value = self._call(task.given)
            seconds = time.perf_counter() - start
            return str(value) if self.as_text else encode(value), seconds
        except Unencodable as error:
            return Refused(error.type_name)
        except (ElsewhereError, KeyboardInterrupt, GeneratorExit):
            raise  # the pool's way to end a call
        except BaseException as error:  # noqa: BLE001 - also SystemExit: a row says so, and the worker lives on
            if self.conversion == ASK and isinstance(error, TypeError) and reads_as_number(task.given):
                return Answer.NEEDS_NUMBER
            raise _failed(error, time.perf_counter() - start) from None


def stdout_is_for_rows() -> None:
    """Send what functions print, and what programs they start print, to stderr. Run once in each worker."""
    sys.stdout = sys.stderr
    with contextlib.suppress(OSError):  # a worker without stderr has nowhere to print to anyway
        os.dup2(2, 1)


def _prepared(target: Target, conversion: str) -> Callable[[Any], Any]:
    function = target.function()
    if inspect.iscoroutinefunction(function):
        function = _awaited(function)
    converter = CONVERTERS.get(conversion)
    if converter is None:
        return function

    def call(given: Any) -> Any:
        return function(converter(given) if type(given) is str else given)

    return call


def _awaited(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    import asyncio

    return lambda given: asyncio.run(function(given))


def _failed(error: BaseException, seconds: float) -> Failed:
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - an exception that cannot even say what it is must still make a row
        message = "(its text cannot be shown)"
    try:
        # Without the frames of this file: the user's traceback starts in the user's function.
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        text = "".join(traceback.format_exception(type(error), error, trace))
    except Exception:  # noqa: BLE001 - as above
        text = ""
    return Failed(type_name(type(error)), message, text, seconds)
