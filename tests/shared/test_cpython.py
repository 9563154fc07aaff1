"""The yardstick: CPython's own tests of Value, Array and ctypes objects, as this interpreter ships them, with ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.require import require
from tests.shared import work

# What fails, and why that is right: test -> (a line of CPython that it stands on, the reason).
PRIVATE: dict[str, tuple[str, str]] = {}


@pytest.mark.slow
@pytest.mark.bound(120)
@pytest.mark.parametrize("method", [*work.METHODS, "fork"])
def test_cpythons_tests_of_values_and_arrays_pass(method, tmp_path):
    theirs = require(module="test._test_multiprocessing", install="the test package of this Python")
    output = tmp_path / "outcomes.json"
    command = [sys.executable, "-m", "tests.shared.cpython_cases", method, str(output)]
    environment = {**os.environ, "PYTHONPATH": f"{work.SRC}:{work.ROOT}"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    outcomes = json.loads(output.read_text())
    failed = {name: details for name, (outcome, details) in outcomes.items() if outcome == "failed"}
    surprising = "\n".join(f"{name}\n{details}" for name, details in failed.items() if name not in PRIVATE)
    assert not surprising, surprising
    assert set(failed) == set(PRIVATE), "expected to fail, and pass: take them out of the table"
    with open(theirs.__file__) as file:
        source = file.read()
    assert [line for name in PRIVATE for line in PRIVATE[name][:1] if line not in source] == []
    passed = [name for name, (outcome, _) in outcomes.items() if outcome == "passed"]
    assert len(passed) >= 12
