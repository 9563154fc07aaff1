"""Workers that answer questions, and waiting for the thing itself: an event, or the end of a process."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from elsewhere.runtime.launch import Launcher, servers

METHODS = ("forkserver", "spawn", "fork")
ROOT = Path(__file__).parents[3]
ENTRY = "tests.runtime.launch.helpers:answer"


def answer(fds, inherited):
    """The entry: each line is an expression, each reply its value as JSON. Ends when the caller hangs up."""
    names = {"fds": fds, "inherited": inherited, "os": os, "signal": signal, "sys": sys, "socket": socket}
    with socket.socket(fileno=fds[0]) as sock, sock.makefile("rw") as lines:
        while line := lines.readline():
            lines.write(json.dumps(eval(line, names)) + "\n")
            lines.flush()


class Lab:
    """A Launcher, its events, and a line to each worker."""

    def __init__(self, method="forkserver", preload=(), inherited=None):
        self.launcher = Launcher(method, preload, inherited, entry=ENTRY)
        self.events = []
        self.lines = {}

    def start(self, *keys):
        for key in keys:
            near, far = socket.socketpair()
            self.launcher.start(key, [far.fileno()])
            far.close()
            near.settimeout(30)
            self.lines[key] = near

    def ask(self, key, question):
        self.tell(key, question)
        data = b""
        while not data.endswith(b"\n"):
            more = self.lines[key].recv(65536)
            assert more, f"the worker ended after {data!r}"
            data += more
        return json.loads(data)

    def tell(self, key, question):
        self.lines[key].sendall(question.encode() + b"\n")

    def hang_up(self, key):
        self.lines.pop(key).close()

    def wait(self, kind, count=1, seconds=30.0):
        """The first so many events of this kind, from the beginning."""
        deadline = time.monotonic() + seconds
        while len(found := [event for event in self.events if type(event).__name__ == kind]) < count:
            left = deadline - time.monotonic()
            assert left > 0, f"waited for {count} {kind}, got {self.events}, {self.launcher.warnings}"
            poll = select.poll()
            poll.register(self.launcher, select.POLLIN)
            poll.poll(left * 1000)
            self.events += self.launcher.read()
        return found

    def pid(self, key):
        return next(event.pid for event in self.wait("Started", len(self.lines)) if event.key == key)

    @property
    def server(self):
        return self.launcher._server.pid

    def close(self):
        self.launcher.close()
        for line in self.lines.values():
            line.close()


@contextmanager
def lab(*args, **kwargs) -> Iterator[Lab]:
    made = Lab(*args, **kwargs)
    try:
        yield made
    finally:
        with suppress(ProcessLookupError):
            os.kill(made.server, signal.SIGCONT)
        made.close()


class Ends:
    """Sees processes end, by pidfds that are opened while they live."""

    def __init__(self, *pids):
        self.fds = {os.pidfd_open(pid): pid for pid in pids}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for fd in self.fds:
            os.close(fd)

    def alive(self):
        return {pid for fd, pid in self.fds.items() if not select.select([fd], [], [], 0)[0]}

    def within(self, seconds):
        """Whether all end in that time."""
        deadline = time.monotonic() + seconds
        for fd in self.fds:
            select.select([fd], [], [], max(0.0, deadline - time.monotonic()))
        return not self.alive()


def links(pid):
    """What the process has open: descriptor → target."""
    found = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        with suppress(FileNotFoundError):  # the one that lists
            found[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
    return found


def is_running(pid):
    """Neither gone nor a zombie."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


@contextmanager
def caller(script, *arguments, **options):
    """A process with a group of its own that runs the script; its first line of output is JSON."""
    command = [sys.executable, "-c", "from tests.runtime.launch.helpers import *\n" + script, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, process_group=0, **options
    ) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def fresh():
    """No server is left from another test."""
    servers.shutdown_shared()
