"""Lines that workers run are counted under the settings that coverage.py documents; docs/coverage.md lists them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import elsewhere
from tests.require import require

require(module="coverage", install="pip install 'coverage>=7.10'")

SRC = str(Path(elsewhere.__file__).parents[1])

LIBRARY = """\
import atexit


def work(n):
    atexit.register(at_exit)
    if n % 2:
        result = 3 * n
    else:
        result = 2 * n
    return result


def at_exit():
    done = True


def never():
    return None
"""
PROGRAM = """\
import sys
from elsewhere import Pool
import library

if __name__ == "__main__":
    options = {"maxtasksperchild": 2} if "replaced" in sys.argv else {}
    with Pool(2, context=sys.argv[1], **options) as pool:
        assert pool.map(library.work, range(6), chunksize=1) == [0, 3, 4, 9, 8, 15]
"""
SETTINGS = {
    "subprocess": "[run]\npatch = subprocess\n",
    "subprocess and _exit": "[run]\npatch = subprocess, _exit\n",
    "all patches": "[run]\nparallel = true\npatch = subprocess, _exit, fork\n",
    "multiprocessing": "[run]\nparallel = true\nconcurrency = multiprocessing\nsigterm = true\n",
    "multiprocessing and thread": "[run]\nconcurrency = multiprocessing, thread\n",
}


def counted(folder: Path) -> list[int]:
    """The lines of the library that nobody ran."""
    for step in (["combine", "-q"], ["json", "-q", "--include=library.py", "-o", "report.json"]):
        subprocess.run([sys.executable, "-m", "coverage", *step], cwd=folder, check=True, env=environ())
    [file] = json.loads((folder / "report.json").read_text())["files"].values()
    missing: list[int] = file["missing_lines"]
    return missing


def environ(**more: str) -> dict[str, str]:
    """Without what a run that is itself under coverage has set."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    return {**kept, "PYTHONPATH": SRC, **more}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "library.py").write_text(LIBRARY)
    (tmp_path / "program.py").write_text(PROGRAM)
    return tmp_path


NEVER = [LIBRARY.splitlines().index("    return None") + 1]


def run(folder, *command, **more):
    ended = subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, check=False, env=environ(**more)
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


@pytest.mark.slow
@pytest.mark.parametrize("method", ["forkserver", "spawn", "fork"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_lines_of_workers_are_counted(folder, method, setting):
    (folder / ".coveragerc").write_text(SETTINGS[setting])
    run(folder, "-m", "coverage", "run", "program.py", method)
    assert counted(folder) == NEVER


@pytest.mark.slow
@pytest.mark.parametrize("method", ["forkserver", "spawn", "fork"])
def test_by_environment(folder, method):
    (folder / ".coveragerc").write_text("[run]\nparallel = true\n")
    run(folder, "program.py", method, COVERAGE_PROCESS_START=str(folder / ".coveragerc"))
    assert counted(folder) == NEVER


def test_workers_that_are_replaced_count_too(folder):
    (folder / ".coveragerc").write_text(SETTINGS["subprocess"])
    run(folder, "-m", "coverage", "run", "program.py", "forkserver", "replaced")
    assert len(list(folder.glob(".coverage.*"))) >= 4
    assert counted(folder) == NEVER


def test_without_a_setting_no_file_appears(folder):
    run(folder, "-m", "coverage", "run", "program.py", "fork")
    assert [path.name for path in folder.glob(".coverage*")] == [".coverage"]
