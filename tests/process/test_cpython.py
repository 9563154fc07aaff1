"""The yardstick: CPython's own tests of processes, as this interpreter ships them, with ours for `Process`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.process.work import METHODS
from tests.require import require

# What is left out because it fails, or hangs until its own five minutes are over, and why that is right:
# test -> (a line of CPython that it stands on, the reason).
LEFT_OUT = {
    "WithProcessesTestProcess.test_parent_process": (
        'self.assertEqual(parent_process_status, "not alive")',
        "no private detail: a process ends with the one that has started it; here a grandchild outlives it and says so",
    ),
}

PROCESSES = ("WithProcessesTestProcess", "WithProcessesTestSubclassingProcess")
SHARED = (
    "WithProcessesTestLock",
    "WithProcessesTestSemaphore",
    "WithProcessesTestCondition",
    "WithProcessesTestEvent",
    "WithProcessesTestBarrier",
    "WithProcessesTestConnection",
    "WithProcessesTestPicklingConnections",
    "WithProcessesTestValue",
    "WithProcessesTestArray",
    "WithProcessesTestLogging",
    "TestCloseFds",
    "TestIgnoreEINTR",
)


@pytest.mark.slow
@pytest.mark.bound(200)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("classes", "least"), [(PROCESSES, 25), (SHARED, 40)], ids=["processes", "shared"])
def test_cpythons_tests_pass(method, classes, least, tmp_path):
    theirs = require(module="test._test_multiprocessing", install="the test package of this Python")
    output = str(tmp_path / "outcomes.json")
    command = [sys.executable, "-m", "tests.process.cpython_cases", method, output]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [*command, ",".join(classes), ",".join(LEFT_OUT)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=190,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with open(output) as file:
        found: dict[str, Any] = json.load(file)
    failed = [f"{name}\n{details}" for name, (word, details) in found["outcomes"].items() if word == "failed"]
    assert not failed, "\n".join(failed)
    assert len(found["outcomes"]) >= least
    assert found["threads"] == ["MainThread"]
    assert found["children"] == []
    with open(theirs.__file__) as file:
        source = file.read()
    assert [line for line, _ in LEFT_OUT.values() if line not in source] == []
    assert len(LEFT_OUT) <= 4
