"""Functions that tests call from the shell."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from decimal import Decimal


@dataclasses.dataclass
class Point:
    x: int
    y: float

    @staticmethod
    def diagonal(n: int) -> Point:
        return Point(n, n)

    @classmethod
    def made(cls, n: int) -> Point:
        return cls(n, 0.0)


def same(text: str) -> str:
    return text


def double(n: int) -> int:
    return 2 * n


def root(n: float) -> float:
    return n**0.5


def size(path: Path) -> int:
    return len(path.name)


def either(n: Optional[int] = None) -> str:  # noqa: UP045 - the old spelling is what is tested
    return type(n).__name__


def kind(value):
    return type(value).__name__


def negated(value):
    return -value


def decimal(value: Decimal) -> str:
    return str(value)


def fussy(text: str) -> str:
    if "bad" in text:
        raise ValueError(f"no {text} here")
    return text.upper()


def failing_unless(marker: str) -> str:
    path, _, text = marker.partition("|")
    if text == "bad" and not os.path.exists(path):
        raise ValueError("not yet")
    return text


def raw(text: str) -> bytes:
    return text.encode()


def printing(text: str) -> str:
    print("printed", text)
    os.system(f"echo programs print {text}")
    return text


async def later(n: int) -> int:
    await asyncio.sleep(0)
    return n + 1


def exits(text: str) -> None:
    raise SystemExit(3)


def pair(a, b):
    return a, b


def nothing():
    return None


def waits(text: str) -> str:
    if text == "wait" and "NOBODY_WAITS" not in os.environ:
        signal.pause()
    return text


def die(text: str) -> str:
    if text == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    return text


def spin(n: int) -> int:
    return sum(range(n % 1000 + 20000))
