"""What sudo may say to a command: each case has one outcome, and none hangs."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from elsewhere.errors import NeverStarted, Unauthorized
from elsewhere.fleet import CommandError
from tests.fleet.sudo.conftest import RIGHT, On, running
from tests.fleet.test_link import becomes

pytestmark = pytest.mark.bound(60)
COMMAND = "id -un; echo err >&2"
LATE: dict[str, Any] = {"timeout": 30}  # a hang is a failure that says so

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("asks", {}, "sudo asks for a password, and none is known: password=, sudo_password_file= or the variable ELSE"),
    ("asks", {"pty": True}, "sudo asks for a password, and none is known"),
    ("asks", {"password": "wrong", "pty": True}, "does not take the password"),
    ("once", {"password": "wrong"}, "does not take the password"),
    ("ttyasks", {}, "sudo asks for a password, and none is known"),
    ("two", {"password": RIGHT}, "sudo asks for more than the password of password=, which was sent once"),
    ("little", {}, "sudo asks for a password, and none is known|does not allow"),
    ("none", {}, "sudo asks for a password, and none is known|does not allow"),
    ("none", {"password": RIGHT}, "sudo does not allow ew.*-none to run /bin/sh as root"),
    ("free", {"user": "ew-nobody-here"}, "knows no such user or group: .*ew-nobody-here"),
    ("free", {"group": "ew-nobody-here"}, "knows no such user or group: .*ew-nobody-here"),
    ("asks", {"user": "ew-nobody-here", "password": RIGHT}, "knows no such user or group"),
]


@pytest.mark.parametrize(("login", "how", "says"), REFUSED)
def test_who_is_refused_is_told_why(
    on: On, monkeypatch: pytest.MonkeyPatch, login: str, how: dict[str, Any], says: str
) -> None:
    nonce = secrets.token_hex(8)
    monkeypatch.setattr(secrets, "token_hex", lambda _size: nonce)
    with pytest.raises(Unauthorized, match=says) as caught:
        on(login).sudo("touch /never-to-be; echo ran", **LATE, **how)
    assert isinstance(caught.value, NeverStarted)
    assert isinstance(caught.value, PermissionError)
    assert RIGHT not in str(caught.value)
    assert "wrong" not in str(caught.value)
    becomes(lambda: not running(nonce))  # nor does a sudo wait for another try


@pytest.mark.parametrize(
    ("login", "how"),
    [
        ("free", {}),
        ("free", {"password": "unused"}),
        ("plain", {}),
        ("asks", {"password": RIGHT}),
        ("asks", {"password": lambda: RIGHT}),
    ],
)
def test_who_may_runs_it(on: On, login: str, how: dict[str, Any]) -> None:
    host = on(login)
    for _ in range(2):  # without a memory of sudo's, too
        result = host.sudo(COMMAND, **LATE, **how)
        assert (result.stdout, result.stderr, result.returncode) == ("root\n", "err\n", 0)


def test_what_sudo_remembers_is_not_sent_again(on: On) -> None:
    host = on("once")
    assert host.sudo(COMMAND, password=RIGHT, **LATE).stdout == "root\n"
    assert host.sudo(COMMAND, password="wrong", **LATE).stdout == "root\n"
    assert host.sudo(COMMAND, **LATE).stdout == "root\n"
    host.run("sudo -K")
    with pytest.raises(Unauthorized, match="none is known"):
        host.sudo(COMMAND, **LATE)


@pytest.mark.parametrize(("login", "how"), [("tty", {}), ("ttyasks", {"password": RIGHT})])
def test_sudo_that_wants_a_terminal_has_one(on: On, login: str, how: dict[str, Any]) -> None:
    host = on(login)
    assert sorted(host.sudo(COMMAND, **LATE, **how).stdout.split()) == ["err", "root"]
    data = bytes(range(256)) * 300
    assert host.sudo("cat", input=data, encoding=None, **LATE, **how).stdout == data
    with pytest.raises(CommandError, match="exit status 1"):
        host.sudo("exit 1", **LATE, **how)


@pytest.mark.parametrize(("login", "how"), [("free", {}), ("plain", {}), ("tty", {}), ("asks", {"password": RIGHT})])
def test_a_command_with_a_terminal(on: On, login: str, how: dict[str, Any]) -> None:
    value = "\x03\x04\x11" * 3000  # what a terminal as usual would hear as signals, and longer than its lines
    result = on(login).sudo(
        "tty; stty -a; id -un; echo ${#VALUE}; read -r x; echo got $x; exit 1",
        pty=True, input="word\n", env={"VALUE": value}, check=False, **LATE, **how,
    )  # fmt: skip
    lines = result.stdout.splitlines()
    assert any(line.startswith("/dev/") for line in lines)
    assert "got word" in lines
    assert "9000" in lines
    assert "root" in lines
    assert " icanon" in result.stdout
    assert " echo " in result.stdout
    assert result.returncode == 1


def test_as_whom(on: On) -> None:
    host = on("free")
    assert host.sudo("id -un; id -gn", user="nobody", **LATE).stdout == "nobody\nnogroup\n"
    assert host.sudo("id -un; id -gn", user="nobody", group="daemon", **LATE).stdout == "nobody\ndaemon\n"
    assert host.sudo("id -u", user="#1", **LATE).stdout == "1\n"
    assert host.sudo("id -un; id -gn", group="daemon", **LATE).stdout.endswith("daemon\n")
