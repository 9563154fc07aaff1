"""CPython's own tests of managers, with multiprocessing's manager classes replaced by ours; `test_cpython` runs this.

Rule: nothing of theirs is changed; what they may get from elsewhere is replaced as well.

The cases live in a module that can be imported, since processes import what is tested from here. Usage::

    python -m tests.managers.cpython_cases forkserver|spawn OUTPUT    # writes what became of each test
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.context
import multiprocessing.managers
import sys
from typing import Any

from elsewhere.shared import managers as ours
from tests import outcomes

CLASSES = (
    "WithManagerTestQueue", "WithManagerTestLock", "WithManagerTestSemaphore", "WithManagerTestCondition",
    "WithManagerTestEvent", "WithManagerTestBarrier", "WithManagerTestContainers", "WithManagerTestPool",
    "WithManagerTestMyManager", "WithManagerTestRemoteManager", "WithManagerTestManagerRestart", "TestSyncManagerTypes",
    "TestManagerExceptions", "TestInitializers",
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
theirs: Any = outcomes.cpythons_tests()
theirs.install_tests_in_module_dict(globals(), START_METHOD)

if __name__ == "__main__":
    outcomes.run("tests.managers.cpython_cases", CLASSES, sys.argv[2])
