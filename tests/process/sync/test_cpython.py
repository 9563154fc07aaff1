"""The yardstick: CPython's own tests of queues, locks and pipes, as this interpreter ships them, on ours."""

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
SOCKET = (
    "fd = reduction.recv_handle(conn)",
    "takes the end of a Pipe for a socket, to send descriptors through; ours are pipes, which can travel at any time",
)
EXPECTED = {
    "WithProcessesTestQueue.test_queue_feeder_donot_stop_onexc": (
        "self.assertTrue(q.get(timeout=support.SHORT_TIMEOUT))",
        "an item that cannot be pickled is to be dropped by a thread later; here put() itself raises",
    ),
    "TestSimpleQueue.test_closed": (
        "self.assertTrue(queue._reader.closed)",
        "`_reader` is private; test_queues.py closes a SimpleQueue",
    ),
    "WithProcessesTestConnection.test_fd_transfer": SOCKET,
    "WithProcessesTestConnection.test_large_fd_transfer": SOCKET,
    "WithProcessesTestConnection.test_missing_fd_transfer": SOCKET,
}


@functools.cache
def run(method: str) -> dict[str, tuple[str, str]]:
    """The outcome of each test."""
    with tempfile.TemporaryDirectory() as folder:
        output = os.path.join(folder, "outcomes.json")
        command = [sys.executable, "-m", "tests.process.sync.cpython_cases", method, output]
        path = os.pathsep.join(filter(None, sys.path))
        environment = {**os.environ, "PYTHONPATH": path, "ELSEWHERE_TEST_METHOD": method}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=170, check=False)
        assert done.returncode == 0, done.stderr
        with open(output) as file:
            found: dict[str, Any] = json.load(file)
    return {name: tuple(outcome) for name, outcome in found.items()}


@pytest.mark.slow
@pytest.mark.bound(180)
@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_cpythons_tests_pass(method):
    theirs = require(module="test._test_multiprocessing", install="the test package of this Python")
    outcomes = run(method)
    failed = {name: details for name, (outcome, details) in outcomes.items() if outcome == "failed"}
    surprising = "\n".join(f"{name}\n{details}" for name, details in failed.items() if name not in EXPECTED)
    assert not surprising, surprising
    assert set(failed) == set(EXPECTED), "expected to fail, and pass: take them out of the table"
    with open(theirs.__file__) as file:
        source = file.read()
    assert [line for line, _ in EXPECTED.values() if line not in source] == []
    assert len(outcomes) - len(failed) >= 40
