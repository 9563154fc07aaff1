"""CPython's own tests of Value and Array, with ours in multiprocessing's place; `test_cpython` runs this.

Rule: nothing of theirs is changed. The cases live in a module that can be imported, since processes import the
functions that are tested from here. Usage::

    python -m tests.shared.cpython_cases forkserver|spawn|fork OUTPUT    # writes what became of each test
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.sharedctypes
import sys
from typing import Any

import elsewhere
from tests import outcomes

CLASSES = ("TestValue", "TestArray", "TestSharedCTypes", "TestHeap")
START_METHOD = sys.argv[1] if sys.argv[0].endswith("cpython_cases.py") else "forkserver"

for _name in ("Value", "Array", "RawValue", "RawArray"):
    setattr(multiprocessing, _name, getattr(elsewhere, _name))
    setattr(multiprocessing.sharedctypes, _name, getattr(elsewhere, _name))

theirs: Any = outcomes.cpythons_tests()  # after the replacement, which it must see
assert theirs.ProcessesMixin.Value == theirs.Value == elsewhere.Value
theirs.install_tests_in_module_dict(globals(), START_METHOD)

if __name__ == "__main__":
    outcomes.run("tests.shared.cpython_cases", [f"WithProcesses{name}" for name in CLASSES], sys.argv[2])
