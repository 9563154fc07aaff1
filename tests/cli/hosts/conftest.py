from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from elsewhere.cli.group import run
from elsewhere.fleet import engine
from elsewhere.fleet.naming import password
from tests.cli.hosts.helpers import Here, Home
from tests.fleet.sshd import Sshd, account, sshd
from tests.fleet.sudo.conftest import RIGHT, _sudoers
from tests.require import require
from tests.rpc.conftest import uvloop_has_its_pipe

__all__ = ["asked", "here", "home", "hosts_sshd", "no_password_is_known", "uvloop_has_its_pipe"]


@pytest.fixture(scope="session")
def hosts_sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A real sshd with four hosts for the whole session."""
    folder: Path = tmp_path_factory.mktemp("sshd")
    with sshd(folder, [f"127.15.0.{n}" for n in range(1, 5)]) as found:
        yield found


@pytest.fixture
def home(hosts_sshd: Sshd, tmp_path: Path) -> Home:
    """A home that knows them as web1 to web4; none5 is refused, and strange1 shows a key that is not known."""
    return Home.make(tmp_path / "home", hosts_sshd)


@pytest.fixture
def here(home: Home, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Here]:
    """The command in this process, for what needs none of its own: half of a second less each time."""
    monkeypatch.setenv("HOME", str(home.path))
    monkeypatch.chdir(home.work)

    def call(*args: str) -> subprocess.CompletedProcess[str]:
        code = run(args)
        out, err = capfd.readouterr()
        return subprocess.CompletedProcess(args, code, out, err)

    yield call
    found, engine._engine = engine._engine, None
    if found is not None:
        found.end()


@pytest.fixture(autouse=True)
def no_password_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(password.VARIABLE, raising=False)
    password._kept.clear()


@pytest.fixture(scope="session")
def asked(hosts_sshd: Sshd) -> Iterator[str]:
    """A user whom sudo asks for a password each time."""
    require(program="sudo", install="apt-get install sudo")
    if os.geteuid() != 0:
        pytest.skip("only root can make users, and say what they may: run the tests as root")
    name = f"ewshell{os.getpid()}"
    rules = Path(f"/etc/sudoers.d/elsewhere-shell-{os.getpid()}-test")
    with account(name, hosts_sshd):
        subprocess.run(["chpasswd"], input=f"{name}:{RIGHT}\n", text=True, check=True)
        try:
            _sudoers(rules, f"{name} ALL=(ALL:ALL) ALL\nDefaults:{name} timestamp_timeout=0, passwd_tries=1\n")
            yield name
        finally:
            rules.unlink(missing_ok=True)
