"""The yardstick: CPython's own tests of managers, as this interpreter ships them, with ours for multiprocessing's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from typing import Any

import pytest

from tests.require import require

# What fails, and why that is right: test -> (a line of CPython that it stands on, the reason).
DIFFERENT = {
    "TestSyncManagerTypes.test_lock": (
        "def _test_lock(cls, obj):",
        "a process ends with the lock, and another one releases it: here it is free as soon as its holder has ended",
    ),
    "TestSyncManagerTypes.test_bounded_semaphore": (
        'self.test_semaphore(sname="BoundedSemaphore")',
        "the same with a semaphore, which then has its bound",
    ),
}


@pytest.mark.slow
@pytest.mark.bound(240)
@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_cpythons_tests_of_managers_pass(method):
    theirs = require(module="test._test_multiprocessing", install="the test package of this Python")
    with tempfile.TemporaryDirectory() as folder:
        output = os.path.join(folder, "outcomes.json")
        command = [sys.executable, "-m", "tests.managers.cpython_cases", method, output]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=220, check=False)
        assert done.returncode == 0, done.stderr
        with open(output) as file:
            found: dict[str, Any] = json.load(file)
    outcomes = found["outcomes"]
    failed = {name: details for name, (outcome, details) in outcomes.items() if outcome == "failed"}
    surprising = "\n".join(f"{name}\n{details}" for name, details in failed.items() if name not in DIFFERENT)
    assert not surprising, surprising
    assert set(failed) == set(DIFFERENT), "expected to fail, and pass: take them out of the table"
    with open(theirs.__file__) as file:
        source = file.read()
    assert [line for line, _ in DIFFERENT.values() if line not in source] == []
    assert sum(outcome == "passed" for outcome, _ in outcomes.values()) >= 75
    assert found["threads"] == ["MainThread"]
