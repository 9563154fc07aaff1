"""The types of what users meet, as two checkers see them from outside."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

import elsewhere
from tests.require import ROOT, require

API = ROOT / "tests" / "typing" / "api.py"


@pytest.mark.slow
def test_mypy_sees_the_types(tmp_path):
    require(module="mypy", install="make .venv/.dev")
    words = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path}", str(API)]
    done = subprocess.run(words, cwd=tmp_path, env=_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.bound(300)
def test_pyright_sees_the_types(tmp_path):
    pyright = ROOT / ".venv-pyright" / "bin" / "pyright"
    if not pyright.exists():  # in CI, too: it comes from a place that may not be reached
        pytest.skip("pyright is missing; install it with: .ci/peers pyright")
    words = [str(pyright), "--pythonpath", sys.executable, str(API)]
    done = subprocess.run(words, cwd=tmp_path, env=_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_public_name_is_used():
    text = API.read_text()
    assert [name for name in elsewhere.__all__ if not re.search(rf"\b{name}\b", text)] == []


def _environment() -> dict[str, str]:
    ours = {"MYPYPATH": str(ROOT / "src"), "PYTHONPATH": str(ROOT / "src")}
    return {**os.environ, **ours, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}  # or it asks the registry for a newer one
