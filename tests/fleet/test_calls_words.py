"""The words that look for an interpreter, run by shells of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from elsewhere.fleet.calling.words import candidates, none_found, starting

SHELLS = [path for name in ("sh", "dash", "bash", "zsh", "ksh") if (path := shutil.which(name))]
CODE = "print('it runs')"
OLD = "#!/bin/sh\nexit 1\n"
NEW = f'#!/bin/sh\nexec {sys.executable} "$@"\n'
HANGS_ON_INPUT = f'#!/bin/sh\n[ "$1" = -ISc ] && cat\nexec {sys.executable} "$@"\n'


def run(shell: str, path: Path, programs: tuple[str, ...], stdin: str = "") -> subprocess.CompletedProcess[str]:
    words = starting(programs, CODE, "the-mark")
    env = {"PATH": f"{path}:/usr/bin:/bin" if path.name == "bin" else str(path), "HOME": str(path)}
    return subprocess.run(
        [shell, *words[1:]], env=env, input=stdin, capture_output=True, text=True, check=False, timeout=60
    )


def make(folder: Path, **programs: str) -> Path:
    folder.mkdir()
    for name, text in programs.items():
        (folder / name.replace("_", ".")).write_text(text)
        (folder / name.replace("_", ".")).chmod(0o755)
    return folder


def test_our_own_minor_is_looked_for_first_and_then_the_usual_one():
    own = sys.version_info.minor
    names = candidates()
    assert names[:2] == (f"python3.{own}", "python3")
    assert {f"python3.{minor}" for minor in range(8, 15)} <= set(names)
    assert len(set(names)) == len(names)
    assert candidates("/opt/python") == ("/opt/python",)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_first_that_does_runs(shell, tmp_path):
    path = make(tmp_path / "some", python3=NEW, python3_9=OLD)
    done = run(shell, path, ("python3.9", "python3.77", "python3"))
    assert (done.stdout, done.stderr, done.returncode) == ("the-mark\nit runs\n", "", 0)
    assert run(shell, path, ("~/python3",)).stdout == "the-mark\nit runs\n"
    assert run(shell, path, (f"{path}/python3",)).stdout == "the-mark\nit runs\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_what_is_there_and_does_not_do_is_named(shell, tmp_path):
    path = make(tmp_path / "some", python3=OLD)
    programs = ("python3.9", "python3")
    done = run(shell, path, programs)
    assert (done.stdout, done.returncode) == ("", 127)
    assert none_found(done.stderr, programs) == (
        "no python3 of 3.8 or newer: looked for python3.9, python3 in PATH; python3 is there, but older, or does not "
        "start"
    )
    programs = ("/opt/none",)
    assert none_found(run(shell, path, programs).stderr, programs) == (
        "no python3 of 3.8 or newer: looked for /opt/none"
    )
    assert none_found("bash: something else", programs) is None


def test_its_input_is_left_to_the_worker(tmp_path):
    path = make(tmp_path / "bin", python3=HANGS_ON_INPUT)
    words = starting(("python3",), "import sys; print(sys.stdin.read())", "the-mark")
    env = {**os.environ, "PATH": f"{path}:/usr/bin:/bin"}
    done = subprocess.run(words, env=env, input="ours", capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "the-mark\nours\n"
