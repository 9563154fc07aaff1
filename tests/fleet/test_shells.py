"""Whatever the login shell is: the same results. Accounts with sh, bash, csh and fish on a real host."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from elsewhere.errors import CallTimeout
from elsewhere.fleet import CommandError, Host
from elsewhere.fleet.commands.prepare import prepare
from elsewhere.fleet.commands.run import run
from elsewhere.fleet.engine import engine
from tests.fleet import work
from tests.fleet.sshd import Sshd, account, sshd
from tests.fleet.test_link import becomes, gone, options
from tests.require import require

NAMES = ("sh", "bash", "tcsh", "fish", "zsh")
SHELLS = {name: path for name in NAMES if (path := shutil.which(name))}
HARD = '; \' newline\n$(id) `id` \\ "x" !y'


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A host with an account for each shell, ``ewshell-sh`` and so on."""
    with ExitStack() as stack:
        server = stack.enter_context(sshd(tmp_path_factory.mktemp("shells"), ["127.11.1.1"]))
        if os.geteuid() == 0:
            for name, path in SHELLS.items():
                stack.enter_context(account(f"ewshell-{name}", server, shell=path))
        yield server


@pytest.fixture(params=NAMES)
def host(home: Sshd, request: pytest.FixtureRequest) -> Iterator[Host]:
    if os.geteuid() != 0:
        pytest.skip("only root can make accounts: run the tests as root")
    require(program=request.param, install=f"apt-get install {request.param}")
    with Host(f"ewshell-{request.param}@{home.hosts[0]}", **options(home)) as found:
        yield found


def test_a_function(host: Host) -> None:
    assert host.call(work.echo, HARD) == HARD
    assert host.call(os.getpid) == host.call(os.getpid)


def test_all_that_can_be_said(host: Host) -> None:
    for _ in range(2):  # the first time nobody knows the shell
        assert host.run("echo $SHELL; exit 3", check=False).returncode == 3
        assert host.run(["printf", "%s", HARD]).stdout == HARD
        assert host.run(["printenv", "n"], env={"n": HARD, "c": "x"}).stdout == f"{HARD}\n"
        assert host.run("cat", input=HARD).stdout == HARD
        assert host.run("cat").stdout == ""
        assert host.run("pwd", cwd="/usr/lib").stdout == "/usr/lib\n"
        with host.cd("/usr"), host.env(DEEP="1"), host.prefix("true"):
            assert host.run(["sh", "-c", "pwd; echo $DEEP"], cwd="lib").stdout == "/usr/lib\n1\n"
            assert host.run("pwd && printenv DEEP").stdout == "/usr\n1\n"
        with host.prefix("false"), pytest.raises(CommandError):
            host.run("echo ran")
        tty = host.run("tty; printenv X", pty=True, env={"X": "a" * 6000}).stdout.splitlines()
        assert tty[0].startswith("/dev/")
        assert tty[1] == "a" * 6000
        host.close()


def test_what_a_shell_says_of_words_that_are_not_its_own_is_not_shown(host: Host) -> None:
    seen: list[tuple[str, bytes]] = []
    command = prepare("echo out; sh -c 'echo err >&2'")
    result = engine().call(lambda: run(host, command, lambda name, data: seen.append((name, data))))
    assert (result.stdout, result.stderr) == ("out\n", "err\n")
    assert sorted(seen) == [("stderr", b"err\n"), ("stdout", b"out\n")]


def test_nothing_is_left_of_it(host: Host, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    with pytest.raises(CallTimeout):
        host.run(["sh", "-c", f"echo $$ > {tmp_path}/pid; sleep 1000"], timeout=0.7)
    path = tmp_path / "pid"
    if path.exists() and path.read_text():  # on a busy machine it may not have begun
        becomes(lambda: gone(int(path.read_text())))


def test_signals_and_long_commands(host: Host) -> None:
    killed = host.run("sh -c 'kill -KILL $PPID'; sleep 5", check=False)
    assert (killed.returncode, killed.signal) == (-signal.SIGKILL, "KILL")
    long = "x" * 100_000
    assert host.run(["printf", "%s", long]).stdout == long
