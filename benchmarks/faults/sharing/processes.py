"""Processes: children, parents and those in between that are killed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from benchmarks.faults.sharing import children
from benchmarks.faults.sharing.kit import Fault, Kit

__all__ = ["FAULTS"]

GONE = "all gone"
KILLED = "exit code -9"


def child_killed(kit: Kit) -> Iterator[str]:
    for _ in kit.rounds():
        child = kit.begin(children.busy)
        kit.moment()
        kit.strike(child)
        yield f"exit code {child.exitcode}"


def killed_while_it_starts(kit: Kit) -> Iterator[str]:
    for _ in kit.rounds():
        child = kit.start(children.end_at_once)
        kit.moment()
        kit.strike(child)
        yield "has an exit code" if child.exitcode in {0, -9} else f"exit code {child.exitcode}"


def result_of_a_killed_child(kit: Kit) -> Iterator[str]:
    """Ours has `result`; multiprocessing's documentation gives results through a Queue."""
    for _ in kit.rounds():
        results = kit.make("Queue")
        child: Any = kit.begin(children.busy, results)
        kit.strike(child)
        try:
            child.result() if kit.ours else results.get()
        except Exception as error:
            yield type(error).__name__


def parent_killed(kit: Kit, children: str) -> Iterator[str]:
    """Its two daemons, or its child and its grandchild, work."""
    for _ in kit.rounds():
        with kit.program(children) as program:
            for _ in range(2):
                program.line()
            program.kill()
            yield program.what_stays()


def middle_killed(kit: Kit) -> Iterator[str]:
    """The child, whose own child, a daemon, works on."""
    for _ in kit.rounds():
        with kit.program("childless") as program:
            program.line()
            kit.mark(float(program.line()))  # the child is dead
            program.process.wait()
            yield program.what_stays()


def parent_killed_while_it_starts_some(kit: Kit) -> Iterator[str]:
    for _ in kit.rounds():
        with kit.program("starter") as program:
            program.line()
            kit.moment()
            program.kill()
            yield program.what_stays()


FAULTS = (
    Fault("Process", "child killed: `join`", child_killed, (KILLED,)),
    Fault("Process", "child killed while it starts: `join`", killed_while_it_starts, ("has an exit code",)),
    Fault("Process", "child killed: its result (there, of a Queue)", result_of_a_killed_child, ("WorkerLost",), 5),
    Fault("Process", "parent killed: daemons", partial(parent_killed, children="daemons"), (GONE,), 3),
    # They are to go on, and each of them has a fork server of ours.
    Fault("Process", "parent killed: no daemons", partial(parent_killed, children="family"), ("4 processes stay",), 3),
    Fault("Process", "child killed, then its parent ends: its daemon", middle_killed, (GONE,), 3),
    Fault("Process", "parent killed while it starts children", parent_killed_while_it_starts_some, (GONE,), 5),
)
