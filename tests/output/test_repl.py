"""A real interactive interpreter, at a terminal."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import elsewhere
from tests.faults.helpers import Ends, family

ROOT = Path(__file__).parents[2]
SRC = Path(elsewhere.__file__).parents[1]
SOON = 20.0
PROMPT = ">>> "


class Terminal:
    """An interpreter whose terminal we hold."""

    def __init__(self, *command):
        near, far = pty.openpty()
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{SRC}", "TERM": "dumb"}
        environment |= {"PYTHON_BASIC_REPL": "1", "PYTHONSTARTUP": "", "PYTHON_HISTORY": os.devnull}
        self.process = subprocess.Popen(
            [sys.executable, "-c", TAKE_TERMINAL, *command], stdin=far, stdout=far, stderr=far, env=environment
        )
        os.close(far)
        self.fd = near
        self._text = ""
        self.until(PROMPT)

    def until(self, end):
        """What it writes up to this."""
        deadline = time.monotonic() + SOON
        while end not in self._text:
            left = deadline - time.monotonic()
            assert left > 0, f"no {end!r} came after {self._text!r}"
            if select.select([self.fd], [], [], left)[0]:
                self._text += os.read(self.fd, 65536).decode()
        text, _, self._text = self._text.partition(end)
        return text.replace("\r\n", "\n")

    def type(self, text):
        os.write(self.fd, text.encode())

    def ask(self, line):
        """Type a line; what comes back before the next prompt, without the echo."""
        self.type(line + "\n")
        return self.until(PROMPT).partition("\n")[2].removesuffix("\n")

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.fd)


# Starts a session of its own, whose terminal is stdin, and becomes the program: as a login does.
TAKE_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture
def terminal():
    made = Terminal(sys.executable, "-i", "-q")
    yield made
    made.close()


def test_functions_and_classes_of_a_repl(terminal):
    ask = terminal.ask
    assert ask("import elsewhere") == ""
    terminal.type("def double(n):\n    print('doubling', n)\n    return n * factor\n\n")
    terminal.until(PROMPT)
    ask("factor = 2")
    assert ask("elsewhere.map(double, [1])").splitlines() == ["doubling 1", "[2]"]
    ask("factor = 3")
    assert ask("elsewhere.map(double, [1])").splitlines() == ["doubling 1", "[3]"]
    ask("pool = elsewhere.Pool(2)")
    assert ask("pool.submit(lambda: factor).result()") == "3"
    terminal.type("class P:\n    n = 5\n\n")
    terminal.until(PROMPT)
    assert ask("type(pool.apply(lambda: P())) is P") == "True"
    assert "breakpoint() has no terminal" in ask("pool.apply(breakpoint)")
    terminal.type("exit()\n")
    assert terminal.process.wait(SOON) == 0


def test_ctrl_c_at_the_terminal(terminal):
    ask = terminal.ask
    ask("import elsewhere, time")
    ask("pool = elsewhere.Pool(2)")
    terminal.type("def hang(n): print('hanging'); time.sleep(1000)\n\n")
    terminal.until(PROMPT)
    for call in ("pool.map(hang, [1])", "elsewhere.map(hang, [1])", "pool.submit(hang, 1).result()"):
        terminal.type(call + "\n")
        terminal.until("hanging\n".replace("\n", "\r\n"))
        terminal.type("\x03")
        text = terminal.until(PROMPT)
        assert text.count("Traceback") == 1
        assert text.endswith("KeyboardInterrupt\n")
    assert ask("pool.options(timeout=5).map(abs, [-1])") == "[1]"
    ask("pool.terminate()")
    terminal.type("exit()\n")
    assert terminal.process.wait(SOON) == 0


def test_a_terminal_that_hangs_up_leaves_nothing(terminal):
    """The window is closed: SIGHUP to the session."""
    terminal.ask("import elsewhere, time; pool = elsewhere.Pool(2)")
    terminal.ask("f = [pool.submit(lambda: (print('here'), time.sleep(1000))) for _ in range(2)]")
    members = family(terminal.process.pid)
    with Ends(*members) as ends:
        os.kill(terminal.process.pid, signal.SIGHUP)
        assert ends.within(SOON)
