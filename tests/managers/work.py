"""Functions that the tests have other processes run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager


def count(values, times):
    for _ in range(times):
        values.increment("n")
    return values


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def hold_and_die(lock):
    lock.acquire()
    die()


def identity(value):
    return value


class Note:
    """A barrier's action."""

    def __init__(self, where):
        self.where = where

    def __call__(self):
        self.where.append("passed")


class Box:
    def __init__(self, value):
        self.value = value

    def get(self):
        return self.value

    def fail(self):
        raise LookupError("of the box")


@contextmanager
def child(function, *args):
    """A fork that runs a function; killed if it is still there at the end."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            function(*args)
            code = 0
        finally:
            os._exit(code)
    try:
        yield pid
    finally:
        try:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass


def ended(pid):
    """Wait for a child; its exit status."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def script(folder, text):
    """Run a program without a main guard."""
    path = folder / "program.py"
    path.write_text(text)
    return subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, timeout=50, check=False, env={**os.environ}
    )
