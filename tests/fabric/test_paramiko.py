"""Keys that paramiko has loaded, and files of keys with phrases: one script, with the original and with ours."""

from __future__ import annotations

import contextlib
from pathlib import Path

from tests.fabric.beside import Bench, same
from tests.fleet.sshd import sshd
from tests.require import require


def test_keys_and_phrases(tmp_path: Path) -> None:
    require(file=".venv-fabric3/.ours", install=".ci/peers fabric3")
    with contextlib.ExitStack() as stack:
        runs = []
        for name in ("original", "ours"):
            # Each has a server to itself, as it says there which key is accepted.
            folder = tmp_path / name
            folder.mkdir()
            bench = Bench(folder, stack.enter_context(sshd(folder, ["127.18.0.5"])), 3)
            python = bench.original[:3]
            program = python if name == "original" else [*python, "-m", "elsewhere.fabric"]
            runs.append(bench.start(program, ["paramikos.py", str(folder / "authorized")], "", None))
            stack.callback(runs[-1].stop)
        original, ours = (run.end()._replace(tree={}) for run in runs)
    same(original, ours, errors=False)
    assert ours.status == 0, ours
    assert sum(line.endswith(" in") for line in ours.out) == 15, ours
    assert "a key that is not accepted refused" in ours.out
