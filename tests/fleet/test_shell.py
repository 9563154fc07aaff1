"""A shell at a terminal: a program whose terminal is ours, on a real host."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from typing import Any

import pytest

from elsewhere.fleet import Host
from tests.fleet.sshd import Sshd

PATIENCE = 30.0
PROGRAM = """
import os, signal, sys, threading
from elsewhere.fleet import Host
name, port, key, known, way = sys.argv[1:]
host = Host(name, port=int(port), keys=(key,), known_hosts=(known,), config=(), agent=False)
try:
    if way == "thread":
        thread = threading.Thread(target=lambda: print("result", host.shell("sh").returncode, flush=True))
        thread.start()
        thread.join()
    else:
        print("result", host.shell("exec sh").returncode, flush=True)
except BaseException as error:
    print("error", type(error).__name__, flush=True)
sys.stdin.readline()
host.close()
print("typed", flush=True)
"""


class Terminal:
    """One with a program at it."""

    def __init__(self, arguments: list[str]) -> None:
        self.ours, theirs = pty.openpty()
        self.before = termios.tcgetattr(theirs)
        self.resize(30, 100)
        self.program = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - the terminal that it controls
        )
        self._theirs = theirs
        self.seen = b""

    def modes(self) -> Any:
        return termios.tcgetattr(self._theirs)

    def resize(self, lines: int, columns: int) -> None:
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self.ours, text.encode())

    def expect(self, pattern: str) -> re.Match[bytes]:
        """Wait until this was written; what was seen is forgotten."""
        end = time.monotonic() + PATIENCE
        while not (found := re.search(pattern.encode(), self.seen)):
            assert select.select([self.ours], [], [], max(0, end - time.monotonic()))[0], self.seen
            with contextlib.suppress(OSError):
                self.seen += os.read(self.ours, 65536)
        self.seen = self.seen[found.end() :]
        return found

    def close(self) -> None:
        self.program.kill()
        self.program.wait()
        os.close(self.ours)
        os.close(self._theirs)


@pytest.fixture(params=["main", "thread"])
def terminal(server: Sshd, request: pytest.FixtureRequest) -> Iterator[Terminal]:
    arguments: list[Any] = [server.hosts[0], server.port, server.key, server.known_hosts, request.param]
    found = Terminal([str(argument) for argument in arguments])
    try:
        yield found
    finally:
        found.close()


def test_all_of_it(terminal: Terminal) -> None:
    terminal.type("PS1=; echo o''ne; stty size\n")
    terminal.expect(r"one\r\n30 100\r\n")
    assert terminal.modes()[3] & termios.ICANON == 0
    if terminal.program.args[-1] == "main":  # type: ignore[index]  # a list
        terminal.resize(40, 120)
        terminal.type("until [ \"$(stty size)\" = '40 120' ]; do sleep 0.05; done; echo re''sized\n")
        terminal.expect(r"resized\r\n")
    terminal.type("echo t''wo; sleep 1000\n")
    terminal.expect(r"two\r\n")
    terminal.type("\x03")  # Ctrl-C ends the far sleep, not our program
    terminal.type("head -c 1000000 /dev/zero | tr '\\0' x; echo; echo e''nd\n")
    terminal.expect(r"x{1000000}\r*\r\nend\r\n")
    terminal.type("exit 7\n")
    terminal.expect(r"result 7\r\n")
    assert terminal.modes() == terminal.before
    terminal.type("well\n")
    terminal.expect(r"typed\r\n")
    assert terminal.program.wait(PATIENCE) == 0


def test_the_terminal_is_what_it_was_after_an_interrupt(server: Sshd) -> None:
    terminal = Terminal([server.hosts[0], str(server.port), str(server.key), str(server.known_hosts), "main"])
    try:
        terminal.type("echo o''ne\n")
        terminal.expect(r"one\r\n")
        terminal.program.send_signal(signal.SIGINT)
        terminal.expect(r"error KeyboardInterrupt\r\n")
        assert terminal.modes() == terminal.before
        terminal.type("well\n")
        terminal.expect(r"typed\r\n")
    finally:
        terminal.close()


def test_it_needs_a_terminal() -> None:
    with pytest.raises(OSError, match="this is none"):
        Host("nobody.invalid", config=()).shell()
