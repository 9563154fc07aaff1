"""The yardstick: CPython's own tests of Pool, as this interpreter ships them, with ours for `multiprocessing.Pool`."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
from typing import Any

import pytest

from tests.require import require

# What fails, and why that is right: test -> (a line of CPython that it stands on, the reason).
PRIVATE = {
    "WithProcessesTestPool.test_make_pool": (
        "self.assertEqual(3, len(p._pool))",
        "`_pool` is the private list of worker objects",
    ),
    "WithProcessesTestPool.test_resource_warning": (
        "pool._state = multiprocessing.pool.RUN",
        "`_state` is private: the test sets it to make a pool that has ended look as if it ran",
    ),
    "WithProcessesTestPoolWorkerLifetime.test_pool_worker_lifetime": (
        "p._repopulate_pool()",
        "a private method; that workers are replaced is tested in test_workers.py",
    ),
    "WithProcessesTestPoolWorkerErrors.test_unpickleable_result": (
        "return lambda: 42",
        "no private detail: here a lambda is a result that can travel; contract/test_errors.py has what cannot",
    ),
    "WithThreadsTestPool.test_make_pool": (
        "self.assertEqual(3, len(p._pool))",
        "`_pool` is the private list of worker objects",
    ),
    "WithThreadsTestPool.test_resource_warning": (
        "pool._state = multiprocessing.pool.RUN",
        "`_state` is private: the test sets it to make a pool that has ended look as if it ran",
    ),
}


@functools.cache
def run(flavour: str) -> tuple[dict[str, tuple[str, str]], list[str], str]:
    """The outcome of each test, the threads left at the end, and what was written to stderr."""
    with tempfile.TemporaryDirectory() as folder:
        output = os.path.join(folder, "outcomes.json")
        command = [sys.executable, "-m", "tests.pool.cpython_cases", flavour, output]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
        assert done.returncode == 0, done.stderr
        with open(output) as file:
            found: dict[str, Any] = json.load(file)
    return {name: tuple(outcome) for name, outcome in found["outcomes"].items()}, found["threads"], done.stderr


@pytest.mark.slow
@pytest.mark.bound(120)
@pytest.mark.parametrize("flavour", ["processes", "threads"])
def test_cpythons_tests_of_pool_pass(flavour):
    theirs = require(module="test._test_multiprocessing", install="the test package of this Python")
    outcomes, threads, stderr = run(flavour)
    expected = {name for name in PRIVATE if flavour.capitalize() in name}
    failed = {name: details for name, (outcome, details) in outcomes.items() if outcome == "failed"}
    surprising = "\n".join(f"{name}\n{details}" for name, details in failed.items() if name not in expected)
    assert not surprising, surprising
    assert set(failed) == expected, "expected to fail, and pass: take them out of the table"
    with open(theirs.__file__) as file:
        source = file.read()
    assert [line for name in expected for line in PRIVATE[name][:1] if line not in source] == []
    assert len(outcomes) - len(failed) >= (25 if flavour == "processes" else 20)
    assert len(failed) <= 4
    assert threads == ["MainThread"]
    assert "the driver of a pool failed" not in stderr
