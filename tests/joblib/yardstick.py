"""Joblib's own `test_parallel`, as the installed joblib ships it, with another backend where it says "loky".

Rule: nothing of theirs is changed. Where a test is given a backend, or takes joblib's default, it gets the one under
test instead of loky; what is about the other backends alone is left out.

A plugin of pytest, with a program around it::

    python -m tests.joblib.yardstick elsewhere OUTPUT    # writes {"test id": ["outcome", "details"]} as JSON
    python -m tests.joblib.yardstick loky OUTPUT         # loky itself, on the same tests
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import joblib
import pytest
from joblib import parallel
from joblib.test import test_parallel as theirs

import elsewhere
import elsewhere.joblib

ABOUT_BACKENDS = {"backend", "parent_backend", "child_backend", "outer_backend", "inner_backend"}
OTHERS = {"multiprocessing", "threading", "sequential", "back_compat_backend", "spawn"}
LEFT_OUT = {
    # A script that starts with its own import of loky's processes and looks for their log lines:
    "test_parallel_with_interactively_defined_bound_method_loky",
    # joblib's own documentation of what is broken; passes with nothing:
    "test_nested_exception_dispatch",
}
SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(elsewhere.__file__)))
PRELUDE = f"""\
import sys
sys.path[:0] = {[SOURCE, os.path.dirname(os.path.dirname(joblib.__file__))]!r}
import elsewhere.joblib
elsewhere.joblib.register(default=True)
"""


class Yardstick:
    """Puts a backend in loky's place and notes what the tests say."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.found: dict[str, tuple[str, str]] = {}
        if target == "elsewhere":
            elsewhere.joblib.register(default=True)
            # Tests that name loky and no other, or look for its class:
            parallel.BACKENDS["loky"] = theirs.LokyBackend = elsewhere.joblib.ElsewhereBackend
            for name, value in list(vars(theirs).items()):  # scripts that run in an interpreter of their own
                if name.endswith(("_TEMPLATE_MAIN", "_TEMPLATE_NO_MAIN", "SCRIPT_CONTENT")):
                    setattr(theirs, name, PRELUDE + value.replace('backend="loky"', 'backend="elsewhere"'))

    @pytest.hookimpl(tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Before pytest's own, which reads the marks."""
        marks = metafunc.definition.own_markers
        marks[:] = [self._replaced(mark) if mark.name == "parametrize" else mark for mark in marks]

    def _replaced(self, mark: pytest.Mark) -> pytest.Mark:
        names, values, *rest = mark.args
        names = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
        about = [place for place, name in enumerate(names) if name in ABOUT_BACKENDS]
        if not about:
            return mark
        rows = [list(row) if len(names) > 1 else [row] for row in values]
        kept: list[Any] = []
        for row in rows:
            for place in about:
                row[place] = self._backend(row[place], names[place])
            if not any(row[place] is None for place in about) and self._about_target(row, about):
                new = tuple(row) if len(names) > 1 else row[0]
                if new not in kept:
                    kept.append(new)
        return pytest.mark.parametrize(",".join(names), kept, *rest, **mark.kwargs).mark

    def _backend(self, value: Any, name: str) -> Any:
        """What stands for it; None for what is left out."""
        if value is None or value == "loky":
            return self.target
        if isinstance(value, str):
            return value if value not in OTHERS or name != "backend" else None
        return None  # an instance of another backend, or a context of multiprocessing

    def _about_target(self, row: list[Any], about: list[int]) -> bool:
        return any(row[place] not in OTHERS for place in about)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Without those that are left out."""
        items[:] = [item for item in items if item.name.split("[")[0] not in LEFT_OUT]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """The worst phase counts."""
        name = report.nodeid.split("::")[-1]
        if report.failed:
            self.found[name] = ("failed", report.longreprtext)
        elif report.when == "call" or report.skipped:
            self.found.setdefault(name, (report.outcome, report.longreprtext if report.skipped else ""))


def main(target: str, output: str, *options: str) -> int:
    """Run them."""
    yardstick = Yardstick(target)
    quiet = [
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:warnings",
        "-c",
        os.devnull,
        "--rootdir",
        os.path.dirname(output),
    ]
    code = pytest.main([*quiet, *options, theirs.__file__], plugins=[yardstick])
    elsewhere.joblib.shutdown()
    with open(output, "w") as file:
        json.dump(yardstick.found, file)
    return int(code > pytest.ExitCode.TESTS_FAILED)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
