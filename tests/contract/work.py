"""The functions that the suite calls elsewhere, in a module that workers can import.

Rule: what has to last waits for a `Gate`, never for the clock; what waits for ever is bounded by `PATIENCE`. Nothing
but the standard library is imported here: this file is all that travels to a machine that has a bare Python.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

PATIENCE = 30.0  # seconds: what has not come by then never will


def until(condition: Callable[[], object], what: str = "it") -> None:
    """Look again and again until it is so."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited {PATIENCE:g} s for {what} in vain"
        threading.Event().wait(0.002)


def only(**properties: bool) -> Callable[[Any], Any]:
    """Run a test only on the places with these properties."""

    def mark(test: Any) -> Any:
        test.only_where = properties
        return test

    return mark


class Gate:
    """Where calls wait, whichever process they are in; it knows who has come and who has left.

    A call that passes leaves files behind: ``came-<name>``, and ``left-<name>`` however it ends.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def open(self) -> None:
        (self.folder / "open").touch()

    def is_open(self) -> bool:
        return (self.folder / "open").exists()

    def note(self, word: str, name: object) -> None:
        with (self.folder / f"{word}-{name}").open("a") as file:
            file.write(f"{os.getpid()}\n")

    def has(self, word: str, name: object) -> bool:
        path = self.folder / f"{word}-{name}"
        return path.exists() and path.stat().st_size > 0  # written, not only made: its writer may be interrupted

    def times(self, word: str, name: object) -> int:
        path = self.folder / f"{word}-{name}"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def names(self, word: str) -> set[str]:
        return {path.name.removeprefix(f"{word}-") for path in self.folder.glob(f"{word}-*")}

    def wait_for(self, word: str, name: object) -> None:
        until(lambda: self.has(word, name), f"{word}-{name}")


def leave(gate: Gate, name: object) -> None:
    """It leaves, also if it is interrupted just while it says so."""
    try:
        gate.note("left", name)
    except BaseException:
        if not gate.has("left", name):
            gate.note("left", name)
        raise


def hold(gate: Gate, name: object = "call") -> object:
    """Wait at the gate."""
    try:
        gate.note("came", name)  # inside: who waits for this note may interrupt before it is through
        end = time.monotonic() + PATIENCE
        while not gate.is_open() and time.monotonic() < end:
            time.sleep(0.002)
    except BaseException as error:
        gate.note(type(error).__name__, name)
        raise
    finally:
        leave(gate, name)
    return name


async def hold_async(gate: Gate, name: object = "call") -> object:
    """The same for a loop."""
    try:
        gate.note("came", name)
        end = time.monotonic() + PATIENCE
        while not gate.is_open() and time.monotonic() < end:  # noqa: ASYNC110 - others open it from other processes
            await asyncio.sleep(0.002)
    except BaseException as error:
        gate.note(type(error).__name__, name)
        raise
    finally:
        leave(gate, name)
    return name


def hold_stubbornly(gate: Gate, name: object = "call") -> object:
    """Wait at the gate, and let nobody interrupt it."""
    end = time.monotonic() + PATIENCE
    came = False
    while True:
        try:  # all of it: the interrupt may come at any instruction after the note
            if not came:
                gate.note("came", name)
                came = True
            if gate.is_open() or time.monotonic() >= end:
                return name
            time.sleep(0.002)
        except Exception as error:
            came = True
            gate.note(type(error).__name__, name)


def square(x: int) -> int:
    return x * x


async def square_later(x: int) -> int:
    await asyncio.sleep(0)
    return x * x


async def meet(barrier: threading.Barrier) -> None:
    """Come back when others are here too, each in a thread of its own."""
    barrier.wait(PATIENCE)


def identity(value: Any) -> Any:
    return value


def add(x: Any, y: Any = 0, *, z: Any = 0) -> Any:
    return x + y + z


def options_of_its_own(*, timeout: Any, retry: Any, name: Any, fn: Any = None, self: Any = None) -> list[Any]:
    """Takes what are words of ours elsewhere."""
    return [timeout, retry, name, fn, self]


def pid_of(_: Any = None) -> int:
    return os.getpid()


def note(gate: Gate, name: object) -> object:
    gate.note("came", name)
    return name


def hold_the_first(pair: tuple[Gate, int]) -> object:
    gate, index = pair
    return hold(gate, index) if index == 0 else note(gate, index)


def call_or_hold(gate: Gate, x: int) -> object:
    return hold(gate, "late") if x == 10 else x


async def call_or_hold_async(gate: Gate, x: int) -> object:
    return await hold_async(gate, "late") if x == 10 else x


class Custom(Exception):
    code = 0


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class Unpicklable(Exception):
    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.lock = threading.Lock()


class NotUnpicklable(Exception):
    """Pickles well, and cannot be made again from its args."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Slotted(Exception):
    """Has no room for notes or results."""

    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


