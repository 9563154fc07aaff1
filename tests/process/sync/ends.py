"""What runs in other processes in the tests of ends that both send and receive."""

from __future__ import annotations

import os
import signal
from multiprocessing import reduction
from typing import Any

import elsewhere


def echo(end: Any) -> str:
    """What comes, twice, until the other end closes."""
    with end:
        try:
            while True:
                end.send(end.recv() * 2)
        except EOFError:
            return "closed"


def make(word: str) -> Any:
    """An end of a pipe whose other end said a word and is gone."""
    first, second = elsewhere.Pipe()
    with second:
        second.send(word)
    return first


def say(end: Any, word: str, _: Any = None) -> str:
    with end:
        end.send(word)
    return word


def write_through(end: Any) -> None:
    """Into the file whose descriptor comes through the pipe."""
    with end:
        fd = reduction.recv_handle(end)
        os.write(fd, b"hello")
        os.close(fd)
        end.send("written")


def put_and_wait(items: Any, bodies: Any) -> None:
    """An end, also as a pickle, from a process that then waits to be killed."""
    first, second = elsewhere.Pipe()
    items.put(second)
    bodies.put(reduction.ForkingPickler.dumps(second).tobytes())
    items.put(os.getpid())
    with first:
        signal.pause()


def give_back(number: int) -> int:
    return number


def load_as(user: int, body: bytes) -> str:
    """What becomes of a pickle that another user has."""
    os.setuid(user)
    try:
        reduction.ForkingPickler.loads(body).close()
    except OSError as error:
        return type(error).__name__
    return "loaded"
