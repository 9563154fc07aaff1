"""The yardstick: CPython's own tests of queues, locks and pipes, as this interpreter ships them, on ours."""

from __future__ import annotations

import pytest

from tests.outcomes import outcomes_of

# What fails, and why that is right: test -> (a line of CPython that it stands on, the reason).
EXPECTED = {
    "WithProcessesTestQueue.test_queue_feeder_donot_stop_onexc": (
        "self.assertTrue(q.get(timeout=support.SHORT_TIMEOUT))",
        "an item that cannot be pickled is to be dropped by a thread later; here put() itself raises",
    ),
}


@pytest.mark.slow
@pytest.mark.bound(600)
@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_cpythons_tests_pass(method):
    found = outcomes_of("tests.process.sync.cpython_cases", seconds=580, ELSEWHERE_TEST_METHOD=method)
    found.check(EXPECTED)
    assert found.passed >= 40
