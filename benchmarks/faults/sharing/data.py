"""Values, arrays and shared memory: holders, writers and creators that are killed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.faults.processes import carrying
from benchmarks.faults.sharing import children
from benchmarks.faults.sharing.kit import STAY, Fault, Kit
from benchmarks.faults.sharing.locks import FREED, taken
from tests.faults.helpers import until

__all__ = ["FAULTS", "Mapped"]

LENGTH = 1000
NOTHING = "nothing stays"


def value_holder_killed(kit: Kit) -> Iterator[str]:
    for _ in kit.rounds():
        value = kit.make("Value", "q")
        kit.strike(kit.begin(children.hold, value.get_lock()))
        yield taken(value.get_lock())


def counter_killed(kit: Kit) -> Iterator[str]:
    """Somebody else counts on, by as many as there are."""
    for _ in kit.rounds():
        value = kit.make("Value", "q")
        victim = kit.begin(children.count_up, value)
        kit.moment()
        kit.strike(victim)
        outcome = taken(value.get_lock())
        if outcome == FREED:
            before = value.value
            with value.get_lock():
                value.value += 1
            outcome = FREED if value.value == before + 1 else "a count is lost"
        yield outcome


def filler_killed(kit: Kit) -> Iterator[str]:
    for _ in kit.rounds():
        array = kit.make("Array", "q", LENGTH)
        victim = kit.begin(children.fill, array)
        kit.moment()
        kit.strike(victim)
        yield taken(array.get_lock())


# ---- shared memory ---------------------------------------------------------------------------------------------------


class Mapped:
    """The shared memory that a program's processes have mapped: files of /dev/shm and files without a name."""

    def __init__(self, tag: str) -> None:
        self.found = {each for pid in carrying(tag) for each in shared_by(pid)}

    def what_stays(self) -> str:
        """What of it there is when all who had it are gone, once that has had its time; then it is removed."""
        assert self.found, "there is none: this would prove nothing"
        try:
            until(lambda: not self.names() and not self.kept(), STAY)
        except AssertionError:
            names = self.names()
            for name in names:
                os.unlink(name)
            return f"{len(names)} in /dev/shm stay" if names else "memory stays"
        return NOTHING

    def names(self) -> list[str]:
        """Of the files of /dev/shm, those that are there."""
        return [path for _, path in self.found if path.startswith("/dev/shm/") and os.path.exists(path)]

    def kept(self) -> bool:
        """Has any process any of it?"""
        inodes = {inode for inode, _ in self.found}
        pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
        return any(inode in inodes for pid in pids for inode, _ in shared_by(pid))


def shared_by(pid: int) -> list[tuple[str, str]]:
    """Device and inode, and path, of what a process has mapped of shared memory."""
    try:
        with open(f"/proc/{pid}/maps") as file:
            lines = [line.split(maxsplit=5) for line in file]
    except OSError:
        return []
    return [
        (f"{fields[3]} {fields[4]}", fields[5].rstrip("\n"))
        for fields in lines
        if len(fields) > 5 and fields[5].startswith(("/dev/shm/", "/memfd:elsewhere"))
    ]


def memory(ending: str) -> Callable[[Kit], Iterator[str]]:
    """A program makes shared memory, which its child has too; then some or all of them are killed."""

    def run(kit: Kit) -> Iterator[str]:
        for _ in kit.rounds():
            with kit.program("memory") as program:
                program.line()
                mapped = Mapped(program.tag)
                kit.moment()
                if ending == "creator":
                    program.kill()
                else:
                    program.kill_all()
                stays = program.what_stays()
                yield mapped.what_stays() if stays == "all gone" else stays

    return run


def creator_killed(kit: Kit) -> Iterator[str]:
    """This process has opened it, and uses it on; nobody can open it any more."""
    for _ in kit.rounds():
        path = os.path.join(os.path.dirname(kit.news.path), "handle")
        with kit.program("handle", path) as program:
            program.line()
            array = opened(kit, path)
            program.kill()
            total = array.total()
            program.what_stays()
            array.close()
            yield "it is read on" if total == LENGTH else "it has changed"


def opened_too_late(kit: Kit) -> Iterator[str]:
    for _ in kit.rounds():
        path = os.path.join(os.path.dirname(kit.news.path), "handle")
        with kit.program("handle", path) as program:
            program.line()
            program.kill()
            program.what_stays()
            try:
                opened(kit, path).close()
                yield "it is opened"
            except FileNotFoundError as error:
                yield type(error).__name__


class Opened:
    """Shared memory of another program."""

    def __init__(self, array: Any, block: Any) -> None:
        self._array, self._block = array, block

    def total(self) -> int:
        return int(self._array.sum())

    def close(self) -> None:
        del self._array
        if self._block is not None:
            self._block.close()


def opened(kit: Kit, path: str) -> Opened:
    """By the handle that a program has pickled, or by the name that it has written."""
    import pickle
    from multiprocessing import shared_memory

    import numpy as np

    with open(path, "rb") as file:
        said = pickle.load(file)
    if kit.ours:
        return Opened(said, None)
    block = shared_memory.SharedMemory(said)
    return Opened(np.ndarray((LENGTH,), "q", block.buf), block)


FAULTS = (
    Fault("Shared data", "Value: holder of its lock killed", value_holder_killed, (FREED,), 5),
    Fault("Shared data", "Value: killed while it counts up", counter_killed, (FREED,), 40),
    Fault("Shared data", "Array: killed while it is filled under its lock", filler_killed, (FREED,)),
    Fault("Shared data", "ndarray: creator killed, read by another", creator_killed, ("it is read on",), 3),
    Fault("Shared data", "ndarray: creator killed, then opened", opened_too_late, ("FileNotFoundError",), 3),
    Fault("Shared data", "ndarray: creator killed, its child had it", memory("creator"), (NOTHING,), 3),
    Fault("Shared data", "ndarray: all killed, helpers too", memory("all"), (NOTHING,), 5),
)
