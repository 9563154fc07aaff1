"""The examples of docs/hosts.md, run as they stand there, on hosts that ~/.ssh/config knows."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.cli.helpers import shell
from tests.fleet.sshd import account, administrator, sshd
from tests.require import require

PAGE = (Path(__file__).parents[2] / "docs" / "hosts.md").read_text()
BLOCKS = re.findall(r"^```(python|console)([^\n]*)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
NAMES = {"web1": "127.17.4.1", "web2": "127.17.4.2", "db1": "127.17.4.3"}
USER = f"ewdocs{os.getpid()}"
PYTHON = [text for kind, _, text in BLOCKS if kind == "python"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home whose ~/.ssh knows the hosts of the page, and a user there who may use sudo."""
    if os.geteuid() != 0:
        pytest.skip("users are made by root alone")
    require(program="sudo", install="apt-get install sudo")
    rule = Path(f"/etc/sudoers.d/elsewhere-{USER}")
    with sshd(tmp_path_factory.mktemp("sshd"), list(NAMES.values())) as server, account(USER, server):
        rule.touch(mode=0o440)
        try:
            rule.write_text(f"{USER} ALL=(ALL) NOPASSWD: ALL\n")
            subprocess.run([administrator("visudo"), "-cqf", rule], check=True)
            folder = tmp_path_factory.mktemp("home")
            (folder / ".ssh").mkdir(mode=0o700)
            (folder / ".ssh" / "config").write_text(
                "".join(f"Host {name}\n  Hostname {address}\n" for name, address in NAMES.items())
                + f"Host *\n  User {USER}\n  Port {server.port}\n  IdentityFile {server.key}\n"
                f"  UserKnownHostsFile {server.known_hosts}\n  IdentityAgent none\n"
            )
            yield folder
        finally:
            rule.unlink()


@pytest.fixture(autouse=True)
def there(home, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "motd").write_text("hi\n")


@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_the_python_of_the_page(number, capfd):
    text = PYTHON[number].replace("10.0.0.1", NAMES["web1"])
    exec(compile(text, "docs/hosts.md", "exec"), {"__name__": "page"})


def test_the_shell_of_the_page(tmp_path):
    [text] = [text for kind, _, text in BLOCKS if kind == "console"]
    for part in text.split("$ ")[1:]:
        command, _, output = part.partition("\n")
        ended = shell(*shlex.split(command)[1:], cwd=tmp_path)
        said = re.sub(r"in [\d.]+ s$", "in 0.1 s", ended.stdout, flags=re.MULTILINE)
        assert sorted(said.splitlines()) == sorted(output.splitlines()), (command, ended.stderr)
    assert (tmp_path / "copy").read_text() == "hi\n"
