"""Ways to make calls, and ways to wait: for a line from a worker, for the end of a process, for a script's output."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import elsewhere
from tests.runtime.launch.helpers import Ends

__all__ = ["WAYS", "Ends", "Post", "Script", "errors_in", "family", "script", "server_pid", "until", "workers"]

ROOT = Path(__file__).parents[2]
SRC = Path(elsewhere.__file__).parents[1]  # the one that is tested
SOON = 30.0  # seconds: far more than anything here takes, far less than a hang


class Post:
    """A FIFO into which workers write lines."""

    def __init__(self, path):
        os.mkfifo(path)
        self.path = str(path)
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)  # for writing too: so there is no end of file
        self._data = b""

    def line(self, seconds=SOON):
        """The next line; fails if it does not come."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self._data:
            left = deadline - time.monotonic()
            assert left > 0, f"no line came within {seconds} s"
            if select.select([self._fd], [], [], left)[0]:
                self._data += os.read(self._fd, 65536)
        line, _, self._data = self._data.partition(b"\n")
        return line.decode()

    def pid(self):
        return int(self.line())

    def rest(self):
        """The lines that are there."""
        with suppress(BlockingIOError):
            while True:
                self._data += os.read(self._fd, 65536)
        lines, self._data = self._data.decode().splitlines(), b""
        return lines

    def close(self):
        os.close(self._fd)


def until(condition, seconds=SOON):
    """Wait for what only a look can tell; fails if it does not become true."""
    deadline = time.monotonic() + seconds
    tick = select.poll()
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not become true"
        tick.poll(2)
    return found


# ---- the ways to make calls: each gives the outcomes, values and exceptions, in any order ----------------------------


def by_submit(pool, fn, inputs):
    return [_outcome(future.result, SOON) for future in [pool.submit(fn, value) for value in inputs]]


def by_map(pool, fn, inputs):
    return pool.map(fn, inputs, return_exceptions=True)


def by_imap(pool, fn, inputs):
    return list(_all(pool.imap(fn, inputs)))


def by_imap_unordered(pool, fn, inputs):
    return list(_all(pool.imap_unordered(fn, inputs)))


def by_await(pool, fn, inputs):
    async def gather():
        return await asyncio.gather(*[pool.submit(fn, value) for value in inputs], return_exceptions=True)

    return asyncio.run(gather())


WAYS = [by_submit, by_map, by_imap, by_imap_unordered, by_await]


def _outcome(get, *arguments):
    try:
        return get(*arguments)
    except BaseException as error:
        return error


def _all(results):
    while True:
        try:
            yield results.next(SOON)
        except StopIteration:
            return
        except BaseException as error:
            yield error


def errors_in(outcomes):
    return [outcome for outcome in outcomes if isinstance(outcome, BaseException)]


def workers(pool):
    """The pids of its workers."""
    return set(pool._driver.workers())


def server_pid(pool):
    """Its fork server's."""
    return pool._driver._launcher._server.pid


# ---- whole programs --------------------------------------------------------------------------------------------------


def family(pid):
    """The pids of all descendants."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with suppress(OSError):
                stat = Path(f"/proc/{name}/stat").read_text()
                parents[int(name)] = int(stat.rpartition(")")[2].split()[1])
    found, front = [], [pid]
    while front:
        front = [child for child, parent in parents.items() if parent in front]
        found += front
    return found


class Script:
    """A program that runs; what it writes to stderr is in `errors()` when it has ended."""

    def __init__(self, process, temp, stderr):
        self.process = process
        self.pid = process.pid
        self.temp = temp
        self._stderr = stderr

    def line(self, seconds=SOON):
        """The next line that it prints."""
        assert select.select([self.process.stdout], [], [], seconds)[0], f"no line came:\n{self.errors()}"
        line = self.process.stdout.readline().decode()
        assert line, f"it ended:\n{self.errors()}"
        return line.rstrip("\n")

    def interrupt(self):
        """Ctrl-C, as a terminal does it: to the whole process group."""
        os.killpg(self.pid, signal.SIGINT)

    def end(self, seconds=SOON):
        """Wait for its end; the exit code."""
        return self.process.wait(seconds)

    def errors(self):
        return self._stderr.read_text()

    @property
    def left(self):
        """What is in its folder of temporary files."""
        return os.listdir(self.temp)


@contextmanager
def script(folder, text, *arguments, command=(sys.executable,), **environment) -> Iterator[Script]:
    """Run a program from a file, in a process group and with a folder of temporary files of its own."""
    folder = Path(folder)
    (folder / "temp").mkdir()
    (folder / "script.py").write_text(text)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(SRC)]),
        "TMPDIR": str(folder / "temp"),
        **environment,
    }
    errors = folder / "stderr"
    with (
        errors.open("wb") as stderr,
        subprocess.Popen(
            [*command, str(folder / "script.py"), *map(str, arguments)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            process_group=0,
            bufsize=0,
        ) as process,
    ):
        try:
            yield Script(process, folder / "temp", errors)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
