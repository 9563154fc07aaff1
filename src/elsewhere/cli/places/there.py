"""What runs where nothing of ours is installed: functions that need nothing but Python 3.8 and its library.

Rule: each is made inside of another function, so that it travels by value, and imports inside what it uses. What it
takes and gives are plain values.
"""

# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False, disallow-untyped-calls=False

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["FAILED", "FILE", "NEEDS_NUMBER", "make_call", "make_initializer"]

FILE = __file__
FAILED, NEEDS_NUMBER = "elsewhere: it failed", "elsewhere: it needs a number"


def make_call(function: Callable[..., Any], *, awaits: bool, asks: bool, as_text: bool) -> Callable[[Any], Any]:
    """What is called there with ``(number, given)``.

    It gives ``(value, seconds)``; what the function raises, but for what ends a call from outside, is raised as a
    `RuntimeError` of plain values: `FAILED`, type, text, traceback, seconds.

    Args:
        function: the user's.
        awaits: what it gives is a coroutine.
        asks: a TypeError means `NEEDS_NUMBER`.
        as_text: give the value's ``str()``, which is found there.
    """
    failed, needs_number = FAILED, NEEDS_NUMBER

    def call(item):
        import asyncio
        import time
        import traceback

        begin = time.perf_counter()
        try:
            value = asyncio.run(function(item[1])) if awaits else function(item[1])
            seconds = time.perf_counter() - begin
            return (str(value) if as_text else value), seconds
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            kind = type(error)
            if kind.__module__ == "elsewhere.errors":  # how a call is ended from outside
                raise
            if asks and isinstance(error, TypeError):
                return needs_number, 0.0
            seconds = time.perf_counter() - begin
            name = kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else None
            try:
                text = str(error)
            except Exception:  # noqa: BLE001 - an exception that cannot even say what it is must still make a row
                text = "(its text cannot be shown)"
            try:
                trace = error.__traceback__ and error.__traceback__.tb_next
                told = "".join(traceback.format_exception(kind, error, trace))
            except Exception:  # noqa: BLE001 - as above
                told = ""
            words = failed, name or kind.__module__ + "." + kind.__qualname__, text, told, seconds
        raise RuntimeError(*words)

    return call


def make_initializer() -> Callable[[], None]:
    """What sends there what functions print to stderr, as stdout is for rows."""

    def prints_to_stderr():
        import sys

        sys.stdout = sys.stderr

    return prints_to_stderr
