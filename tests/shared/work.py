"""The functions that the tests of this folder call in other processes, and ways to look at what those have."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import elsewhere
from elsewhere import shared

ROOT = Path(__file__).parents[2]
SRC = Path(elsewhere.__file__).parents[1]
SOON = 20.0  # seconds: far more than anything here takes
METHODS = ["forkserver", "spawn"]


def set_first(array: Any, value: Any) -> Any:
    array[0] = value
    return array


def total(*arrays: Any) -> float:
    return float(sum(array.sum() for array in arrays))


def first_of(shared_object: Any) -> float:
    return float(shared_object["array"][0])


def fail_first(array: Any) -> float:
    array[0] += 0.5
    if array[0] < 3:
        raise OSError("again")
    return float(array[0])


def identity(value: Any) -> Any:
    return value


def make(length: int, value: float) -> Any:
    return shared.full(length, value)


def make_value(start: int) -> Any:
    return elsewhere.Value("q", start)


def facts(array: Any) -> dict[str, Any]:
    """What this process has of the array: the file behind its memory, how many descriptors of it, and flags."""
    address = array.__array_interface__["data"][0]
    return {
        "pid": os.getpid(),
        "inode": inode_at(address),
        "descriptors": len(descriptors(token_of(array))),
        "kind": type(array).__module__ + "." + type(array).__qualname__,
        "writeable": bool(array.flags.writeable),
        "strides": array.strides,
    }


def inode_at(address: int) -> str:
    """Device and inode of what is mapped there."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, _, _, device, inode, *_ = line.split()
        low, high = (int(end, 16) for end in span.split("-"))
        if low <= address < high:
            return f"{device} {inode}"
    raise LookupError(hex(address))


def token_of(array: Any) -> str:
    """What the array's memory is called."""
    token: str = array.__reduce_ex__(5)[1][0].token
    return token


def descriptors(token: str, pid: Any = "self") -> list[int]:
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            if token in os.readlink(f"/proc/{pid}/fd/{name}"):
                found.append(int(name))
        except OSError:
            continue  # that which listed the folder
    return found


def users(token: str) -> list[int]:
    """The processes that have this memory, in any way."""
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            if descriptors(token, name) or token in Path(f"/proc/{name}/maps").read_text():
                found.append(int(name))
        except OSError:
            continue  # it has ended
    return found


def negate(array: Any) -> None:
    for i in range(len(array)):
        array[i] = -array[i]


def count(value: Any, times: int) -> None:
    for _ in range(times):
        with value.get_lock():
            value.value += 1


def count_forever(value: Any) -> None:
    count(value, 1 << 60)


def first(value: Any) -> Any:
    """The number of a `Value`, of an `Array`, or of a structure."""
    if hasattr(value, "value"):
        return value.value
    return value.x if hasattr(value, "x") else value[0]


def set_first_of(value: Any, number: Any) -> None:
    if hasattr(value, "value"):
        value.value = number
    elif hasattr(value, "x"):
        value.x = number
    else:
        value[0] = number


def odd_inside(value: Any, times: int) -> Any:
    """Let it be odd within the lock, and even outside."""
    for _ in range(times):
        with value.get_lock():
            set_first_of(value, first(value) + 1)
            set_first_of(value, first(value) + 1)
    return first(value)


def seen_unchanged(value: Any, times: int) -> bool:
    """Does nobody write while the lock is held here?"""
    for _ in range(times):
        with value.get_lock():
            value.value = before = -value.value
            for _ in range(20):
                if value.value != before:
                    return False
    return True


def write_one_after_the_other(array: Any, times: int) -> None:
    for number in range(1, times + 1):
        array[0] = number
        array[1] = number


def hold(value: Any, connection: Any) -> None:
    """Take the lock, say so, and keep it until killed."""
    value.get_lock().acquire()
    connection.send_bytes(b"held")
    connection.recv_bytes()


def owned_by_nobody(value: Any) -> bool:
    lock = value.get_lock()
    got: bool = lock.acquire(timeout=SOON)
    if got:
        lock.release()
    return got


def until(condition: Any, seconds: float = SOON) -> None:
    """Look again until it is so, letting others run; fail if it does not become so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        os.sched_yield()


class Program:
    """An interpreter that is nobody's child in any sense that matters: it knows only what is written to it.

    It runs `source`, in which ``say(x)`` sends a line of JSON here, and `hear()` waits for one from here.
    """

    PRELUDE = """
import json, os, pickle, sys
def say(value=None): print(json.dumps(value), flush=True)
def hear(): return json.loads(sys.stdin.readline())
def store(value, path):
    with open(path, "wb") as file: pickle.dump(value, file)
def load(path):
    with open(path, "rb") as file: return pickle.load(file)
import elsewhere
from elsewhere import shared
"""

    def __init__(self, source: str, *arguments: Any) -> None:
        environment = {**os.environ, "PYTHONPATH": f"{SRC}:{ROOT}"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.PRELUDE + source, *map(str, arguments)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    def hear(self) -> Any:
        import json

        line = self.process.stdout.readline()  # type: ignore[union-attr]  # it is a pipe
        assert line, self.process.communicate()[1]
        return json.loads(line)

    def say(self, value: Any = None) -> None:
        import json

        self.process.stdin.write(json.dumps(value) + "\n")  # type: ignore[union-attr]  # it is a pipe
        self.process.stdin.flush()  # type: ignore[union-attr]  # see above

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.kill()


def store(value: Any, path: Any) -> None:
    Path(path).write_bytes(pickle.dumps(value))


def load(path: Any) -> Any:
    return pickle.loads(Path(path).read_bytes())
