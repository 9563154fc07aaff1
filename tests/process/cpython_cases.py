"""CPython's own tests of processes and of what they share, with `Process` replaced by ours; `test_cpython` runs this.

Rule: nothing of theirs is changed. The cases live in a module that can be imported, since children import the functions
that are tested from here, and see the replacement then. Usage::

    python -m tests.process.cpython_cases forkserver|spawn CLASS,... OUTPUT

writes what became of each test.
"""

from __future__ import annotations

import multiprocessing
import sys
from typing import Any

import elsewhere
from tests import outcomes

multiprocessing.Process = elsewhere.Process  # type: ignore[misc, assignment]

# After the replacement, which they must see:
theirs: Any = outcomes.cpythons_tests()
START_METHOD = sys.argv[1] if sys.argv[0].endswith("cpython_cases.py") else "forkserver"
theirs.install_tests_in_module_dict(globals(), START_METHOD)
_UpperCaser = theirs._UpperCaser  # a subclass of `Process` that is to be imported from here, too
_UpperCaser.__module__ = "tests.process.cpython_cases"

if __name__ == "__main__":
    elsewhere.set_start_method(START_METHOD)
    _, _, names, output = sys.argv
    outcomes.run("tests.process.cpython_cases", names.split(","), output)
