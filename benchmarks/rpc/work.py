"""What all peers serve. Nothing is imported here that not each of their interpreters has."""

from __future__ import annotations

import time


def double(n: int) -> int:
    return 2 * n


def echo(data: bytes) -> bytes:
    return data


def spin(seconds: float) -> int:
    """Use a core for so many seconds of its own time."""
    end = time.thread_time() + seconds
    turns = 0
    while time.thread_time() < end:
        turns += 1
    return turns


class Work:
    """The same as methods."""

    def double(self, n: int) -> int:
        return 2 * n

    def echo(self, data: bytes) -> bytes:
        return data

    def spin(self, seconds: float) -> int:
        return spin(seconds)
