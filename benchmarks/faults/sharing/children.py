"""What the killed processes do: each function says a line when it is at work, and then does it until it is killed.

Rule: module-level, since they are imported by name where they run.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

from tests.faults.faults import say

AT_WORK = "at work"


def wait_to_be_killed() -> None:
    while True:
        signal.pause()


def busy(path: str, *kept: object) -> None:
    """Has something, and waits."""
    say(path, AT_WORK)
    wait_to_be_killed()


def end_at_once() -> None:
    pass


# ---- queues and pipes ------------------------------------------------------------------------------------------------


def put_for_ever(path: str, items: Any, mark: int, size: int, most: int) -> None:
    say(path, AT_WORK)
    body = b"x" * size
    for number in range(most):
        items.put((mark, number, body))
    wait_to_be_killed()


def put_all(items: Any, count: int, size: int) -> None:
    for number in range(count):
        items.put((number, b"x" * size))


def put_all_and_wait(path: str, items: Any, count: int, size: int) -> None:
    put_all(items, count, size)
    say(path, AT_WORK)
    wait_to_be_killed()


def get_for_ever(path: str, items: Any) -> None:
    say(path, AT_WORK)
    while True:
        items.get()


def get_one(path: str, items: Any) -> None:
    """Takes one item and is never done with it."""
    items.get()
    say(path, AT_WORK)
    wait_to_be_killed()


def get_and_be_done(items: Any, count: int) -> None:
    for _ in range(count):
        items.get()
        items.task_done()


def send_for_ever(path: str, end: Any, size: int) -> None:
    say(path, AT_WORK)
    body = b"x" * size
    while True:
        end.send_bytes(body)


def receive_for_ever(path: str, end: Any) -> None:
    say(path, AT_WORK)
    while True:
        end.recv_bytes()


def die_in_the_middle_of_receiving(path: str, end: Any) -> None:
    """Takes some of what is on its way, says when it ends, and is dead."""
    say(path, AT_WORK)
    os.read(end.fileno(), 100_000)
    say(path, repr(time.monotonic()))
    os.kill(os.getpid(), signal.SIGKILL)


# ---- locks and numbers -----------------------------------------------------------------------------------------------


def hold(path: str, lock: Any) -> None:
    lock.acquire()
    say(path, AT_WORK)
    wait_to_be_killed()


def take_and_release(path: str, lock: Any) -> None:
    say(path, AT_WORK)
    while True:
        lock.acquire()
        lock.release()


def wait_for_lock(path: str, lock: Any) -> None:
    say(path, AT_WORK)
    lock.acquire()


def wait_for_notice(path: str, condition: Any) -> None:
    with condition:
        say(path, AT_WORK)  # before it gives the lock back, which is when it waits
        condition.wait()


def wait_for(path: str, thing: Any) -> None:
    """An event's or a barrier's `wait`."""
    say(path, AT_WORK)
    thing.wait()


def set_and_clear(path: str, event: Any) -> None:
    say(path, AT_WORK)
    while True:
        event.set()
        event.clear()


def count_up(path: str, value: Any) -> None:
    say(path, AT_WORK)
    while True:
        with value.get_lock():
            value.value += 1


def fill(path: str, array: Any) -> None:
    """All of an array under its lock, again and again."""
    say(path, AT_WORK)
    number = 0
    while True:
        number += 1
        with array.get_lock():
            array[:] = [number] * len(array)


# ---- managers --------------------------------------------------------------------------------------------------------


def write_for_ever(path: str, values: Any, size: int) -> None:
    say(path, AT_WORK)
    number = 0
    while True:
        number += 1
        values["n"] = "x" * size
        values.update({"a": number, "b": number})


def append_for_ever(path: str, values: Any, size: int) -> None:
    say(path, AT_WORK)
    for _ in range(200):
        values.append("x" * size)
    wait_to_be_killed()


def use_until_error(work: Any, found: list[tuple[float, BaseException]], begun: threading.Event) -> None:
    """In a thread: what an operation ends with, and when."""
    begun.set()
    try:
        while True:
            work()
    except BaseException as error:
        found.append((time.monotonic(), error))
