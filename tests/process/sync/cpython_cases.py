"""CPython's own tests of queues, locks and pipes, with ours in multiprocessing's place; `test_cpython` runs this.

Rule: nothing of theirs is changed; what they may get from elsewhere than `multiprocessing` itself is replaced as well.
The cases live in a module that can be imported, since processes import the functions that are tested from here. Usage::

    python -m tests.process.sync.cpython_cases forkserver|spawn OUTPUT    # writes what became of each test
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from typing import Any

import elsewhere
from tests import outcomes

CLASSES = [
    *("TestQueue", "TestLock", "TestSemaphore", "TestCondition", "TestEvent", "TestBarrier"),
    *("TestConnection", "TestPoll"),
]
NAMES = [
    *("Queue", "JoinableQueue", "SimpleQueue", "Pipe"),
    *("Lock", "RLock", "Semaphore", "BoundedSemaphore", "Condition", "Event", "Barrier"),
]
METHOD = os.environ.setdefault("ELSEWHERE_TEST_METHOD", "forkserver")

for name in NAMES:
    setattr(multiprocessing, name, getattr(elsewhere, name))

# After the replacement, which they must see:
theirs: Any = outcomes.cpythons_tests()
theirs.install_tests_in_module_dict(globals(), METHOD)

if __name__ == "__main__":
    names = ["TestSimpleQueue", *(f"WithProcesses{name}" for name in CLASSES)]
    outcomes.run("tests.process.sync.cpython_cases", names, sys.argv[1])
