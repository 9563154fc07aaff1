"""Services under test, and the methods that they have: in a module that workers can import."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from elsewhere import Service, errors
from tests.contract.work import Gate, hold, hold_async


def double(n: int) -> int:
    """Twice the number."""
    return 2 * n


def join(first: str, *more: str, sep: str = " ") -> str:
    return sep.join([first, *more])


def echo(value):
    return value


def big(size: int) -> bytes:
    return b"x" * size


def fail(text: str) -> None:
    raise ValueError(text)


def pid() -> int:
    return os.getpid()


def pass_on(name: str) -> None:
    """Raise what a call of its own would raise."""
    raise getattr(errors, name)("of another call")


def die() -> None:
    os._exit(7)


def leave() -> None:
    raise SystemExit(3)


def thing() -> Any:
    return threading.Lock()


def wait_at(folder: str, name: str) -> str:
    hold(Gate(Path(folder)), name)
    return name


async def wait_async(folder: str, name: str) -> str:
    await hold_async(Gate(Path(folder)), name)
    return name


async def sleepy(n: int) -> int:
    await asyncio.sleep(0)
    return 2 * n


class Counter:
    """Has a state of its own."""

    def __init__(self) -> None:
        self.count = 0

    def up(self) -> int:
        self.count += 1
        return self.count


class Fragile:
    """Kills the process that it comes to, as long as there is a certain file."""

    def __init__(self, file: str) -> None:
        self.file = file

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if os.path.exists(self.file):
            os._exit(9)

    def well(self) -> str:
        return "well"


PLAIN: list[Callable[..., Any]] = [double, join, big, echo, fail, pid, leave, thing]


def service_of(where: str, **options: Any) -> Service:
    """The same methods, wherever they run."""
    service = Service(name="tested", **options)
    where, _, beside = where.partition(" beside ")
    if beside:
        service.register(abs, "other", where=beside)
    for fn in PLAIN:
        service.register(fn, where=where, idempotent=fn is double)
    if where == "loop":
        service.register(wait_async, "wait_at")
        service.register(sleepy)
    else:
        service.register(wait_at, where=where)
    return service
