"""Programs that are measured, or under attack, and how much memory they take."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
START = 60.0  # seconds for a program to be ready, on a busy machine


class Program:
    """A module of ours, run as a program that says a line when it is ready, and one for each thing it is told."""

    def __init__(self, module: str, *args: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
            process_group=0,
        )
        os.set_blocking(self.process.stderr.fileno(), False)  # type: ignore[union-attr]  # it is a pipe
        self._rest = b""

    @property
    def pid(self) -> int:
        return self.process.pid

    def line(self, patience: float) -> str:
        """The next line of its output; "" when there is none within so many seconds, or ever."""
        stdout, stderr = self.process.stdout, self.process.stderr
        assert stdout is not None
        assert stderr is not None
        end = time.monotonic() + patience
        waited_for = [stdout, stderr]
        while b"\n" not in self._rest:
            readable, _, _ = select.select(waited_for, [], [], max(0.0, end - time.monotonic()))
            if not readable:
                return ""
            if stderr in readable and not os.read(stderr.fileno(), 65536):  # what it says there fills no pipe
                waited_for.remove(stderr)
            if stdout in readable:
                data = os.read(stdout.fileno(), 65536)
                if not data:
                    return ""
                self._rest += data
        found, _, self._rest = self._rest.partition(b"\n")
        return found.decode()

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()


@contextlib.contextmanager
def running(module: str, *args: str) -> Iterator[tuple[Program, str]]:
    """A program and the first line it says.

    Raises:
        RuntimeError: it said none, which says nothing about what should have come then.
    """
    program = Program(module, *args)
    try:
        first = program.line(START)
        if not first:
            raise RuntimeError(f"{module} {' '.join(args)} did not start")
        yield program, first
    finally:
        program.end()


class Memory:
    """How much more memory a process has taken at most since this was made."""

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak is counted anew
        self._before = self._read("VmRSS")

    def grown(self) -> float:
        """In MB."""
        return max(0.0, (self._read("VmHWM") - self._before) / 1000)

    def _read(self, name: str) -> float:
        for line in self._status.read_text().splitlines():
            if line.startswith(name):
                return float(line.split()[1]) * 1.024
        return 0.0  # it has ended
