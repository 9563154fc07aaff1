"""What the processes under test do; they import it by name."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
from multiprocessing import resource_tracker, shared_memory
from typing import Any

import elsewhere

METHODS = ["forkserver", "spawn"]
ALL_METHODS = [*METHODS, "fork"]


def process(method: str, *args: Any, **kwargs: Any) -> Any:
    return elsewhere.get_context(method).Process(*args, **kwargs)


@contextlib.contextmanager
def running(method: str, *args: Any, **kwargs: Any) -> Any:
    """A started process, which is gone afterwards."""
    started = process(method, *args, **kwargs)
    started.start()
    try:
        yield started
    finally:
        started.kill(tree=True)
        started.join()
        started.close()


class Told(Exception):
    def __init__(self, text: str, number: int) -> None:
        super().__init__(text, number)
        self.number = number


class Unloadable:
    def __reduce__(self) -> Any:
        return fail_to_load, ()


def fail_to_load() -> None:
    raise LookupError("this cannot be unpickled")


def exit_while_loading() -> None:
    os._exit(7)


class Deadly:
    def __reduce__(self) -> Any:
        return exit_while_loading, ()


def square(x: int) -> int:
    return x * x


async def square_later(x: int) -> int:
    return x * x


def fail(number: int) -> None:
    raise Told("as told", number)


def forever(pipe: Any = None) -> None:
    if pipe is not None:
        pipe.send(os.getpid())
    while True:
        signal.pause()


def with_children(pipe: Any, method: str) -> None:
    """Say the pids of a process of ours, of a program and of this one."""
    ours = process(method, target=forever)
    ours.start()
    program = subprocess.Popen([sys.executable, "-c", "import signal\nwhile True: signal.pause()"])
    pipe.send([ours.pid, program.pid, os.getpid()])
    forever()


def speak(text: str) -> None:
    print(text, flush=True)
    print(text, file=sys.stderr)
    logging.getLogger("tests.process").error("log of %s", text)


def put_all(queue: Any, items: list[Any]) -> None:
    for item in items:
        queue.put(item)


def echo(connection: Any, lock: Any, gate: Any, event: Any) -> None:
    with lock:
        gate.acquire()
        connection.send(connection.recv())
    event.set()


def nested(method: str) -> list[Any]:
    inner = process(method, target=square, args=(5,))
    inner.start()
    result = inner.result()
    inner.join()
    return [result, inner.exitcode]


def write_shared(name: str) -> Any:
    """Returns the pid of this process's own resource tracker, which would remove the block some time later."""
    block = shared_memory.SharedMemory(name)
    memoryview(block.buf or b"")[0] = 7
    block.close()
    return vars(resource_tracker._resource_tracker)["_pid"]


def die_by_limit() -> None:
    os.kill(os.getpid(), signal.SIGXCPU)


def burn() -> None:
    while True:
        pass


def take(size: int) -> None:
    taken = b"x" * size
    assert taken
    forever()


def surroundings() -> dict[str, Any]:
    return {
        "environ": os.environ.get("TESTS_PROCESS"),
        "folder": os.getcwd(),
        "path": sys.path[0],
        "argv": sys.argv,
        "main": sorted(name for name in vars(sys.modules["__main__"]) if not name.startswith("__")),
    }
