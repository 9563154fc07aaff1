"""What workers import: nothing for its warnings alone, and never half."""

from __future__ import annotations

import importlib
import os
import sys
import time
import warnings

import pytest

from elsewhere import Pool
from tests.contract.work import Gate, until
from tests.pool import rare, work

FRESH = pytest.mark.parametrize("method", ["forkserver", "spawn"])


@FRESH
@pytest.mark.parametrize(("action", "what"), [("error", "raised"), ("ignore", "not raised")])
def test_a_filter_for_a_modules_own_warning_holds_and_does_not_load_the_module(method, action, what):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if action == "error" else "error")
        warnings.simplefilter(action, rare.Rare.RareWarning)
        with Pool(1, context=method) as pool:
            assert pool.apply(work.is_loaded, ("tests.pool.rare",)) is False
            assert pool.apply(rare.warn) == what


HALF = """
import os, time
from .done import *
names = done.names
folder = {folder!r}
with open(os.path.join(folder, "came-import"), "a") as file:
    print(os.getpid(), file=file)
end = time.monotonic() + 30
while not os.path.exists(os.path.join(folder, "open")) and time.monotonic() < end:
    time.sleep(0.002)
"""


@pytest.fixture
def gated_package(tmp_path, monkeypatch):
    """A package whose import waits at the gate, and which cannot be imported again once that was broken off."""
    gate = Gate(tmp_path / "gate")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "__init__.py").write_text(HALF.format(folder=str(gate.folder)))
    (tmp_path / "half" / "done.py").write_text("names = ['a']\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield gate
    gate.open()
    assert "half" not in sys.modules


def import_names(name: str) -> tuple[int, list[str]]:
    return os.getpid(), importlib.import_module(name).names


@FRESH
def test_a_cancelled_call_never_leaves_a_module_half_imported(method, gated_package):
    gate = gated_package
    with Pool(1, context=method, grace=0.05) as pool:
        first = pool.submit(import_names, "half")
        gate.wait_for("came", "import")
        first.cancel()
        second = pool.submit(import_names, "half")
        until(lambda: second.done() or gate.times("came", "import") == 2, "another worker to import it")
        gate.open()
        pid, names = second.result()
        assert names == ["a"]
        before, after = (gate.folder / "came-import").read_text().split()
        assert before != after
        assert int(after) == pid


class Imports:
    """An argument whose arrival imports the gated package."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return importlib.import_module, ("half",)


def note_call(gate: Gate, _: object) -> None:
    gate.note("came", "call")


@FRESH
def test_a_call_that_is_cancelled_while_its_arguments_import_something_ends_after_that(method, gated_package):
    gate = gated_package
    with Pool(1, context=method, grace=60) as pool:
        pid = pool.apply(os.getpid)
        future = pool.submit(note_call, gate, Imports())
        gate.wait_for("came", "import")
        future.cancel()
        until(lambda: pool._driver.scheduler.peers[1].interrupted, "the interrupt to be sent")
        gate.open()
        assert pool.apply(os.getpid) == pid
        assert not gate.has("came", "call")


def import_and_wait(gate: Gate) -> None:
    importlib.import_module("half")
    while not gate.has("stop", "call"):
        time.sleep(0.002)


@FRESH
def test_a_call_that_is_cancelled_while_it_imports_something_ends_after_that(method, gated_package):
    gate = gated_package
    with Pool(1, context=method, grace=60) as pool:
        pid = pool.apply(os.getpid)
        future = pool.submit(import_and_wait, gate)
        gate.wait_for("came", "import")
        future.cancel()
        until(lambda: pool._driver.scheduler.peers[1].interrupted, "the interrupt to be sent")
        gate.open()
        assert pool.apply(os.getpid) == pid
