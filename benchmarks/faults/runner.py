"""Runs cells: each in a process of its own, under a limit, and with nothing left of it afterwards.

Rule: what a cell says is believed, what it does not say within the limit is a hang.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.faults.guilty import CALLS, FAULTS, GUILTY
from benchmarks.faults.libraries import LIBRARIES
from benchmarks.faults.processes import end_all, gone_within
from tests.faults.helpers import ROOT, SRC, Post

__all__ = ["LIMIT", "Cell", "run_cell", "run_cells"]

LIMIT = 5.0  # seconds from when the pool is ready
START = 30.0  # seconds for a library to make its pool, on a busy machine
AT_ONCE = 2  # cells: each has a caller and 2 workers, most of which wait
TAG = "ELSEWHERE_FAULTS_CELL"


class Cell(NamedTuple):
    """What one way of one library made of one fault.

    Attributes:
        fault, library, way: which cell it is.
        missing: why it was not run: "no timeouts", "no await", "no fork server"; or "".
        seen: what the caller saw of the guilty call: a type's name, "value", or "" for nothing at all.
        text: the error's text.
        seconds: from the fault until the caller knew, or until all processes were gone; None when it never did.
        others: how the other calls ended: "value", an error's type, or "nothing"; each with how many.
        hung: whether the caller still waited when the time was up, or processes stayed.
        left: processes that were there at the limit after the caller's death.
    """

    fault: str
    library: str
    way: str
    missing: str = ""
    seen: str = ""
    text: str = ""
    seconds: float | None = None
    others: dict[str, int] = {}  # noqa: RUF012 - a default that nobody changes
    hung: bool = False
    left: int = 0

    @property
    def lost(self) -> int:
        """How many of the other calls gave the caller no value."""
        return sum(count for outcome, count in self.others.items() if outcome != "value")


def why_missing(fault: str, library: str, way: str) -> str:
    """What a library lacks for a cell; "" when it lacks nothing, or is none of the table's."""
    kind = LIBRARIES.get(library)
    if kind is None:
        return ""
    if way in kind.lacks:
        return f"no {way}"
    if FAULTS[fault].timeout is not None and not kind.timeouts:
        return "no timeouts"
    if fault == "server" and not kind.server:
        return "no fork server"
    return ""


def run_cell(fault: str, library: str, way: str) -> Cell:
    """Run one cell; at most `START` + `LIMIT` seconds and what it takes to end its processes.

    Raises:
        RuntimeError: the pool was never ready, which says nothing about the fault.
    """
    if missing := why_missing(fault, library, way):
        return Cell(fault, library, way, missing)
    # SIGKILLed programs cannot tidy up: all that a cell may leave behind is in this folder.
    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as folder:
        tag = f"{TAG}={uuid.uuid4()}"
        post = Post(Path(folder) / "post")
        errors = Path(folder) / "stderr"
        try:
            with errors.open("wb") as stderr, start(folder, tag, [library, way, fault, post.path], stderr) as process:
                try:
                    lines = listen(post, process, FAULTS[fault].kills_caller, START)
                    if FAULTS[fault].kills_caller and lines:
                        return caller_killed(Cell(fault, library, way), process, tag)
                finally:
                    end_all(tag)
        finally:
            post.close()
        if not any("ready" in line for line in lines):
            raise RuntimeError(f"{library} was not ready for {fault} by {way}:\n{errors.read_text()}")
        return read(Cell(fault, library, way), lines)


def start(folder: str, tag: str, arguments: list[str], stderr: Any) -> subprocess.Popen[bytes]:
    """A cell's program, in a session of its own and with a folder of its own for temporary files."""
    (Path(folder) / "temp").mkdir()
    name, value = tag.split("=")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(SRC)]),
        "TMPDIR": str(Path(folder) / "temp"),
        name: value,
    }
    command = [sys.executable, "-m", "benchmarks.faults.cell", *arguments, str(Path(folder) / "once")]
    return subprocess.Popen(
        command, env=environment, cwd=ROOT, stdin=subprocess.DEVNULL, stderr=stderr, start_new_session=True
    )


def listen(post: Post, process: subprocess.Popen[bytes], until_struck: bool, seconds: float) -> list[dict[str, Any]]:
    """What the cell says until it is over, or its time is."""
    lines: list[dict[str, Any]] = []
    deadline = time.monotonic() + seconds
    while True:
        try:
            line = json.loads(post.line(max(0.0, deadline - time.monotonic())))
        except AssertionError:  # no line came
            return lines
        lines.append(line)
        if "ready" in line:
            deadline = time.monotonic() + LIMIT
        if "over" in line or (until_struck and "struck" in line):
            return lines


def caller_killed(cell: Cell, process: subprocess.Popen[bytes], tag: str) -> Cell:
    """Kill the caller, and see how soon all its processes are gone."""
    process.send_signal(signal.SIGKILL)
    process.wait()
    seconds, left = gone_within(tag, LIMIT)
    return cell._replace(
        seen="processes stay" if left else "all processes gone", seconds=seconds, left=left, hung=bool(left)
    )


def read(cell: Cell, lines: list[dict[str, Any]]) -> Cell:
    """Make sense of what a cell has said."""
    began = next((line.get("struck", line.get("ready")) for line in lines if "struck" in line), None)
    outcomes = [line for line in lines if "outcome" in line]
    guilty = next((line for line in outcomes if line["index"] == GUILTY), None)
    if guilty is None:  # told by nobody: the first error is its, be it of one call or of all
        guilty = next((line for line in outcomes if line["outcome"] == "error"), None)
    others = Counter(line.get("type", line["outcome"]) for line in outcomes if line is not guilty)
    # A value that was told before the guilty call's error is another's; without index it may be the guilty one's own.
    others["nothing"] = CALLS - (guilty is not None) - others.total()
    over = next((line for line in lines if "over" in line), None)
    if guilty is None and others["nothing"] == 0:
        guilty = outcomes[-1]  # all 20 gave values, unordered: its value is one of them
        others["value"] -= 1
    elif guilty is None:
        others["nothing"] -= 1
    return cell._replace(
        seen=guilty.get("type", guilty["outcome"]) if guilty else "",
        text=guilty.get("text", "") if guilty else "",
        seconds=guilty["at"] - began if guilty and began else None,
        others={outcome: count for outcome, count in others.items() if count},
        hung=over is None or over["waited_in_vain"] > 0,
    )


def run_cells(wanted: list[tuple[str, str, str]], report: Any = None) -> list[Cell]:
    """Run many cells, two at a time."""

    def one(key: tuple[str, str, str]) -> Cell:
        cell = run_cell(*key)
        if report is not None:
            report(cell)
        return cell

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(one, wanted))
