"""The yardstick: CPython's own tests of processes, as this interpreter ships them, with ours for `Process`."""

from __future__ import annotations

import pytest

from tests.outcomes import outcomes_of
from tests.process.work import METHODS

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
@pytest.mark.bound(600)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("classes", "least"), [(PROCESSES, 24), (SHARED, 40)], ids=["processes", "shared"])
def test_cpythons_tests_pass(method, classes, least):
    found = outcomes_of("tests.process.cpython_cases", method, ",".join(classes), seconds=580)
    found.check({})
    assert found.passed >= least
