"""Commands on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from elsewhere.errors import CallTimeout
from elsewhere.fleet import CommandError, local
from tests.fleet.test_commands import HARD, pid_in
from tests.fleet.test_link import becomes, gone


def test_what_it_is_given_and_what_comes_back(tmp_path: Path) -> None:
    assert local(["printf", "%s", HARD]).stdout == HARD
    assert local('printf %s "$VALUE"', env={"VALUE": HARD}).stdout == HARD
    assert local("pwd", cwd=tmp_path).stdout == f"{tmp_path}\n"
    assert local("cat", input=HARD).stdout == HARD
    assert local("cat").stdout == ""
    assert local("head -c 3000000 /dev/zero | tee /dev/stderr", encoding=None).stderr == b"\0" * 3_000_000
    result = local("echo out; echo err >&2; exit 7", check=False)
    assert (result.returncode, result.stdout, result.stderr, result.host) == (7, "out\n", "err\n", None)
    killed = local("kill -KILL $$", check=False)
    assert (killed.returncode, killed.signal) == (-9, "KILL")
    with pytest.raises(CommandError, match=r"^'echo why >&2; exit 3' ended with exit status 3: why$"):
        local("echo why >&2; exit 3")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"command": ["/nowhere/at/all"]}, FileNotFoundError),
        ({"command": "true", "cwd": "/nowhere/at/all"}, FileNotFoundError),
        ({"command": "true", "timeout": 0}, ValueError),
        ({"command": []}, TypeError),
        ({"command": "true", "input": 7}, TypeError),
        ({"command": "true", "env": {"A-B": "1"}}, ValueError),
    ],
)
def test_what_is_wrong(arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        local(**arguments)


@pytest.mark.parametrize("trap", ["", "trap '' TERM HUP; "])
def test_a_timeout_leaves_nothing_running(tmp_path: Path, trap: str) -> None:
    with pytest.raises(CallTimeout, match=r"did not end here within its timeout of 0\.5 s"):
        local(f"{trap}sleep 1000 & echo $! > {tmp_path}/pid; sleep 1000", timeout=0.5)
    if (tmp_path / "pid").exists():  # on a busy machine it may not have begun
        becomes(lambda: gone(pid_in(tmp_path / "pid")))


def test_ctrl_c_leaves_nothing_running(tmp_path: Path) -> None:
    def interrupt() -> None:
        pid_in(tmp_path / "pid")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    with pytest.raises(KeyboardInterrupt):
        thread.start()
        local(f"echo $$ > {tmp_path}/pid; sleep 1000")
    thread.join()
    becomes(lambda: gone(pid_in(tmp_path / "pid")))


def test_killing_the_program_leaves_nothing_running(tmp_path: Path) -> None:
    text = f"from elsewhere.fleet import local; local('echo $$ > {tmp_path}/pid; sleep 1000')"
    program = subprocess.Popen([sys.executable, "-c", text])
    try:
        pid = pid_in(tmp_path / "pid")
    finally:
        program.kill()
        program.wait()
    becomes(lambda: gone(pid))
