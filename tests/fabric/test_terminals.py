"""Both dialects at a terminal: shells, and the passwords that are asked for there. And a host that starts anew."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fabric.beside import Bench, same
from tests.fabric.terminal import Terminal
from tests.fleet.sshd import Sshd, account
from tests.require import require

WORD = "right as rain"


@pytest.fixture(scope="module")
def login(fab_server: Sshd) -> Iterator[str]:
    """A user of this machine of whom sudo, and a login without a key, want a password."""
    require(program="sudo", install=".ci/peers ssh")
    if os.geteuid() != 0:
        pytest.skip("only root can make users, and say what they may: run the tests as root")
    name = f"ewfab{os.getpid()}"
    rules = Path(f"/etc/sudoers.d/elsewhere-fabric-{os.getpid()}-test")
    with account(name, fab_server):
        subprocess.run(["chpasswd"], input=f"{name}:{WORD}\n", text=True, check=True)
        new = rules.with_name(f"{rules.name}.new")  # sudo does not read names with a dot
        try:
            new.write_text(f"{name} ALL=(ALL:ALL) ALL\nDefaults:{name} timestamp_timeout=0, lecture=never\n")
            new.chmod(0o440)
            subprocess.run(["visudo", "-q", "-c", "-f", new], check=True)
            new.replace(rules)
            yield name
        finally:
            new.unlink(missing_ok=True)
            rules.unlink(missing_ok=True)


@pytest.fixture(params=[1, 3])
def bench(request: pytest.FixtureRequest, bench1: Bench, bench3: Bench) -> Bench:
    return bench1 if request.param == 1 else bench3


def _fab(bench: Bench, task: str, *options: str, user: str = "") -> Terminal:
    host = f"{user or bench.server.user}@{bench.server.hosts[0]}:{bench.server.port}"
    words = [
        *bench.ours,
        "-f",
        "terminals.py",
        "-H",
        host,
        *options,
        task if bench.dialect == 1 else task.replace("_", "-"),
    ]
    return Terminal(bench, words, {"FAB_LOGIN": user})


def test_a_shell(bench: Bench) -> None:
    with _fab(bench, "shells") as terminal:
        if bench.dialect == 1:
            terminal.expect(r"from-here\r\n")
        terminal.type("PS1=; echo $((6 * 7))=answer; tty | cut -c 1-5\n")
        terminal.expect(r"42=answer\r\n/dev/")
        terminal.type("exit 0\n")
        terminal.expect("shell is over" if bench.dialect == 1 else "exited 0")
        assert terminal.end() == 0
        assert terminal.modes() == terminal.before


def test_a_shell_that_reads_a_text(bench3: Bench) -> None:
    ran = bench3.run(bench3.ours, ["-f", "terminals.py", "-H", bench3.hosts[0], "shells-from-text"])
    assert (ran.status, ran.err) == (0, [""])
    assert ran.out[-2:] == ["True 3 None True", ""]


def test_a_shell_without_a_terminal_is_refused(bench: Bench) -> None:
    ran = bench.run(bench.ours, ["-f", "terminals.py", "-H", bench.hosts[0], "shells"])
    assert ran.status == 1
    assert any("is for who sits at a terminal" in line for line in ran.err)


def test_the_password_of_sudo_is_asked_for_once(bench: Bench, login: str) -> None:
    with _fab(bench, "sudo_asks", user=login) as terminal:
        terminal.expect(r"(?i)password[^\n]*: ")
        terminal.type(f"{WORD}\n")
        shown = terminal.expect("got root") + terminal.expect("again (\\[.*)?once more")
        assert WORD not in shown
        assert terminal.end() == 0
        assert terminal.modes() == terminal.before


@pytest.mark.parametrize("what", ["sudo", "login"])
def test_passwords_are_asked_for_first(bench: Bench, login: str, what: str) -> None:
    first = {
        (1, "sudo"): ["--initial-sudo-password-prompt"],
        (1, "login"): ["-I", "-k", "-a"],
        (3, "sudo"): ["--prompt-for-sudo-password"],
        (3, "login"): ["--prompt-for-login-password"],
    }[bench.dialect, what]
    with _fab(bench, f"{what}_asks", *first, user=login) as terminal:
        terminal.expect("(?i)password[^\n]*: ")
        terminal.type(f"{WORD}\n")
        shown = terminal.expect("got root" if what == "sudo" else f"got {login}")
        assert WORD not in shown
        assert terminal.end() == 0, terminal.seen


def test_the_password_of_a_login_is_asked_for_until_it_is_right(bench1: Bench, login: str) -> None:
    with _fab(bench1, "login_asks", "-k", "-a", user=login) as terminal:
        for word in ("wrong", WORD):
            terminal.expect(f"Login password for '{login}': ")
            terminal.type(f"{word}\n")
        terminal.expect(f"got {login}")
        assert terminal.end() == 0


def test_ctrl_c_at_a_question_ends_it(bench1: Bench, login: str) -> None:
    with _fab(bench1, "login_asks", "-k", "-a", user=login) as terminal:
        terminal.expect(f"Login password for '{login}': ")
        terminal.type("\x03")
        assert terminal.end() == 1
        assert terminal.modes() == terminal.before
        assert "Traceback" not in terminal.seen


@pytest.mark.parametrize("task", ["reboots", "reboots_wrongly"])
def test_a_host_that_starts_anew(bench1: Bench, task: str) -> None:
    original, ours = bench1.both("-f", "terminals.py", "-H", bench1.hosts[0], task)
    same(original, ours)
    assert ours.status == (0 if task == "reboots" else 1)
    assert ("there/rebooted" in ours.tree) == (task == "reboots")
