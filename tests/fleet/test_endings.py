"""Programs that use hosts and end, fork, or hang on: no traceback, nobody who hangs, nothing that is left running."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fleet.sshd import Sshd
from tests.fleet.test_link import becomes, gone

PATIENCE = 60.0
BEGIN = """
import atexit, os, sys, threading, time
from elsewhere.fleet import Host
name, port, key, known, path = sys.argv[1:]
host = Host(name, port=int(port), keys=(key,), known_hosts=(known,), config=(), agent=False)
"""
FORK = """
host.run("true")
pid = os.fork()
if pid == 0:
    {child}
    sys.exit(0)
print("child ended with", os.waitpid(pid, 0)[1])
print(host.run("echo parent").stdout.strip())
"""
UNDER_WAY = """
host.run_async(f"echo $$ > {path}; sleep 1000")
while not (os.path.exists(path) and os.path.getsize(path)):
    time.sleep(0.01)
"""
PROGRAMS = {
    "open": ('print(host.run("echo in").stdout.strip())', "in\n"),
    "opening": ('host.run_async("sleep 1000")', ""),
    "under way": (UNDER_WAY, ""),
    "tunnel": ('host.forward_local(0, 22).__enter__()\nprint("in")', "in\n"),
    "thread": (
        'host.connect()\nthreading.Thread(target=lambda: print(host.run("echo in").stdout.strip())).start()',
        "in\n",
    ),
    "at exit": ('host.run("true")\natexit.register(lambda: print(host.run("echo in").stdout.strip()))', "in\n"),
    "fork": (FORK.format(child="assert not host.is_connected"), "child ended with 0\nparent\n"),
    "fork that runs": (
        FORK.format(child='print(host.run("echo child").stdout.strip(), flush=True)'),
        "child\nchild ended with 0\nparent\n",
    ),
    "fork that closes": (FORK.format(child="host.close()"), "child ended with 0\nparent\n"),
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_it_ends(server: Sshd, tmp_path: Path, program: str) -> None:
    code, says = PROGRAMS[program]
    arguments = [server.hosts[0], server.port, server.key, server.known_hosts, tmp_path / "pid"]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BEGIN + code, *map(str, arguments)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert (done.stderr, done.returncode, done.stdout) == ("", 0, says)
    if program == "under way":
        becomes(lambda: gone(int((tmp_path / "pid").read_text())))
