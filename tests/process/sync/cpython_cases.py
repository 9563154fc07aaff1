"""CPython's own tests of queues, locks and pipes, with ours in multiprocessing's place; `test_cpython` runs this.

Rule: nothing of theirs is changed; what they may get from elsewhere than `multiprocessing` itself is replaced as well.
The cases live in a module that can be imported, since processes import the functions that are tested from here. Usage::

    python -m tests.process.sync.cpython_cases forkserver|spawn OUTPUT    # writes {"test name": outcome} as JSON
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import sys
import unittest
from typing import Any

import elsewhere

CLASSES = [
    *("TestQueue", "TestSimpleQueue", "TestLock", "TestSemaphore", "TestCondition", "TestEvent", "TestBarrier"),
    "TestConnection",
]
NAMES = [
    *("Queue", "JoinableQueue", "SimpleQueue", "Pipe"),
    *("Lock", "RLock", "Semaphore", "BoundedSemaphore", "Condition", "Event", "Barrier"),
]
METHOD = os.environ.setdefault("ELSEWHERE_TEST_METHOD", "forkserver")

for name in NAMES:
    setattr(multiprocessing, name, getattr(elsewhere, name))

# After the replacement, which they must see:
theirs: Any = importlib.import_module("test._test_multiprocessing")
theirs.install_tests_in_module_dict(globals(), METHOD)


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
        self._note(test, "failed", self._exc_info_to_string(err, test))  # type: ignore[attr-defined]  # not in the stubs

    addError = addFailure


def main(output: str) -> None:
    """Run the cases in their processes flavour."""
    importable = importlib.import_module("tests.process.sync.cpython_cases")  # by the name that other processes know
    loader, outcomes, suite = unittest.TestLoader(), Outcomes(), unittest.TestSuite()
    for name in CLASSES:
        case = getattr(importable, f"WithProcesses{name}", None) or getattr(importable, name)
        suite.addTests(loader.loadTestsFromTestCase(case))
    importable.setUpModule()
    try:
        suite.run(outcomes)
    finally:
        importable.tearDownModule()
    with open(output, "w") as file:
        json.dump(outcomes.found, file)


if __name__ == "__main__":
    main(sys.argv[2])
