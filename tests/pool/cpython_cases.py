"""CPython's own tests of Pool, with `multiprocessing.Pool` itself replaced by ours; `test_cpython` runs this.

Rule: nothing of theirs is changed; what they may get from elsewhere than `multiprocessing.Pool` is replaced as well.

The cases live in a module that can be imported, since workers import the functions that are tested from here. Usage::

    python -m tests.pool.cpython_cases processes|threads OUTPUT    # writes what became of each test
"""

from __future__ import annotations

import functools
import importlib
import multiprocessing
import multiprocessing.dummy
import multiprocessing.pool
import os
import sys
from typing import Any

import elsewhere
from tests import outcomes

CLASSES = ("TestPool", "TestPoolWorkerErrors", "TestPoolWorkerLifetime")
START_METHOD = "forkserver"  # of the standard library's own processes in these tests; ours start in their own way

multiprocessing.Pool = elsewhere.Pool  # type: ignore[assignment]
multiprocessing.dummy.Pool = functools.partial(elsewhere.Pool, where="threads")

# After the replacement, which they must see:
script_helper: Any = importlib.import_module("test.support.script_helper")
theirs: Any = outcomes.cpythons_tests()

# The test of an interpreter's end starts one by itself, which must have the replacement too.
SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(elsewhere.__file__)))
PRELUDE = f"""
import sys
sys.path[:0] = {[SOURCE, *sys.path]!r}
import multiprocessing, elsewhere
multiprocessing.Pool = elsewhere.Pool
"""


def _python_ok(original: Any, option: str, script: str) -> Any:
    assert option == "-c"
    return original(option, PRELUDE + script)


script_helper.assert_python_ok = functools.partial(_python_ok, script_helper.assert_python_ok)
theirs.install_tests_in_module_dict(globals(), START_METHOD)


def main(flavour: str, output: str) -> None:
    """Run the cases of one flavour."""
    if flavour == "threads":  # as in later versions of these tests: a thread cannot be stopped, and sleeps to its end
        vars(importlib.import_module("test.support"))["LONG_TIMEOUT"] = 1
    outcomes.run("tests.pool.cpython_cases", [f"With{flavour.capitalize()}{name}" for name in CLASSES], output)


if __name__ == "__main__":
    main(*sys.argv[1:])
