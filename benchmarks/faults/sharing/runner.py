"""Runs cells: each in a process of its own, under a limit, and with nothing left of it afterwards.

Rule: a blow after which nothing is said within the limit is a hang; what ours may come to is said by the fault.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.faults.processes import end_all, gone_within
from benchmarks.faults.sharing.data import Mapped
from benchmarks.faults.sharing.faults import FAULTS
from benchmarks.faults.sharing.kit import OURS, STAY
from tests.faults.helpers import ROOT, SRC, Post

__all__ = ["LIBRARIES", "LIMIT", "Cell", "complaints", "run_cell", "run_cells"]

LIBRARIES = (OURS, "multiprocessing")
LIMIT = 5.0  # seconds from a blow until something must have come of it
START = 30.0  # seconds until the next blow, on a busy machine; less than a test may take
AT_ONCE = 2
TAG = "ELSEWHERE_FAULTS_CELL"


class Cell(NamedTuple):
    """What one library made of one fault.

    Attributes:
        number: of the fault.
        library, method: which cell it is.
        rounds: how many blows there were to be.
        missing: why it was not run; "" if it was.
        outcomes: what came of the rounds, and of how many.
        seconds: the longest from a blow to its outcome; None without any.
        hung: whether nothing came of the last blow.
        left: what was there when the cell's program had ended.
        text: of an error that ended the rounds.
    """

    number: int
    library: str
    method: str
    rounds: int
    missing: str = ""
    outcomes: dict[str, int] = {}  # noqa: RUF012 - a default that nobody changes
    seconds: float | None = None
    hung: bool = False
    left: tuple[str, ...] = ()
    text: str = ""


def run_cell(number: int, library: str, method: str, most: int | None = None) -> Cell:
    """Run one cell, of at most so many rounds.

    Raises:
        RuntimeError: it did not come to a blow, which says nothing about the fault.
    """
    fault = FAULTS[number]
    rounds = min(most or fault.rounds, fault.rounds)
    cell = Cell(number, library, method, rounds)
    if fault.lacks and library != OURS:
        return cell._replace(missing=fault.lacks)
    # SIGKILLed programs cannot tidy up: all that a cell may leave behind is in this folder.
    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as name:
        folder, tag = Path(name), f"{TAG}={uuid.uuid4()}"
        post = Post(folder / "post")
        try:
            with (folder / "stderr").open("wb") as stderr, start(folder, tag, cell, post.path, stderr) as process:
                try:
                    lines, hung = listen(post)
                    left = () if hung else what_stays(process, tag)
                finally:
                    end_all(tag)
        finally:
            post.close()
        if not any("struck" in line for line in lines):
            raise RuntimeError(f"{library} came to no blow in {fault.title}:\n{(folder / 'stderr').read_text()}")
        return read(cell, lines, hung)._replace(left=left)


def start(folder: Path, tag: str, cell: Cell, post: str, stderr: Any) -> subprocess.Popen[bytes]:
    """A cell's program, in a session of its own and with a folder of its own for temporary files."""
    (folder / "temp").mkdir()
    name, value = tag.split("=")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(SRC)]),
        "TMPDIR": str(folder / "temp"),
        name: value,
    }
    command = [sys.executable, "-m", "benchmarks.faults.sharing.cell", cell.library, cell.method]
    return subprocess.Popen(
        [*command, str(cell.number), str(cell.rounds), post],
        env=environment,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=stderr,
        stderr=stderr,
        start_new_session=True,
    )


def listen(post: Post) -> tuple[list[dict[str, Any]], bool]:
    """What the cell says until it is over, and whether it hung after a blow."""
    lines: list[dict[str, Any]] = []
    seconds = START
    while True:
        try:
            line = json.loads(post.line(seconds))
        except AssertionError:  # no line came
            return lines, True
        lines.append(line)
        if "over" in line:
            return lines, False
        seconds = LIMIT if "struck" in line else START


def what_stays(process: subprocess.Popen[bytes], tag: str) -> tuple[str, ...]:
    """Processes, names in /dev/shm and memory that are there when the program has ended in order."""
    mapped = Mapped(tag)
    try:
        process.wait(LIMIT)
    except subprocess.TimeoutExpired:
        return ("the program does not end",)
    _, count = gone_within(tag, STAY)
    found = [f"{count} processes"] if count else []
    if mapped.found and (stays := mapped.what_stays()) != "nothing stays":
        found.append(stays)
    return tuple(found)


def read(cell: Cell, lines: list[dict[str, Any]], hung: bool) -> Cell:
    """Make sense of what a cell has said."""
    times = []
    struck = None
    for line in lines:
        if "struck" in line:
            struck = line["struck"]
        elif "outcome" in line and struck is not None:
            times.append(max(0.0, line["at"] - struck))
    return cell._replace(
        outcomes=dict(Counter(line["outcome"] for line in lines if "outcome" in line)),
        seconds=max(times, default=None),
        hung=hung,
        text=next((line["text"] for line in lines if "text" in line), ""),
    )


def complaints(cell: Cell) -> Iterator[str]:
    """What is wrong with a cell of ours; nothing for multiprocessing's."""
    if cell.library != OURS:
        return
    fault = FAULTS[cell.number]
    if cell.hung and not fault.waits:
        yield "it hung"
    if fault.waits and not fault.expected and not cell.hung:
        yield "it waits for nobody any more: say so in its row"
    for outcome, count in cell.outcomes.items():
        if outcome not in fault.expected:
            yield f"in {count} of {cell.rounds} rounds: {outcome} {cell.text}".rstrip()
    missed = cell.rounds - sum(cell.outcomes.values())
    if missed and not cell.hung:
        yield f"{missed} rounds were not made"
    yield from (f"left behind: {each}" for each in cell.left)


def run_cells(
    wanted: list[tuple[int, str, str]], report: Callable[[Cell], None], most: int | None = None
) -> list[Cell]:
    """Run many cells, two at a time."""

    def one(key: tuple[int, str, str]) -> Cell:
        cell = run_cell(*key, most)
        report(cell)
        return cell

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(one, wanted))
