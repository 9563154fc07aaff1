"""CPython's own tests of processes and of what they share, with `Process` replaced by ours; `test_cpython` runs this.

Rule: nothing of theirs is changed. The cases live in a module that can be imported, since children import the functions
that are tested from here, and see the replacement then. Usage::

    python -m tests.process.cpython_cases forkserver|spawn OUTPUT CLASS,... LEFT_OUT,...

writes {"test name": "outcome"} as JSON.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import sys
import threading
import traceback
import unittest
from typing import Any

import elsewhere

multiprocessing.Process = elsewhere.Process  # type: ignore[misc, assignment]

# After the replacement, which they must see:
theirs: Any = importlib.import_module("test._test_multiprocessing")
START_METHOD = sys.argv[1] if __name__ == "__main__" else "forkserver"
theirs.install_tests_in_module_dict(globals(), START_METHOD)
_UpperCaser = theirs._UpperCaser  # a subclass of `Process` that is to be imported from here, too
_UpperCaser.__module__ = "tests.process.cpython_cases"


class Outcomes(unittest.TestResult):
    """One word and the details for each test."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, tuple[str, str]] = {}

    def startTest(self, test: Any) -> None:
        print(test.id(), file=sys.stderr, flush=True)
        super().startTest(test)

    def note(self, test: Any, word: str, details: str = "") -> None:
        self.found[test.id().removeprefix("tests.process.cpython_cases.")] = (word, details)

    def addSuccess(self, test: Any) -> None:
        self.found.setdefault(test.id().removeprefix("tests.process.cpython_cases."), ("passed", ""))

    def addSkip(self, test: Any, reason: str) -> None:
        self.note(test, "skipped", reason)

    def addFailure(self, test: Any, err: Any) -> None:
        self.note(test, "failed", "".join(traceback.format_exception(*err)))

    def addError(self, test: Any, err: Any) -> None:
        self.note(test, "failed", "".join(traceback.format_exception(*err)))

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        if err is not None:
            self.note(test, "failed", "".join(traceback.format_exception(*err)))


def main(method: str, output: str, names: list[str], left_out: list[str]) -> None:
    """Run these classes of cases."""
    importable = importlib.import_module("tests.process.cpython_cases")  # by the name under which children know it
    loader, outcomes, suite = unittest.TestLoader(), Outcomes(), unittest.TestSuite()
    for name in names:
        case = getattr(importable, name)
        suite.addTests(case(test) for test in loader.getTestCaseNames(case) if f"{name}.{test}" not in left_out)
    elsewhere.set_start_method(method)
    globals()["setUpModule"]()
    try:
        suite.run(outcomes)
    finally:
        globals()["tearDownModule"]()
    children = [repr(child) for child in multiprocessing.active_children()]
    threads = [thread.name for thread in threading.enumerate()]
    with open(output, "w") as file:
        json.dump({"outcomes": outcomes.found, "threads": threads, "children": children}, file)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3].split(","), sys.argv[4].split(","))
