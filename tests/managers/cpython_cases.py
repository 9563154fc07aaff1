"""CPython's own tests of managers, with multiprocessing's manager classes replaced by ours; `test_cpython` runs this.

Rule: nothing of theirs is changed; what they may get from elsewhere is replaced as well.

The cases live in a module that can be imported, since processes import what is tested from here. Usage::

    python -m tests.managers.cpython_cases forkserver|spawn OUTPUT    # writes {"test name": "outcome"} as JSON
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import multiprocessing.context
import multiprocessing.managers
import sys
import threading
import unittest
from typing import Any

from elsewhere.shared import managers as ours
from tests.managers.outcomes import Outcomes

CLASSES = (
    "WithManagerTestQueue", "WithManagerTestLock", "WithManagerTestSemaphore", "WithManagerTestCondition",
    "WithManagerTestEvent", "WithManagerTestBarrier", "WithManagerTestContainers", "WithManagerTestPool",
    "WithManagerTestMyManager", "WithManagerTestRemoteManager", "WithManagerTestManagerRestart", "TestSyncManagerTypes",
    "TestInitializers",
)  # fmt: skip


def _replace(start_method: str) -> None:
    def manager(*args: Any) -> Any:
        return ours.Manager(context=start_method)

    context: Any = multiprocessing.context.BaseContext
    context.Manager = manager
    vars(multiprocessing)["Manager"] = manager
    theirs: Any = multiprocessing.managers
    theirs.BaseManager, theirs.SyncManager = ours.BaseManager, ours.SyncManager


START_METHOD = sys.argv[1] if len(sys.argv) == 3 else "forkserver"
_replace(START_METHOD)

# After the replacement, which they must see:
theirs: Any = importlib.import_module("test._test_multiprocessing")
theirs.install_tests_in_module_dict(globals(), START_METHOD)


def main(output: str) -> None:
    """Run the cases."""
    importable = importlib.import_module("tests.managers.cpython_cases")  # by the name under which processes know it
    loader, outcomes, suite = unittest.TestLoader(), Outcomes(__spec__.name), unittest.TestSuite()
    for name in CLASSES:
        case = getattr(importable, name, None)
        if case is not None:
            suite.addTests(loader.loadTestsFromTestCase(case))
    importable.setUpModule()
    try:
        suite.run(outcomes)
    finally:
        importable.tearDownModule()
    with open(output, "w") as file:
        json.dump({"outcomes": outcomes.found, "threads": [thread.name for thread in threading.enumerate()]}, file)


if __name__ == "__main__":
    main(sys.argv[2])
