"""docs/guarantees.md: each promise names tests that exist, and the error tree is the code's."""

from __future__ import annotations

import ast
import functools
import os
import re
import subprocess
import sys

import pytest

import elsewhere
from elsewhere import MayHaveRun, Service, connect, errors
from tests.docs.spans import tables
from tests.require import ROOT, require
from tests.rpc import serving

DOCS = ROOT / "docs"
COMMENT = re.compile(r"<!--(.*?)-->")
# Columns that do not promise anything themselves.
PLAIN = {"what happens", "may it have run?", "error", "means", "what to do"}


@functools.cache
def names_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / path).read_text())
    return {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)
    }


def missing(page: str) -> list[str]:
    """What a page names as a test that is none."""
    named = [name for told in COMMENT.findall(page) for name in told.split() if ".py" in name]
    assert len(named) > 20
    return [
        name
        for path, _, test in (name.partition("::") for name in named)
        for name in [f"{path}::{test}"]
        if not (ROOT / "tests" / path).exists() or (test and test not in names_in(path))
    ]


def test_each_promise_names_tests_that_exist():
    text = (DOCS / "guarantees.md").read_text()
    assert missing(text) == []
    for head, rows in tables(text):
        for row in rows:
            assert len(row) == len(head), row
            for title, cell in zip(head, row, strict=True):
                assert title in PLAIN or not cell or COMMENT.search(cell), (title, cell)


def test_what_is_promised_of_hosts_and_dask_is_tried_there():
    """The suite for all places runs a test only where that makes sense; so it is asked where."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests/contract"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    tried = set(re.findall(r"^tests/(contract/\S+::\w+)\[.*?(forkserver|hosts|dask)", done.stdout, re.MULTILINE))
    columns = {"on this machine": "forkserver", "on hosts": "hosts", "on Dask": "dask"}
    head, rows = next(tables((DOCS / "guarantees.md").read_text()))
    named = [
        (test, columns[title])
        for row in rows
        for title, cell in zip(head[1:], row[1:], strict=True)
        for test in re.findall(r"contract/\S+", cell)
    ]
    assert len(named) > 20
    assert [pair for pair in named if pair not in tried] == []


def test_a_name_that_is_none_is_found():
    page = (
        "<!-- docs/test_guarantees.py::test_nothing nowhere/test_x.py::test_y "
        + "docs/test_guarantees.py " * 20
        + "-->"
    )
    assert missing(page) == ["docs/test_guarantees.py::test_nothing", "nowhere/test_x.py::test_y"]


def test_the_error_tree_is_the_codes():
    [rows] = [rows for head, rows in tables((DOCS / "guarantees.md").read_text()) if head[0] == "error"]
    told = [re.findall(r"`(\w+)`", row[0]) for row in rows]
    kinds = {name: getattr(errors, name) for name in errors.__all__}

    def way(kind: type) -> list[str]:
        [above] = [each for each in kind.__bases__ if issubclass(each, errors.ElsewhereError)]
        return [kind.__name__] if above is errors.ElsewhereError else [*way(above), kind.__name__]

    assert sorted(told) == sorted(
        ["ElsewhereError"] if kind is errors.ElsewhereError else way(kind) for kind in kinds.values()
    )
    assert all(getattr(elsewhere, name) is kind for name, kind in kinds.items())
    for row in rows:
        assert row[1], row


def test_a_method_whose_process_dies():
    service = Service()
    service.register(serving.die, where="processes")
    service.register(serving.double)
    with service.start("tcp://127.65.0.1:0") as server, connect(server.addresses[0]) as client:
        with pytest.raises(MayHaveRun, match="code 7"):
            client.die()
        assert client.double(1) == 2


FULL = """
set -e
for folder in /tmp /var/tmp /dev/shm; do
    case "$0" in "$folder"/*) continue ;; esac  # what is run would be covered
    mount -t tmpfs -o size=4k tmpfs $folder
    head -c 100000 /dev/zero > $folder/full 2> /dev/null && exit 9
done
cd /
exec "$0" -c "$1"
"""
PROGRAM = """
import elsewhere
with elsewhere.Pool(2) as pool:
    print(pool.map(lambda n: n * n, range(3)), len(pool.apply(bytes, (1_000_000,))))
queue = elsewhere.Queue()
queue.put(b"x" * 1_000_000)
print(len(queue.get()))
with elsewhere.Manager() as manager:
    print(manager.list([1]))
"""


def test_a_pool_on_a_machine_whose_disks_are_full():
    """In a view of the file system of its own, so root alone can try it."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    unshare = require(program="unshare", install="apt-get install util-linux")
    done = subprocess.run(
        [unshare, "-m", "sh", "-c", FULL, sys.executable, PROGRAM],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": "/var/tmp"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("[0, 1, 4] 1000000\n1000000\n[1]\n", "")
