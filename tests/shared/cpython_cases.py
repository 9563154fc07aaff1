"""CPython's own tests of Value and Array, with ours in multiprocessing's place; `test_cpython` runs this.

Rule: nothing of theirs is changed. The cases live in a module that can be imported, since processes import the
functions that are tested from here. Usage::

    python -m tests.shared.cpython_cases forkserver|spawn|fork OUTPUT    # writes {"test name": [outcome, details]}
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import multiprocessing.sharedctypes
import sys
import traceback
import unittest
from typing import Any

import elsewhere

CLASSES = ("TestValue", "TestArray", "TestSharedCTypes", "TestHeap")
START_METHOD = sys.argv[1] if sys.argv[0].endswith("cpython_cases.py") else "forkserver"

for _name in ("Value", "Array", "RawValue", "RawArray"):
    setattr(multiprocessing, _name, getattr(elsewhere, _name))
    setattr(multiprocessing.sharedctypes, _name, getattr(elsewhere, _name))

theirs: Any = importlib.import_module("test._test_multiprocessing")  # after the replacement, which it must see
assert theirs.ProcessesMixin.Value == theirs.Value == elsewhere.Value
theirs.install_tests_in_module_dict(globals(), START_METHOD)


class Outcomes(unittest.TestResult):
    """One word and the details for each test."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, tuple[str, str]] = {}

    def _note(self, test: Any, word: str, details: str = "") -> None:
        self.found[".".join(test.id().split(".")[-2:])] = (word, details)

    def addSuccess(self, test: Any) -> None:
        self._note(test, "passed")

    def addSkip(self, test: Any, reason: str) -> None:
        self._note(test, "skipped", reason)

    def addFailure(self, test: Any, err: Any) -> None:
        self._note(test, "failed", "".join(traceback.format_exception(*err)))

    def addError(self, test: Any, err: Any) -> None:
        self._note(test, "failed", "".join(traceback.format_exception(*err)))


def main(output: str) -> None:
    """Run the cases."""
    importable = importlib.import_module("tests.shared.cpython_cases")  # by the name under which processes know it
    loader, outcomes, suite = unittest.TestLoader(), Outcomes(), unittest.TestSuite()
    for name in CLASSES:
        suite.addTests(loader.loadTestsFromTestCase(getattr(importable, f"WithProcesses{name}")))
    importable.setUpModule()
    try:
        multiprocessing.set_start_method(START_METHOD, force=True)
        suite.run(outcomes)
    finally:
        importable.tearDownModule()
    with open(output, "w") as file:
        json.dump(outcomes.found, file)


if __name__ == "__main__":
    main(sys.argv[2])
