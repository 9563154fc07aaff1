"""The yardstick: CPython's own tests of managers, as this interpreter ships them, with ours for multiprocessing's."""

from __future__ import annotations

import pytest

from tests.outcomes import outcomes_of

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
@pytest.mark.bound(600)
@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_cpythons_tests_of_managers_pass(method):
    found = outcomes_of("tests.managers.cpython_cases", method, seconds=580)
    found.check(DIFFERENT)
    assert found.passed >= 75