def fail(x: Any) -> Any:
    error = Custom(f"bad {str(x)[:20]}")
    error.code = x
    raise error


def fail_with(_: object) -> None:
    raise Custom("bad one")


async def fail_later(x: Any) -> Any:
    await asyncio.sleep(0)
    fail(x)


def fail_odd(x: int) -> int:
    if x % 2:
        fail(x)
    return x


def raise_kind(kind: str) -> None:
    if kind == "SystemExit":
        sys.exit(3)
    if kind == "KeyboardInterrupt":
        raise KeyboardInterrupt("from the function")
    if kind == "Unpicklable":
        raise Unpicklable("with a lock")
    if kind == "NotUnpicklable":
        raise NotUnpicklable("needs a code", 7)
    if kind == "Slotted":
        raise Slotted("no room")
    raise AssertionError(kind)


def make_lock(_: Any = None) -> Any:
    return threading.Lock()


def flaky(gate: Gate, name: object, failures: int) -> int:
    """Fails so many times, then returns how many times it was called."""
    gate.note("came", name)
    times = gate.times("came", name)
    if times <= failures:
        raise Custom(f"failure {times}")
    return times


seen: list[object] = []


def initialize(word: object) -> None:
    seen.append(word)


def what_was_seen(_: Any = None) -> list[object]:
    return list(seen)


def initializer_that_raises() -> None:
    raise Custom("no start")


# ---- what is around a call -------------------------------------------------------------------------------------------


def say(text: str, stream: str = "stdout") -> None:
    print(text, file=getattr(sys, stream))


def write(text: str) -> None:
    sys.stdout.write(text)


def log(name: str, level: int, message: str) -> None:
    logging.getLogger(name).log(level, message)


def warn(message: str) -> None:
    warnings.warn(message, UserWarning, stacklevel=1)


def variable(name: str) -> str | None:
    return os.environ.get(name)


def folder(_: object = None) -> str:
    return os.getcwd()


def modules_called(name: str) -> list[str]:
    """The modules of a package that are imported there."""
    return sorted(each for each in sys.modules if each == name or each.startswith(f"{name}."))


# ---- what travels ----------------------------------------------------------------------------------------------------


@dataclass
class Point:
    x: int
    y: int


class Pair(NamedTuple):
    one: Any
    two: Any


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


def look_up(table: Any, key: Any) -> Any:
    return table[key]


class Counted:
    """Knows how often one was loaded in a process."""

    loads = 0

    def __getstate__(self) -> dict[str, int]:
        return {"some": 1}

    def __setstate__(self, state: dict[str, int]) -> None:
        Counted.loads += 1


def loads_of(_: Counted) -> tuple[int, int]:
    return os.getpid(), Counted.loads


# ---- what ends a worker ----------------------------------------------------------------------------------------------


def is_first(gate: Gate) -> bool:
    try:
        os.close(os.open(gate.folder / "first", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def die_at(x: int, at: int, how: str, gate: Gate | None = None) -> int:
    """Ends its worker when `x` is `at`; with a gate, only the first time."""
    if x == at and (gate is None or is_first(gate)):
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
            threading.Event().wait()
        os._exit(3)
    return x


def write_a_file(path: str) -> None:
    with open(path, "wb") as file:
        file.write(b"something")
