"""Programs that call functions on hosts and end, one way or the other: nobody hangs, and nothing is left there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fleet.sshd import Sshd
from tests.fleet.test_link import becomes, gone

PATIENCE = 60.0
# No guard, and functions of the script itself: what a user writes first.
BEGIN = """
import atexit, os, signal, sys, threading, time
from elsewhere import Fleet, Host, Pool
name, port, key, known, path = sys.argv[1:]
reach = dict(port=int(port), keys=(key,), known_hosts=(known,), config=(), agent=False)
host = Host(name, **reach)
offset = 5

class Pair:
    def __init__(self, a, b):
        self.a, self.b = a, b

def add(number):
    return Pair(number, number + offset)

def stays(path):
    with open(path + ".new", "w") as file:
        file.write(str(os.getpid()))
    os.rename(path + ".new", path)
    time.sleep(1000)

def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.01)
"""
INTERRUPT = """
threading.Thread(target=lambda: (wait_for(path), os.kill(os.getpid(), signal.SIGINT))).start()
try:
    host.call(stays, path)
except KeyboardInterrupt:
    print('interrupted')
print(host.call(add, 1).b)
"""
PROGRAMS = {
    "left open": ("print(host.call(add, 1).b, type(host.call(add, 1)) is Pair)", "6 True\n"),
    "pool": (
        "with Pool(2, where=Fleet(name, **reach)) as pool:\n    print([pair.b for pair in pool.map(add, range(3))])",
        "[5, 6, 7]\n",
    ),
    "pool left open": ("pool = Pool(1, where=host)\nprint(pool.submit(add, 1).result().b)", "6\n"),
    "never used": ("pool = Pool(1, where=host)", ""),
    "closed": ("print(host.call(add, 1).b)\nhost.close()\nhost.close()", "6\n"),
    "forgotten": ("print(host.call(add, 1).b)\ndel host\nimport gc\ngc.collect()", "6\n"),
    "thread": ("host.call(add, 0)\nthreading.Thread(target=lambda: print(host.call(add, 1).b)).start()", "6\n"),
    "at exit": ("host.call(add, 1)\natexit.register(lambda: print(host.call(add, 2).b))", "7\n"),
    "interrupt": (INTERRUPT, "interrupted\n6\n"),
}


def program(server: Sshd, tmp_path: Path, code: str) -> list[str]:
    arguments = [server.hosts[0], server.port, server.key, server.known_hosts, tmp_path / "pid"]
    (tmp_path / "program.py").write_text(BEGIN + code + "\n")
    return [sys.executable, "-W", "error", str(tmp_path / "program.py"), *map(str, arguments)]


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_ends(server: Sshd, tmp_path: Path, name: str) -> None:
    code, says = PROGRAMS[name]
    words = program(server, tmp_path, code)
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, says, "")


UNDER_WAY = {
    "call": "host.call(stays, path)",
    "pool": "pool = Pool(2, where=host)\npool.submit(stays, path).result()",
}


@pytest.mark.parametrize("name", UNDER_WAY)
def test_what_runs_ends_with_a_caller_that_is_killed(server: Sshd, tmp_path: Path, name: str) -> None:
    with subprocess.Popen(program(server, tmp_path, UNDER_WAY[name]), stdin=subprocess.DEVNULL) as caller:
        becomes((tmp_path / "pid").exists)
        there = int((tmp_path / "pid").read_text())
        caller.send_signal(signal.SIGKILL)
    becomes(lambda: gone(there))


def test_an_interrupt_ends_the_program_and_the_call(server: Sshd, tmp_path: Path) -> None:
    words = program(server, tmp_path, "host.call(stays, path)")
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as caller:
        becomes((tmp_path / "pid").exists)
        there = int((tmp_path / "pid").read_text())
        os.kill(caller.pid, signal.SIGINT)
        assert caller.stderr is not None
        assert "KeyboardInterrupt" in caller.stderr.read()
    assert caller.returncode == -signal.SIGINT
    becomes(lambda: gone(there))
