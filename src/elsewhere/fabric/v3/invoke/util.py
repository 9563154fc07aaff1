"""What task files take from there: threads whose exceptions are not lost, and the log."""

from __future__ import annotations

import logging
import threading
from types import TracebackType
from typing import Any, NamedTuple

from elsewhere.fabric.v3.invoke.collection import helpline

__all__ = ["ExceptionHandlingThread", "ExceptionWrapper", "debug", "enable_logging", "helpline"]

debug = logging.getLogger("invoke").debug


def enable_logging() -> None:
    """Show what is logged of each step."""
    logging.basicConfig(level=logging.DEBUG, format="%(name)s.%(module)s.%(funcName)s: %(message)s")


class ExceptionWrapper(NamedTuple):
    """What a thread has ended with.

    Attributes:
        kwargs: of the thread.
        type, value, traceback: of the exception.
    """

    kwargs: Any
    type: type[BaseException]
    value: BaseException
    traceback: TracebackType | None


class ExceptionHandlingThread(threading.Thread):
    """A thread that keeps the exception it ends with; a daemon.

    Args:
        kwargs: see `threading.Thread`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.daemon = True
        self.kwargs = kwargs
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            super().run()
        except BaseException as error:  # noqa: BLE001 - whatever it is, `exception` gives it
            self._error = error

    def exception(self) -> ExceptionWrapper | None:
        """That exception, or None."""
        error = self._error
        return None if error is None else ExceptionWrapper(self.kwargs, type(error), error, error.__traceback__)

    @property
    def is_dead(self) -> bool:
        """Has it ended so?"""
        return not self.is_alive() and self._error is not None
