"""What a fault uses: the library's things by multiprocessing's names, processes that say when they are at work, kills.

Rule: a kill is SIGKILL, at an instant that is random or that the victim's state tells; nothing is killed but what was
started here.
"""

from __future__ import annotations

import importlib
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple

from benchmarks.faults.processes import carrying, end_all, gone_within, strike
from tests.faults.helpers import Post, until

__all__ = ["EXPIRED", "Fault", "Kit", "Program"]

EXPIRED = 0.5  # seconds to wait for what may never come, where the operation takes a timeout
LONGEST = 0.005  # seconds from a process at work to the blow: many of its operations
STAY = 2.0  # seconds until what is still there is taken to stay
OURS = "elsewhere"
TAG = "ELSEWHERE_FAULTS_PROGRAM"


class Fault(NamedTuple):
    """A row of the table.

    Attributes:
        group: which table it is in.
        title: as the table shows it.
        run: makes the rounds of it; gives what came of each, in words.
        expected: what may come of ours.
        rounds: how many; one that is precisely aimed needs few.
        lacks: what multiprocessing lacks for it; "" where it has all.
        waits: why ours may wait for ever, too; it always does where nothing else is expected.
    """

    group: str
    title: str
    run: Callable[[Kit], Iterator[str]]
    expected: tuple[str, ...]
    rounds: int = 20
    lacks: str = ""
    waits: str = ""


class Kit:
    """What a cell has.

    Args:
        library: "elsewhere", "multiprocessing" or a module that has such names.
        method: start method.
        rounds: how many rounds.
        tell: what is said is for the runner.
        folder: for its FIFO.
    """

    def __init__(self, library: str, method: str, rounds: int, tell: Callable[..., None], folder: str) -> None:
        self.library = library
        self.method = method
        self.pick = random.Random(20_240)
        self.news = Post(os.path.join(folder, "news"))
        self.struck = 0.0
        self._rounds = rounds
        self._tell = tell
        self._module: Any = importlib.import_module(library)
        self._context: Any = self._module.get_context(method)

    @property
    def ours(self) -> bool:
        return self.library == OURS

    def rounds(self) -> range:
        return range(self._rounds)

    def make(self, kind: str, *args: Any, **options: Any) -> Any:
        """A Queue, a Lock, a Manager..., as a program would make it with this start method."""
        home = self._module if self.ours else self._context
        return getattr(home, kind)(*args, **options)

    # ---- processes ---------------------------------------------------------------------------------------------------

    def start(self, function: Callable[..., object], *args: Any) -> BaseProcess:
        process: BaseProcess = self._context.Process(target=function, args=args, daemon=True)
        process.start()
        return process

    def begin(self, function: Callable[..., object], *args: Any) -> BaseProcess:
        """Start a process whose function says a line into its first argument when it is at work; wait for that."""
        process = self.start(function, self.news.path, *args)
        self.news.line()
        return process

    def asleep(self, pid: int) -> None:
        """Wait until a process that is about to wait does."""
        sleeping = 0

        def does() -> bool:
            nonlocal sleeping
            sleeping = sleeping + 1 if state(pid) == "S" else 0
            return sleeping > 5  # looks, 2 ms apart: it might spin or be between two waits

        until(does)

    # ---- kills -------------------------------------------------------------------------------------------------------

    def moment(self) -> None:
        """A random instant is what is asked for: nothing is waited for here."""
        time.sleep(self.pick.random() * LONGEST)

    def mark(self, when: float | None = None) -> None:
        """It happens now: the clock of this round begins."""
        self.struck = time.monotonic() if when is None else when
        self._tell(struck=self.struck)

    def strike(self, process: BaseProcess) -> None:
        """SIGKILL a process that was started here, and wait until it is dead."""
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        self.mark()
        process.join()

    # ---- programs ----------------------------------------------------------------------------------------------------

    @contextmanager
    def program(self, name: str, *args: str) -> Iterator[Program]:
        """Run a function of `programs` in a program of its own, of which nothing stays afterwards."""
        value = str(uuid.uuid4())
        command = [sys.executable, "-m", "benchmarks.faults.sharing.programs", name, self.library, self.method]
        with subprocess.Popen(
            [*command, self.news.path, *args],
            env={**os.environ, TAG: value},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # the complaints of trackers whose programs were killed
        ) as process:
            program = Program(process, f"{TAG}={value}", self)
            try:
                yield program
            finally:
                end_all(program.tag)


class Program:
    """A program that runs, and all that it has started."""

    def __init__(self, process: subprocess.Popen[bytes], tag: str, kit: Kit) -> None:
        self.process = process
        self.tag = tag
        self._kit = kit

    def line(self) -> str:
        """The next line that it says."""
        line: str = self._kit.news.line()
        return line

    def kill(self) -> None:
        """Kill the program alone, and wait until it is dead."""
        self.process.kill()
        self._kit.mark()
        self.process.wait()

    def kill_all(self) -> None:
        """Kill it and all that it has started, helpers too, as who ends a container does."""
        found = carrying(self.tag)
        self._kit.pick.shuffle(found)
        strike(found, self.tag)
        self._kit.mark()
        until(lambda: not strike(carrying(self.tag), self.tag))
        self.process.wait()

    def what_stays(self) -> str:
        """How many of its processes are there when all should be gone."""
        _, left = gone_within(self.tag, STAY)
        return f"{left} process{'es' * (left > 1)} stay{'s' * (left == 1)}" if left else "all gone"


def state(pid: int) -> str:
    """The letter of a process's state: S where it sleeps; "" where there is none."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return ""
