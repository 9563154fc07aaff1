"""Surroundings that are broken for real: modules that are missing or worse, full file systems, small limits."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli.helpers import SOURCE, command, environment
from tests.require import require


def instead(folder: Path, text: str, *modules: str) -> dict[str, str]:
    """Variables with which these modules are what `text` says; {name} in it is the module's."""
    folder.mkdir(exist_ok=True)
    for module in modules:
        (folder / f"{module}.py").write_text(text.replace("{name}", module))
    path = [str(folder), str(SOURCE), os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(filter(None, path))}


def without(folder: Path, *modules: str) -> dict[str, str]:
    """Variables with which these modules are as if they were not installed."""
    return instead(folder, 'raise ModuleNotFoundError("No module named \'{name}\'", name="{name}")\n', *modules)


def by_shell(line: str, *args: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run ``"$@"``, which is the command, within a line of bash: ``ulimit -n 64; exec "$@"``."""
    return subprocess.run(
        ["bash", "-c", line, "bash", *command(*args)], cwd=cwd, env=environment(**variables),
        capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def namespace(*kinds: str) -> list[str]:
    """What begins a command with file systems ("--mount") or processes ("--pid") of its own, as in a container."""
    program = require(program="unshare", install="apt-get install util-linux")
    start = [str(program), *kinds, *(["--fork", "--mount-proc"] if "--pid" in kinds else [])]
    try:
        subprocess.run([*start, "true"], check=True, capture_output=True)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no namespaces here: {error.stderr.decode().strip()}")
    return start


def in_namespace(line: str, *args: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """`by_shell` with file systems of its own, that can be mounted over and filled."""
    return subprocess.run(
        [*namespace("--mount"), "bash", "-c", line, "bash", *command(*args)], cwd=cwd, env=environment(**variables),
        capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def on_terminal(args: Sequence[str], *, cwd: Path, **variables: str) -> tuple[int, str]:
    """The exit code, and what a terminal of 80 columns was sent."""
    leader, terminal = pty.openpty()
    shown: list[bytes] = []

    def watch() -> None:  # all the time: a terminal holds a few kB only
        with contextlib.suppress(OSError):  # the end
            while data := os.read(leader, 65536):
                shown.append(data)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        ended = subprocess.run(
            [*args], cwd=cwd, env=environment(**{"TERM": "xterm", "COLUMNS": "80", **variables}), check=False,
            stdin=subprocess.DEVNULL, stdout=terminal, stderr=terminal, timeout=60,
        )  # fmt: skip
    finally:
        os.close(terminal)
        watcher.join(30)
        os.close(leader)
    return ended.returncode, b"".join(shown).decode()
