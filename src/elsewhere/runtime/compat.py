"""Exceptions that must also be multiprocessing's.

Rule: imported only when one of them is raised, because multiprocessing.pool costs more to import than all of ours.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.pool
from typing import Any

from elsewhere.errors import RemoteError

__all__ = ["GetTimeout", "MaybeEncodingError", "RemoteTraceback"]

RemoteTraceback: type[Exception] = multiprocessing.pool.RemoteTraceback  # type: ignore[attr-defined]  # not in the stubs


class GetTimeout(TimeoutError, multiprocessing.TimeoutError):
    """``get(timeout)`` waited long enough; the call goes on."""


class MaybeEncodingError(RemoteError, multiprocessing.pool.MaybeEncodingError):  # type: ignore[name-defined, misc]  # not in the stubs
    """The function's result cannot be pickled, so it could not come back.

    Attributes:
        exc: what pickling raised, as text.
        value: the result's repr.
    """

    def __init__(self, exc: Any, value: Any) -> None:
        Exception.__init__(self, str(exc), str(value))  # both bases' own take other arguments
        self.exc = self.text = str(exc)
        self.value = str(value)
        self.type_name = "multiprocessing.pool.MaybeEncodingError"
        self.traceback = ""

    def __str__(self) -> str:
        return f"Error sending result: '{self.value}'. Reason: '{self.exc}'"
