"""The four Pool programs of examples/classic at their full length, with multiprocessing and with our imports."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from tests.examples.classic import text_of, with_ours
from tests.require import ROOT

# What ten calls on five workers take by the sleeping of each program alone: `pool_callback.py` and so on.
IDEAL = {"callback": 4.0, "sync": 10.0, "results_inside": 20.0, "results_after": 4.0}
LIBRARIES = ("multiprocessing", "elsewhere")
APART = 0.5  # seconds between two starts: an interpreter that starts takes a core, and then they all sleep
PATIENCE = 120.0  # seconds for one program
RESULTS = sorted(number * number for number in range(10))


class Failed(Exception):
    """A program did not do its work."""


def one_round(names: Iterable[str], folder: Path, *, turned: bool = False) -> dict[str, dict[str, float]]:
    """Seconds from the start of each program to its end, by program and library.

    Args:
        names: of the programs, without "pool_"; all of them run side by side, as they only sleep.
        folder: where they are written.
        turned: elsewhere's are started before multiprocessing's.

    Raises:
        Failed: one has ended otherwise than it should.
    """
    libraries = LIBRARIES[:: -1 if turned else 1]
    watches = [Watch(name, library, folder) for name in names for library in libraries]
    for watch in watches:
        watch.start()
        time.sleep(APART)
    for watch in watches:
        watch.join()
    found: dict[str, dict[str, float]] = {}
    for watch in watches:
        found.setdefault(watch.program, {})[watch.library] = watch.seconds()
    return found


class Watch(threading.Thread):
    """One program, and when it has ended."""

    def __init__(self, program: str, library: str, folder: Path) -> None:
        super().__init__()
        self.program = program
        self.library = library
        self._path = folder / f"pool_{program}_{library}.py"
        text = text_of(f"pool_{program}")
        self._path.write_text(with_ours(text) if library == "elsewhere" else text)
        self._took = 0.0
        self._failed = "it was not run"

    def run(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        begin = time.perf_counter()
        try:
            done = subprocess.run(
                [sys.executable, str(self._path)],
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=PATIENCE,
            )
        except subprocess.TimeoutExpired:
            self._failed = f"it did not end within {PATIENCE:g} s"
            return
        self._took = time.perf_counter() - begin
        results = sorted(int(line) for line in done.stdout.splitlines() if line.isdecimal())
        well = done.returncode == 0 and not done.stderr and results == RESULTS
        self._failed = "" if well else f"its status is {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}"

    def seconds(self) -> float:
        if self._failed:
            raise Failed(f"pool_{self.program} with {self.library}: {self._failed}")
        return self._took
