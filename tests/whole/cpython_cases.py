"""All of CPython's own tests of multiprocessing, with every public name replaced by ours; `test_cpython` runs this.

Rule: nothing of theirs is changed; ``import elsewhere as multiprocessing`` is what is tested. The cases live in a
module that can be imported, since processes import what is tested from here. Usage::

    python -m tests.whole.cpython_cases CLASS,... OUTPUT    # writes what became of each test
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.managers
import multiprocessing.sharedctypes
import os
import sys
from typing import Any

import elsewhere
from tests import outcomes

METHOD = os.environ.setdefault("ELSEWHERE_TEST_METHOD", "forkserver")

for name in {*multiprocessing.__all__} - {"reducer"}:
    setattr(multiprocessing, name, getattr(elsewhere, name))
for name in ("Value", "Array", "RawValue", "RawArray"):
    setattr(multiprocessing.sharedctypes, name, getattr(elsewhere, name))
managers: Any = multiprocessing.managers
base, managers.BaseManager, managers.SyncManager = managers.BaseManager, elsewhere.BaseManager, elsewhere.SyncManager

# After the replacement, which they must see:
theirs: Any = outcomes.cpythons_tests()
managers.BaseManager = base  # by this name it calls its own methods, for managers of its shared memory
theirs.install_tests_in_module_dict(globals(), METHOD)
_UpperCaser = theirs._UpperCaser  # a subclass of `Process` that is to be imported from here, too
_UpperCaser.__module__ = "tests.whole.cpython_cases"

if __name__ == "__main__":
    outcomes.run("tests.whole.cpython_cases", sys.argv[1].split(","), sys.argv[2])
