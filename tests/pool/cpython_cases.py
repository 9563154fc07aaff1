"""CPython's own tests of Pool, with `multiprocessing.Pool` itself replaced by ours; `test_cpython` runs this.

Rule: nothing of theirs is changed; what they may get from elsewhere than `multiprocessing.Pool` is replaced as well.

The cases live in a module that can be imported, since workers import the functions that are tested from here. Usage::

    python -m tests.pool.cpython_cases processes|threads OUTPUT    # writes {"test name": "outcome"} as JSON
"""

from __future__ import annotations

import functools
import importlib
import json
import multiprocessing
import multiprocessing.dummy
import multiprocessing.pool
import os
import sys
import threading
import traceback
import unittest
from typing import Any

import elsewhere

CLASSES = ("TestPool", "TestPoolWorkerErrors", "TestPoolWorkerLifetime")
START_METHOD = "forkserver"  # of the standard library's own processes in these tests; ours start in their own way

multiprocessing.Pool = elsewhere.Pool  # type: ignore[assignment]
multiprocessing.dummy.Pool = functools.partial(elsewhere.Pool, where="threads")

# After the replacement, which they must see:
script_helper: Any = importlib.import_module("test.support.script_helper")
theirs: Any = importlib.import_module("test._test_multiprocessing")

# The test of an interpreter's end starts one by itself, which must have the replacement too.
SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(elsewhere.__file__)))
PRELUDE = f"""
import sys
sys.path[:0] = {[SOURCE, *sys.path]!r}
import multiprocessing, elsewhere
multiprocessing.Pool = elsewhere.Pool
"""


def _python_ok(original: Any, option: str, script: str) -> Any:
    assert option == "-c"
    return original(option, PRELUDE + script)


script_helper.assert_python_ok = functools.partial(_python_ok, script_helper.assert_python_ok)
theirs.install_tests_in_module_dict(globals(), START_METHOD)


class Outcomes(unittest.TestResult):
    """One word and the details for each test."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, tuple[str, str]] = {}

    def startTest(self, test: Any) -> None:
        print(test.id(), file=sys.stderr, flush=True)
        super().startTest(test)

    def _note(self, test: Any, word: str, details: str = "") -> None:
        self.found[test.id().removeprefix(f"{__spec__.name}.")] = (word, details)

    def addSuccess(self, test: Any) -> None:
        self._note(test, "passed")

    def addSkip(self, test: Any, reason: str) -> None:
        self._note(test, "skipped", reason)

    def addFailure(self, test: Any, err: Any) -> None:
        self._note(test, "failed", "".join(traceback.format_exception(*err)))

    def addError(self, test: Any, err: Any) -> None:
        self._note(test, "failed", "".join(traceback.format_exception(*err)))


def main(flavour: str, output: str) -> None:
    """Run the cases of one flavour."""
    importable = importlib.import_module("tests.pool.cpython_cases")  # by the name under which workers know it

    loader, outcomes, suite = unittest.TestLoader(), Outcomes(), unittest.TestSuite()
    for name in CLASSES:
        case = getattr(importable, f"With{flavour.capitalize()}{name}", None)
        if case is not None:  # threads have only the first
            suite.addTests(loader.loadTestsFromTestCase(case))
    if flavour == "threads":  # as in later versions of these tests: a thread cannot be stopped, and sleeps to its end
        vars(importlib.import_module("test.support"))["LONG_TIMEOUT"] = 1
    importable.setUpModule()
    try:
        suite.run(outcomes)
    finally:
        importable.tearDownModule()
    for thread in threading.enumerate():  # one that was left to itself in a sleep of the tests ends with it
        if thread is not threading.main_thread():
            thread.join(10)
    with open(output, "w") as file:
        json.dump({"outcomes": outcomes.found, "threads": [thread.name for thread in threading.enumerate()]}, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
