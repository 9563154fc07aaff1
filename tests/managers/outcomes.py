"""What became of each of CPython's tests."""

from __future__ import annotations

import sys
import traceback
import unittest
from typing import Any


class Outcomes(unittest.TestResult):
    """One word and the details for each test."""

    def __init__(self, module: str) -> None:
        super().__init__()
        self._module = module
        self.found: dict[str, tuple[str, str]] = {}

    def startTest(self, test: Any) -> None:
        print(test.id(), file=sys.stderr, flush=True)
        super().startTest(test)

    def _note(self, test: Any, word: str, details: str = "") -> None:
        self.found[test.id().removeprefix(f"{self._module}.")] = (word, details)

    def addSuccess(self, test: Any) -> None:
        self._note(test, "passed")

    def addSkip(self, test: Any, reason: str) -> None:
        self._note(test, "skipped", reason)

    def addFailure(self, test: Any, err: Any) -> None:
        self._note(test, "failed", "".join(traceback.format_exception(*err)))

    def addError(self, test: Any, err: Any) -> None:
        self._note(test, "failed", "".join(traceback.format_exception(*err)))
