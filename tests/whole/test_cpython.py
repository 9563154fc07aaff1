"""The yardstick as a whole: each of CPython's tests of multiprocessing that this interpreter ships, with ours for it.

What another folder's yardstick tests with less of ours is tested here once more with all of it.
"""

from __future__ import annotations

import functools
import unittest
from typing import Any

import pytest

from tests.outcomes import outcomes_of
from tests.require import require

# What fails, and why that is right: test -> (a line of CPython that it stands on, the reason).
POOL = {
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
        "a private method; that workers are replaced is tested in pool/test_workers.py",
    ),
    "WithProcessesTestPoolWorkerErrors.test_unpickleable_result": (
        "return lambda: 42",
        "no private detail: here a lambda is a result that can travel; contract/test_errors.py has what cannot",
    ),
}
SHARED = {
    "WithProcessesTestQueue.test_queue_feeder_donot_stop_onexc": (
        "self.assertTrue(q.get(timeout=support.SHORT_TIMEOUT))",
        "an item that cannot be pickled is to be dropped by a thread later; here put() itself raises",
    ),
}
MANAGERS = {
    "TestSyncManagerTypes.test_lock": (
        "def _test_lock(cls, obj):",
        "a process ends with the lock, and another one releases it: here it is free as soon as its holder has ended",
    ),
    "TestSyncManagerTypes.test_bounded_semaphore": (
        'self.test_semaphore(sname="BoundedSemaphore")',
        "the same with a semaphore, which then has its bound",
    ),
}
MACHINERY = {
    "TestResourceTracker.test_resource_tracker_sigkill": (
        "self.assertEqual(len(all_warn), 1)",
        "a semaphore is to need the resource tracker, which says so when it was killed: ours have no name, and none",
    ),
    "TestStartMethod.test_get_all": (
        "methods == ['spawn', 'fork', 'forkserver'])",
        "that forkserver is not the first, which is the default: it is, as in Python 3.14",
    ),
    "TestStartMethod.test_mixed_startmethod": (
        'err_msg = "A SemLock created in a fork"',
        "that a lock of one start method is refused by another: ours may travel anywhere",
    ),
}


@functools.cache
def classes() -> tuple[list[str], list[str], list[str]]:
    """Of managers; of processes; and of neither."""
    theirs = require(module="test._test_multiprocessing", install="the test package of this Python")
    cases: list[Any] = [case for case in vars(theirs).values() if isinstance(case, type)]
    flavours = [case for case in cases if issubclass(case, theirs.BaseTestCase) and case is not theirs.BaseTestCase]
    return (
        [f"WithManager{case.__name__[1:]}" for case in flavours if "manager" in case.ALLOWED_TYPES],
        [f"WithProcesses{case.__name__[1:]}" for case in flavours if "processes" in case.ALLOWED_TYPES],
        [case.__name__ for case in cases if issubclass(case, unittest.TestCase)],
    )


@pytest.mark.slow
@pytest.mark.bound(900)
@pytest.mark.parametrize("method", ["forkserver", "spawn"])
@pytest.mark.parametrize(
    ("part", "expected", "least"), [(0, {}, 60), (1, POOL | SHARED, 120), (2, MANAGERS | MACHINERY, 50)],
    ids=["managers", "processes", "others"]
)  # fmt: skip
def test_cpythons_tests_pass(part, expected, least, method):
    names = ",".join(classes()[part])
    found = outcomes_of("tests.whole.cpython_cases", names, seconds=880, ELSEWHERE_TEST_METHOD=method)
    found.check(expected)
    assert found.passed >= least
