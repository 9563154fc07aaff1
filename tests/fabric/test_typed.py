"""What is typed while a command runs."""

from __future__ import annotations

import os
import re
import select
import termios
import time

import pytest

from tests.fabric.beside import Bench

PATIENCE = 40.0  # seconds for one run


@pytest.fixture(params=[1, 3])
def bench(request: pytest.FixtureRequest, bench1: Bench, bench3: Bench) -> Bench:
    return bench1 if request.param == 1 else bench3


def _typed(bench: Bench, task: str) -> tuple[int, list[str], bool]:
    """The status, what was shown, and whether the terminal is as it was."""
    ours, theirs = os.openpty()
    try:
        before = termios.tcgetattr(theirs)
        process = bench.popen(bench.ours, ["-f", "typed.py", "-H", bench.hosts[0], task], theirs)
        shown, end = b"", time.monotonic() + PATIENCE
        answered = False
        while time.monotonic() < end:
            if not select.select([ours], [], [], 0.1)[0]:
                if process.poll() is not None:
                    break
                continue
            shown += os.read(ours, 4096)
            if b"ready\r" in shown and not answered:
                answered = True
                os.write(ours, b"hello\n")
        if process.poll() is None:
            process.kill()
        status = process.wait(PATIENCE)
        lines = [re.sub(r"^\[.*?\] out: ", "", line) for line in shown.decode().replace("\r", "").split("\n")]
        return status, lines, termios.tcgetattr(theirs) == before
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize("task", ["asks", "plainly"])
def test_it_reaches_the_command(bench: Bench, task: str) -> None:
    name = task if task == "asks" else "asks_plainly" if bench.dialect == 1 else "asks-plainly"
    status, lines, restored = _typed(bench, name)
    assert status == 0, lines
    assert "got hello" in lines
    assert "hello" in lines  # as the far terminal shows it, or as we do
    assert restored
