"""The ways in which a command ends early: something is wrong, or a signal says so.

What is wrong is a `Problem`: one sentence that says what happened, where, and what to do. It is all that a user sees.

Ctrl-C, SIGTERM and SIGHUP are `Stopped`, raised in the main thread, which is how the pool's ``with`` block learns that
everything has to go. What must be whole, such as a row, is done inside `Signals.held`: a signal that comes there
waits for its end.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any, Self

__all__ = ["Problem", "ReaderGone", "Signals", "Stopped", "WrongUsage", "say", "sentence"]

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP
AGAIN = 0.01  # seconds after which a signal is sent once more that Python has swallowed


class Problem(Exception):
    """Something is wrong; the text says what."""

    exit_code = 1


def sentence(error: object) -> str:
    """Its text, with the full stop that texts of errors do without."""
    text = str(error)
    return text if text.endswith((".", "?", "!")) else f"{text}."


def say(text: str) -> None:
    """A line for the one who reads stderr, if anyone still does."""
    with contextlib.suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


class WrongUsage(Problem):
    """Nothing was run, because the command as it was given cannot be done."""

    exit_code = 2


class ReaderGone(BaseException):
    """Whoever read our rows went away, as ``head`` does: the end of the command, and nothing to complain of."""

    exit_code = 141  # what a shell shows for a program that SIGPIPE ended, such as `yes | head`


class Stopped(BaseException):
    """A signal asked the command to end.

    No `Exception`, so that nothing on the way eats it, and no `KeyboardInterrupt`, which click takes for its own.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        self.name = signal.Signals(number).name
        self.exit_code = 128 + number


class Signals:
    """Catches the signals that end a command, from `__enter__` to `__exit__`; does nothing outside the main thread.

    Args:
        leaving: nothing but the process's end follows. A signal that comes there ends it at once, without a word.
    """

    def __init__(self, *, leaving: bool = False) -> None:
        self._leaving = leaving
        self._received: int | None = None
        self._holding = False
        self._before: dict[int, object] = {}
        self._hook: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (getattr(signal, name) for name in NAMES if hasattr(signal, name)):
                # Whoever started us with the signal ignored (nohup, a shell's background job) meant it.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._handle)
            self._hook, sys.unraisablehook = sys.unraisablehook, self._swallowed
        return self

    def __exit__(self, *exc_info: object) -> None:
        for number, handler in self._before.items():
            after = signal.SIG_DFL if self._leaving else handler
            signal.signal(number, after)  # type: ignore[arg-type]  # what signal() itself returned
        if self._hook is not None:
            sys.unraisablehook = self._hook

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """A signal that comes in this block is raised at its end."""
        self._holding = True
        try:
            yield
        finally:
            self._holding = False
        if self._received is not None:
            raise Stopped(self._received)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._received is not None:
            # Only an impatient Ctrl-C cuts the tidying short: SIGTERM and SIGHUP come in pairs from service managers.
            if number == signal.SIGINT:
                os._exit(128 + number)
            return
        self._received = number
        if not self._holding:
            raise Stopped(number)

    def _swallowed(self, what: Any) -> None:
        """Python tells of an exception in a finalizer, from which nothing can be raised: perhaps ours."""
        if isinstance(what.exc_value, Stopped):
            # Not here, which is still inside of the finalizer. No lock is taken for such a thread.
            _thread.start_new_thread(self._send_again, (what.exc_value.number,))
        else:
            self._hook(what)

    def _send_again(self, number: int) -> None:
        time.sleep(AGAIN)
        self._received = None
        os.kill(os.getpid(), number)
