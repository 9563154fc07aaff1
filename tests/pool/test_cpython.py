"""The yardstick: CPython's own tests of Pool, as this interpreter ships them, with ours for `multiprocessing.Pool`."""

from __future__ import annotations

import pytest

from tests.outcomes import outcomes_of

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


@pytest.mark.slow
@pytest.mark.bound(600)
@pytest.mark.parametrize("flavour", ["processes", "threads"])
def test_cpythons_tests_of_pool_pass(flavour):
    found = outcomes_of("tests.pool.cpython_cases", flavour, seconds=580)
    found.check({name: why for name, why in PRIVATE.items() if flavour.capitalize() in name})
    assert found.passed >= (20 if flavour == "processes" else 15)
    assert sum(word == "failed" for word, _ in found.outcomes.values()) <= 4
    assert "the driver of a pool failed" not in found.stderr
