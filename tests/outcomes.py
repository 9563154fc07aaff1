"""What became of each of CPython's own tests: for the `cpython_cases` of each folder, and the tests that run those."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import traceback
import unittest
from collections.abc import Collection, Iterable, Mapping
from multiprocessing import active_children
from typing import Any, NamedTuple

from tests.require import require


def cpythons_tests() -> Any:
    """Their module, which each process imports that runs something of a test.

    As it is imported, it makes a semaphore, to see that there are any. One of its tests ends a hundred processes just
    then, and who is ended between making it and telling the tracker of it leaves it in /dev/shm. Others make some, too.
    """
    support: Any = importlib.import_module("test.support")
    support.skip_if_broken_multiprocessing_synchronize = lambda: None
    return importlib.import_module("test._test_multiprocessing")


class Outcomes(unittest.TestResult):
    """One word and the details for each test; the worst of what is said of it.

    Args:
        module: where the cases are.
    """

    def __init__(self, module: str) -> None:
        super().__init__()
        self.module = module
        self.found: dict[str, tuple[str, str]] = {}

    def startTest(self, test: Any) -> None:
        print(test.id(), file=sys.stderr, flush=True)
        super().startTest(test)

    def _name(self, test: Any) -> str:
        return str(test.id()).removeprefix(f"{self.module}.")

    def word(self, test: Any) -> str:
        """What became of it."""
        return self.found.get(self._name(test), ("", ""))[0]

    def addSuccess(self, test: Any) -> None:
        self.found.setdefault(self._name(test), ("passed", ""))  # not if a part of it has failed

    def addSkip(self, test: Any, reason: str) -> None:
        self.found.setdefault(self._name(test), ("skipped", reason))

    def addFailure(self, test: Any, err: Any) -> None:
        self.found[self._name(test)] = "failed", "".join(traceback.format_exception(*err))

    addError = addFailure  # also of setUpClass and setUpModule, which have names of their own

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        if err is not None:
            self.addFailure(test, err)

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        self.addSuccess(test)

    def addUnexpectedSuccess(self, test: Any) -> None:
        self.found[self._name(test)] = "failed", "it was expected to fail"


def _run_again(tests: list[Any], outcomes: Outcomes) -> None:
    """What has failed once may pass now, as with CPython's own runner (``--rerun``).

    Many of the tests look after 0.1 s what another process has done meanwhile; on a busy machine, it may have got no
    core by then. So the second time they have ten times as long.
    """
    importlib.import_module("test._test_multiprocessing").DELTA = 1.0  # type: ignore[attr-defined]  # theirs
    second = Outcomes(outcomes.module)
    unittest.TestSuite(tests).run(second)
    outcomes.found.update({name: found for name, found in second.found.items() if found[0] == "passed"})


def run(module: str, classes: Iterable[str], output: str, left_out: Collection[str] = (), method: str = "") -> None:
    """Run these classes of the module, those that this Python has, and write what became of them.

    Args:
        module: by the name under which other processes import it; this one may run it as ``__main__``.
        classes: their names.
        output: the file to write to.
        left_out: tests that are not run: "Class.test".
        method: the start method to set once theirs is.
    """
    import multiprocessing

    cases: Any = importlib.import_module(module)
    loader, outcomes, tests = unittest.TestLoader(), Outcomes(module), list[Any]()
    for name in classes:
        if case := getattr(cases, name, None):
            tests += [case(test) for test in loader.getTestCaseNames(case) if f"{name}.{test}" not in left_out]
    cases.setUpModule()
    # Not what setUpModule says: what it names makes a semaphore as it is imported, and tests kill that fork server,
    # which would leave it in /dev/shm.
    multiprocessing.set_forkserver_preload([])
    try:
        if method:
            multiprocessing.set_start_method(method, force=True)
        unittest.TestSuite(tests).run(outcomes)
        _run_again([type(test)(test._testMethodName) for test in tests if outcomes.word(test) == "failed"], outcomes)
    finally:
        cases.tearDownModule()
    _write(outcomes, output)


def run_modules(names: Iterable[str], output: str) -> None:
    """Run all of these modules of CPython's ``test`` package, and write what became of each test.

    Args:
        names: such as "test_xmlrpc"; each test's begins with it.
        output: the file to write to.
    """
    loader, outcomes = unittest.TestLoader(), Outcomes("test")
    for name in names:
        loader.loadTestsFromName(f"test.{name}").run(outcomes)
    _write(outcomes, output)


def _write(outcomes: Outcomes, output: str) -> None:
    for thread in threading.enumerate():  # one that was left to itself in a sleep of the tests ends with it
        if thread is not threading.main_thread():
            thread.join(10)
    found = {
        "outcomes": outcomes.found,
        "threads": [thread.name for thread in threading.enumerate()],
        "children": [repr(child) for child in active_children()],
    }
    with open(output, "w") as file:
        json.dump(found, file)


class Found(NamedTuple):
    """What `run` has written, in another process.

    Attributes:
        outcomes: a word and the details, by test.
        stderr: what that process wrote there.
    """

    outcomes: dict[str, tuple[str, str]]
    stderr: str

    def check(
        self,
        expected: Mapping[str, tuple[str, str]],
        left_out: Iterable[str] = (),
        modules: Iterable[str] = ("test._test_multiprocessing",),
    ) -> None:
        """Did those fail that are expected to, and no other?

        Args:
            expected: what fails, or is left out, and why that is right: test -> (the line of CPython that it stands on,
                the reason). Tests that this Python does not have, or skips, may be in there.
            left_out: those of them that were not run.
            modules: where those lines are.
        """
        failed = {name: details for name, (word, details) in self.outcomes.items() if word == "failed"}
        surprising = "\n".join(f"{name}\n{details}" for name, details in failed.items() if name not in expected)
        assert not surprising, surprising
        passed = {name for name, (word, _) in self.outcomes.items() if word == "passed"}
        assert not passed & set(expected), "expected to fail, and pass: take them out of the table"
        source = ""
        for module in modules:
            with open(require(module=module, install="the test package of this Python").__file__) as file:
                source += file.read()
        assert [expected[name][0] for name in {*failed, *left_out} if expected[name][0] not in source] == []

    @property
    def passed(self) -> int:
        return sum(word == "passed" for word, _ in self.outcomes.values())


def outcomes_of(module: str, *args: str, seconds: float, **environment: str) -> Found:
    """Run ``python -m module args... OUTPUT`` and read what it has found; it must leave no thread and no child."""
    require(module="test", install="the test package of this Python")
    with tempfile.TemporaryDirectory() as folder:
        output = os.path.join(folder, "outcomes.json")
        path = os.pathsep.join(filter(None, sys.path))
        try:
            done = subprocess.run(
                [sys.executable, "-m", module, *args, output],
                env={**os.environ, "PYTHONPATH": path, **environment},
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            told = (late.stderr or b"")[-2000:].decode(errors="replace")
            raise AssertionError(f"it has not ended within {seconds:g} s; the last that it wrote:\n{told}") from None
        assert done.returncode == 0, done.stderr
        with open(output) as file:
            found = json.load(file)
    assert found["threads"] == ["MainThread"]
    assert found["children"] == []
    return Found({name: tuple(outcome) for name, outcome in found["outcomes"].items()}, done.stderr)
