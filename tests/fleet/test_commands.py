"""Commands on a real host: what they are given, what comes back, and that nothing is left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from elsewhere.errors import CallTimeout
from elsewhere.fleet import CommandError, Host
from tests.fleet.sshd import Sshd
from tests.fleet.test_link import becomes, gone, options


@pytest.fixture
def host(server: Sshd) -> Iterator[Host]:
    with Host(server.hosts[0], **options(server)) as found:
        yield found


def pid_in(path: Path) -> int:
    """The number that a command has written there."""
    becomes(lambda: path.exists() and path.read_text().endswith("\n"))
    return int(path.read_text())


HARD = '; \' newline\n$(id) `id` \\ "x"'


def test_what_it_is_given(host: Host, tmp_path: Path) -> None:
    assert host.run(["printf", "%s", HARD]).stdout == HARD
    assert host.run('printf %s "$VALUE"', env={"VALUE": HARD}).stdout == HARD
    assert host.run("pwd", cwd=str(tmp_path)).stdout == f"{tmp_path}\n"
    assert host.run("cat", input=HARD).stdout == HARD
    assert host.run("cat").stdout == ""
    assert host.run("wc -c", input=b"x" * 5_000_000).stdout.strip() == "5000000"
    assert len(host.run("head -c 20000000 /dev/zero", encoding=None).stdout) == 20_000_000


def test_what_comes_back(host: Host) -> None:
    result = host.run("echo out; echo err >&2; exit 7", check=False)
    assert (result.returncode, result.stdout, result.stderr, result.ok) == (7, "out\n", "err\n", False)
    assert host.run("printf '\\377'").stdout == "\udcff"
    killed = host.run("kill -KILL $$", check=False)
    assert (killed.returncode, killed.signal) == (-signal.SIGKILL, "KILL")
    with pytest.raises(CommandError, match="was ended by SIGTERM"):
        host.run("kill -TERM $$")
    assert host.run("tty; echo err >&2", pty=True).stdout.splitlines()[0].startswith("/dev/")


def test_a_terminal_is_the_same_with_variables_and_without(host):
    same = [host.run("stty -a; echo end", pty=True, env=env).stdout for env in ({}, {"X": "1"})]
    assert same[0] == same[1]
    assert same[0].startswith("speed")


def test_secrets_stand_in_no_command_line(host: Host, tmp_path: Path) -> None:
    secret = "hush-" + os.urandom(8).hex()
    future = host.run_async(
        f"echo $$ > {tmp_path}/pid; read -r x; sleep 1000", env={"TOKEN": secret}, input=f"{secret}\n{secret}"
    )
    pid_in(tmp_path / "pid")
    shown = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert f"{tmp_path}/pid" not in shown or secret not in shown
    assert secret not in shown
    future.cancel()


@pytest.mark.parametrize("trap", ["", "trap '' TERM HUP; "])
def test_a_timeout_leaves_nothing_running(host: Host, tmp_path: Path, trap: str) -> None:
    with pytest.raises(CallTimeout, match=r"did not end within its timeout of 0\.5 s, and was ended"):
        host.run(f"{trap}sleep 1000 & echo $! > {tmp_path}/pid; sleep 1000", timeout=0.5)
    if (tmp_path / "pid").exists():  # on a busy machine it may not have begun
        becomes(lambda: gone(pid_in(tmp_path / "pid")))
    assert host.run("echo well").stdout == "well\n"


def test_cancelling_leaves_nothing_running(host: Host, tmp_path: Path) -> None:
    future = host.run_async(f"echo $$ > {tmp_path}/pid; sleep 1000")
    pid = pid_in(tmp_path / "pid")
    assert future.cancel()
    becomes(lambda: gone(pid))


def test_ctrl_c_leaves_nothing_running(host: Host, tmp_path: Path) -> None:
    def interrupt() -> None:
        pid_in(tmp_path / "pid")
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        thread = threading.Thread(target=interrupt)
        thread.start()
        host.run(f"echo $$ > {tmp_path}/pid; sleep 1000")
    thread.join()
    assert gone(pid_in(tmp_path / "pid"))


PROGRAM = """
import sys
from elsewhere.fleet import Host
name, port, key, known, path = sys.argv[1:]
host = Host(name, port=int(port), keys=(key,), known_hosts=(known,), config=(), agent=False)
host.run(f"echo $$ > {path}; sleep 1000")
"""


def test_killing_the_program_leaves_nothing_running(server: Sshd, tmp_path: Path) -> None:
    arguments: list[Any] = [server.hosts[0], server.port, server.key, server.known_hosts, tmp_path / "pid"]
    program = subprocess.Popen([sys.executable, "-c", PROGRAM, *map(str, arguments)])
    try:
        pid = pid_in(tmp_path / "pid")
    finally:
        program.kill()
        program.wait()
    becomes(lambda: gone(pid))


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"timeout": 0}, ValueError, "more than 0 seconds"),
        ({"timeout": "1"}, TypeError, "a number of seconds"),
        ({"env": {"A-B": "1"}}, ValueError, "no name of an environment variable"),
        ({"env": {"A": 1}}, TypeError, "the variable A is a str"),
        ({"input": 7}, TypeError, "input is a str or bytes"),
        ({"encoding": "klingon"}, ValueError, "no encoding"),
        ({"cwd": ""}, ValueError, "not an empty text"),
        ({"nonsense": 1}, TypeError, "nonsense"),
    ],
)
def test_what_is_wrong_is_said_before_anybody_connects(
    arguments: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        Host("nobody.invalid", config=()).run("true", **arguments)
