"""``--sudo``: the password comes from a file, the environment or the terminal, once for all hosts."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.helpers import command, environment
from tests.cli.hosts.helpers import Here, Home, Terminal
from tests.fleet.sudo.conftest import RIGHT


@pytest.fixture
def user(asked: str, home: Home) -> str:
    """Who logs in; the hosts' files say otherwise."""
    config = home.path / ".ssh" / "config"
    config.write_text(config.read_text().replace(f"User {home.server.user}", f"User {asked}"))
    return asked


def secret(home: Home, text: str) -> str:
    path = home.work / "secret"
    path.write_text(f"{text}\n")
    path.chmod(0o600)
    return str(path)


def test_the_password_of_the_environment(home: Home, user: str) -> None:
    done = home.shell("run", "-H", "web1", "--sudo", "--", "id -un; exit 3", ELSEWHERE_SUDO_PASSWORD=RIGHT)
    assert (done.returncode, done.stdout, done.stderr) == (3, "root\n", "")


def test_the_password_of_a_file(home: Home, here: Here, user: str) -> None:
    path = secret(home, RIGHT)
    done = here("run", "-q", "-H", "web[1-2]", "--sudo-user", "nobody", "--sudo-password-file", path, "id", "-un")
    assert (done.returncode, sorted(done.stdout.splitlines())) == (0, ["[web1] nobody", "[web2] nobody"])


def test_a_wrong_password_is_sent_once(home: Home, here: Here, user: str) -> None:
    path = secret(home, RIGHT[::-1])
    done = here("run", "-q", "-H", "web[1-3]", "--sudo", "--sudo-password-file", path, "--", "id")
    assert (done.returncode, done.stdout) == (1, "")
    assert "failed on 3 of 3 hosts" in done.stderr
    assert RIGHT[::-1] not in done.stderr


def test_no_password(home: Home, user: str) -> None:
    # In a session of its own there is no terminal to ask at.
    done = subprocess.run(
        command("run", "-H", "web1", "--sudo", "--", "id"), start_new_session=True, stdin=subprocess.DEVNULL,
        cwd=home.work, env=environment(**home.variables), capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (255, "", 1)
    assert "none is known: --sudo-password-file or the variable ELSEWHERE_SUDO_PASSWORD gives one" in done.stderr


def test_a_file_that_others_can_read(home: Home, here: Here, user: str) -> None:
    path = secret(home, RIGHT)
    Path(path).chmod(0o644)
    done = here("run", "-H", "web1", "--sudo", "--sudo-password-file", path, "--", "id")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "others may read or write it" in done.stderr


def test_it_is_asked_for_once_at_the_terminal(home: Home, user: str) -> None:
    with Terminal(home, "run", "-q", "-H", "web[1-3]", "--sudo", "--", "id", "-un") as terminal:
        terminal.until(b"Password for sudo on ")
        os.write(terminal.fd, RIGHT.encode() + b"\n")
        assert terminal.end() == 0
        assert terminal.seen.count(b"Password for sudo") == 1
        assert terminal.seen.count(b"root\r\n") == 3
        assert RIGHT.encode() not in terminal.seen


def test_ctrl_c_while_it_is_asked_for(home: Home, user: str) -> None:
    with Terminal(home, "run", "-q", "-H", "web[1-2]", "--sudo", "--", "id") as terminal:
        terminal.until(b"Password for sudo on ")
        os.write(terminal.fd, b"\x03")
        assert terminal.end() == 130


def test_copies(home: Home, user: str) -> None:
    (home.work / "motd").write_text("hello\n")
    place = home.work / "roots"
    place.mkdir(mode=0o700)
    home.path.chmod(0o755)
    more = ("--sudo", "--sudo-password-file", secret(home, RIGHT))
    done = home.shell("put", "-q", "-H", "web1", *more, "--mode", "600", "motd", f"{place}/")
    assert (done.returncode, done.stderr) == (0, "")
    status = (place / "motd").stat()
    assert (status.st_uid, status.st_mode & 0o777) == (0, 0o600)
    done = home.shell("get", "-H", "web1", *more, f"{place}/motd", "-")
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello\n", "")
    refused = home.shell("get", "-q", "-H", "web1", f"{place}/motd", "-")
    assert refused.returncode == 1
