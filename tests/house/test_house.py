"""What the Makefile, pyproject.toml and the layout of the house promise, where it can be asked cheaply."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.require import require

ROOT = Path(__file__).parent.parent.parent
SOURCE = ROOT / "src" / "elsewhere"
MOST_FILES = 10  # in one folder: what a reader takes in at a look

# Loaded by the shell, by the bar, or by a call that needs them; not by who only imports the Pool.
NOT_LOADED = ["asyncio", "click", "cloudpickle", "multiprocessing.pool", "numpy", "rich"]


def test_no_folder_holds_more_than_ten_modules():
    folders = [SOURCE, *(path for path in SOURCE.rglob("*") if path.is_dir())]
    crowded = {str(folder.relative_to(ROOT)): len(list(folder.glob("*.py"))) for folder in folders}
    assert {folder: count for folder, count in crowded.items() if count > MOST_FILES} == {}


def test_importing_the_pool_loads_little_and_starts_no_thread():
    program = f"""
import sys
bare = set(sys.modules)
from elsewhere import Pool
import json, os, threading
loaded = [name for name in {NOT_LOADED!r} if name in sys.modules and name not in bare]
tasks = len(os.listdir("/proc/self/task")) if sys.platform == "linux" else 1
print(json.dumps([loaded, threading.active_count(), tasks]))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == [[], 1, 1]


def test_each_silenced_rule_has_its_reason():
    # After a dash behind a noqa, in a second comment behind a type: ignore; CONTRIBUTING.md has examples.
    silent = re.compile(r"#\s*(noqa|type:\s*ignore|pragma:\s*no)\b")
    reason = re.compile(
        r"#\s*(noqa:\s*[A-Z0-9, ]+[-–:#]\s*\w|type:\s*ignore\[[\w, -]+\]\s*[#-]\s*\w|pragma:[\w ]+[-–#]\s*\w)"
    )
    bare = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted(SOURCE.rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if silent.search(line) and not reason.search(line)
    ]
    assert bare == []


def test_each_rule_that_is_silenced_everywhere_has_its_reason():
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    start, end = lines.index("[tool.ruff.lint]"), lines.index("[tool.ruff.lint.mccabe]")
    rules = [line.strip() for line in lines[start:end] if re.match(r'\s+"[A-Z]+\d*",', line)]
    assert len(rules) > 50
    assert [rule for rule in rules if not re.search(r'",\s+# \S', rule)] == []


def test_the_changelog_knows_the_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize(
    ("target", "commands"),
    [
        ("demo", ["examples/demo.py"]),
        ("test", ["-m pytest"]),
        ("test-fast", ["-m pytest", '-m "not slow"', "tests/sansio tests/contract"]),
        ("check", ["ruff format --check", "ruff check", "mypy", "lint-imports", "mkdocs build --strict"]),
        ("docs", ["mkdocs build"]),
        ("bench", ["-m benchmarks "]),
        ("faults", ["-m pytest tests/faults"]),
        ("hostile", ["-m pytest tests/hostile", "-m benchmarks.hostile --write"]),
    ],
)
def test_each_target_makes_its_environment_and_runs_what_it_says(target, commands, tmp_path):
    make = require(program="make", install="apt install make")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    run = subprocess.run(
        [make, "--dry-run", target, f"VENV={tmp_path / 'venv'}", "MAKEFLAGS="],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    position = run.stdout.index(f"-m venv {tmp_path}")
    assert "pip" in run.stdout[position:]
    for command in commands:
        assert command in run.stdout[position:]


def test_an_old_python_is_refused_in_a_sentence(tmp_path):
    make = require(program="make", install="apt install make")
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    run = subprocess.run(
        [make, "check", f"VENV={tmp_path / 'venv'}", f"PYTHON={old}"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert "elsewhere needs Python 3.11 or newer" in run.stderr
    assert not (tmp_path / "venv").exists()


def test_the_ci_script_is_a_program():
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    subprocess.run(["bash", "-n", ROOT / ".ci" / "run"], check=True)
