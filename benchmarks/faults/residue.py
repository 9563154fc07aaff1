"""Residue: any part of a pool's tree is killed at random instants while arrays cross; nothing may stay.

Rule: seeded. A program sends arrays through a pool and says so each time; its caller, fork server and workers are
killed in random subsets. While its caller lives it must go on; once it is dead, no process, no entry of /dev/shm and no
temporary file may be left of it.
"""

from __future__ import annotations

import contextlib
import os
import random
import select
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import TimeoutExpired
from typing import NamedTuple

from benchmarks.faults.processes import end_all, gone_within, strike
from tests.faults.helpers import Script, family, script, until

__all__ = ["Found", "run"]

LONGEST = 0.05  # seconds from a crossing to the kill: some arrays cross in that time
SOON = 10.0  # seconds for the next crossing or for the program's end, on a busy machine
PATIENCE = 5.0  # seconds for all to be gone
AT_MOST = 15  # kills that one program may survive before it is ended in order

CROSSING = """
import sys
import time
import numpy
import elsewhere

def plus_one(array):
    return array + 1

if __name__ == "__main__":
    sent = numpy.arange(1_000_000, dtype=numpy.float64)
    retry = elsewhere.Retry(1000, on=(elsewhere.WorkerLost,))
    with elsewhere.Pool(3, on_exit="terminate", retry=retry) as pool:
        pool.submit(time.sleep, 1000)  # a worker in a call sees nothing of its caller's end by itself
        print("open", flush=True)
        over = False
        while not over:
            for got in pool.imap_unordered(plus_one, [sent] * 8):
                assert (got == sent + 1).all()
                print("crossed", flush=True)
                over = over or end_asked()
"""
ASKED = """
import os

def end_asked():
    return os.path.exists(sys.argv[1])
"""


class Found(NamedTuple):
    """What came of it.

    Attributes:
        callers: how many of the kills hit the caller, alone or with others.
        left: what was left behind or went wrong, in words.
    """

    instants: int
    callers: int
    killed: int
    left: list[str]

    def in_words(self) -> str:
        outcome = "no process, no entry of /dev/shm and no temporary file stayed" if not self.left else str(self.left)
        return (
            f"Residue: arrays of 8 MB cross both ways while random subsets of caller, fork server and workers are "
            f"killed, {self.killed} processes at {self.instants} instants, the caller among them at {self.callers}: "
            f"{outcome}."
        )


def run(instants: int, seed: int) -> Found:
    """Kill at so many random instants; each program in a folder of its own."""
    pick = random.Random(seed)
    done = callers = killed = 0
    left: list[str] = []
    while done < instants and not left:
        before = shared_memory()
        with tempfile.TemporaryDirectory(prefix="residue-", ignore_cleanup_errors=True) as folder:
            for hit in one_program(Path(folder), pick, min(AT_MOST, instants - done), left):
                done += 1
                killed += hit.count
                callers += hit.caller
        with contextlib.suppress(AssertionError):
            until(lambda: not shared_memory() - before, PATIENCE)  # noqa: B023 - it is called in this very round
        left += [f"/dev/shm/{name}" for name in shared_memory() - before]
    return Found(done, callers, killed, left)


def shared_memory() -> set[str]:
    """The entries that ours may be among: programs beside this one use multiprocessing's and joblib's."""
    return {name for name in os.listdir("/dev/shm") if not name.startswith(("sem.", "joblib"))}


class Hit(NamedTuple):
    """One instant: how many were killed, and whether the caller was."""

    count: int  # type: ignore[assignment]  # hides tuple.count, which nobody calls on a record
    caller: bool


def one_program(folder: Path, pick: random.Random, most: int, left: list[str]) -> Iterator[Hit]:
    """Start a program and kill parts of its tree until its caller is hit, or so often; then see what stays of it."""
    end = folder / "end"
    with script(folder, ASKED + CROSSING, end) as program:
        tag = f"TMPDIR={program.temp}"
        try:
            for _ in range(most):
                crossings(program)
                hit = hit_some(program, tag, pick)
                yield hit
                if hit.caller:
                    break
            else:
                crossings(program)
                end.touch()
            with contextlib.suppress(EOFError):
                while True:
                    crossings(program)
            program.end(SOON)
            seconds, count = gone_within(tag, PATIENCE)
            if count:
                left.append(f"{count} processes were there {seconds:.1f} s after the program's end")
            left += [f"temporary file {name}" for name in program.left]
            left += [line for line in program.errors().splitlines()[-1:] if "Error" in line]
        except (AssertionError, EOFError, TimeoutExpired) as error:
            left.append(f"{type(error).__name__}: {error} {program.errors()[-500:]}")
        finally:
            end_all(tag)


def crossings(program: Script) -> None:
    """Wait for a new line and read all there are.

    Raises:
        EOFError: the program has ended.
        AssertionError: no line came.
    """
    stream = program.process.stdout
    assert stream is not None
    seconds = SOON
    while select.select([stream], [], [], seconds)[0]:
        if not stream.read(65536):
            raise EOFError
        seconds = 0
    assert seconds == 0, f"nothing crossed within {SOON:g} s"


def hit_some(program: Script, tag: str, pick: random.Random) -> Hit:
    """At a random instant, kill a random subset of the tree."""
    pause(pick.random() * LONGEST)
    tree = [program.pid, *family(program.pid)]
    victims = [pid for pid in tree if pick.random() < 1 / 3] or [pick.choice(tree)]
    pick.shuffle(victims)
    return Hit(strike(victims, tag), program.pid in victims)


def pause(seconds: float) -> None:
    """A random instant is what is asked for: nothing is waited for here."""
    time.sleep(seconds)
