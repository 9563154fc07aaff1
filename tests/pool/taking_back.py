"""What the tests of taking back call in workers: calls that note that they ran, one of which blocks in C code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

FOLDER = "ELSEWHERE_TEST_TAKING_BACK"  # the environment variable with the folder for the notes


def prepare(folder: str) -> None:
    """The initializer."""
    os.environ[FOLDER] = folder


def note(number: int) -> None:
    folder = Path(os.environ[FOLDER])
    with (folder / "runs").open("a") as file:
        file.write(f"{number}\n")  # one write of a few bytes, appended: whole
    fifo = folder / f"block-{number}"
    if fifo.exists():
        (folder / "blocked").touch()
        descriptor = os.open(fifo, os.O_RDONLY)  # until somebody opens it for writing: no Python code runs meanwhile
        os.close(descriptor)


def number(item: int) -> int:
    note(item)
    return item


def text(item: int) -> str:
    note(item)
    return str(item)


def from_list(item: list[int]) -> Any:
    note(item[0])
    return [item[0]]


def star(item: int, _: int) -> int:
    note(item)
    return item
