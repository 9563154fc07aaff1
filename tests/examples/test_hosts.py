"""The programs of `examples/` that need hosts, on two real ones, each with a user of its own who may use sudo."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.examples.programs import EXAMPLES, PATIENCE, copied, environment, matches, run, told
from tests.fleet.sshd import account, administrator, sshd
from tests.ports import free_port
from tests.require import require

USERS = {"web1": f"ewex{os.getpid()}a", "web2": f"ewex{os.getpid()}b"}
ADDRESSES = {"web1": "127.61.0.1", "web2": "127.61.0.2"}
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="users are made by root alone")


@pytest.fixture(scope="module")
def hosts(tmp_path_factory):
    """What each host's user has as a home, by the host's name; and where ~/.ssh/config knows both."""
    require(module="asyncssh", install="pip install 'elsewhere[fleet]'")
    require(program="sudo", install="apt-get install sudo")
    rule = Path(f"/etc/sudoers.d/elsewhere-examples-{os.getpid()}")
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(sshd(tmp_path_factory.mktemp("sshd"), list(ADDRESSES.values())))
        homes = {name: stack.enter_context(account(user, server)) for name, user in USERS.items()}
        stack.callback(rule.unlink, missing_ok=True)
        rule.touch(mode=0o440)
        rule.write_text("".join(f"{user} ALL=(ALL) NOPASSWD: ALL\n" for user in USERS.values()))
        subprocess.run([administrator("visudo"), "-cqf", rule], check=True)
        home = tmp_path_factory.mktemp("home")
        (home / ".ssh").mkdir(mode=0o700)
        (home / ".ssh" / "config").write_text(
            "".join(f"Host {name}\n  Hostname {ADDRESSES[name]}\n  User {USERS[name]}\n" for name in USERS)
            + f"Host *\n  Port {server.port}\n  IdentityFile {server.key}\n"
            f"  UserKnownHostsFile {server.known_hosts}\n  IdentityAgent none\n"
        )
        yield homes, home


def test_a_function_on_every_host(hosts, tmp_path):
    said = run(copied(tmp_path), "everywhere.py", HOME=str(hosts[1]))
    assert matches(said, told("everywhere.py")), said


# ---- the task file ---------------------------------------------------------------------------------------------------


def fab(folder, home, *words):
    done = subprocess.run(
        [sys.executable, "-m", "elsewhere", "fab", *words],
        cwd=folder / "examples",
        env=environment(HOME=str(home)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_task_file(hosts, tmp_path):
    homes, home = hosts
    page = (EXAMPLES.parent / "docs" / "fabric.md").read_text()
    found = re.search(r"^\$ elsewhere fab (-H web1,web2 deploy.*)\n((?:.+\n)+)```", page, re.MULTILINE)
    assert found is not None
    said = fab(copied(tmp_path), home, *found[1].split())
    assert matches(said, found[2]), said
    assert [(homes[name] / "version.txt").read_text() for name in USERS] == ["v2\n", "v2\n"]
    assert "load average" in fab(tmp_path, home, "-H", "web1", "uptime")


# ---- the deploy ------------------------------------------------------------------------------------------------------


@pytest.fixture
def site(hosts, tmp_path):
    """The program with its app, for two hosts that are one machine: each has its port, in a file."""
    homes, home = hosts
    folder = copied(
        tmp_path,
    )
    program, restart = folder / "examples" / "deploy.py", folder / "examples" / "hello" / "restart.sh"
    text, there = re.subn(
        r'"http://localhost:\d+/"', '"http://localhost:" + Path("port").read_text()', program.read_text()
    )
    assert there == 1
    program.write_text(text)
    assert restart.read_text().count(" 8080 ") == 1
    restart.write_text(restart.read_text().replace(" 8080 ", ' "$(cat ../port)" '))
    ports = {}
    for name, place in homes.items():
        ports[name] = free_port()
        (place / "port").write_text(f"{ports[name]}")
    try:
        yield folder, home, homes, ports
    finally:
        for place in homes.values():
            end(place)


def end(home):
    """The servers that deploys have left running, as they should; also one that the next has not ended."""
    for folder in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            if home in folder.readlink().parents:
                os.kill(int(folder.parent.name), signal.SIGKILL)
    (home / "hello.pid").unlink(missing_ok=True)
    shutil.rmtree(home / "hello", ignore_errors=True)


def deploy(folder, home, code=0):
    return run(folder, "deploy.py", code=code, HOME=str(home))


def served(port):
    with urlopen(f"http://localhost:{port}/", timeout=PATIENCE) as answer:
        return answer.read().decode().strip()


def servers(homes):
    return [int((place / "hello.pid").read_text()) for place in homes.values()]


def alive(pid):
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_deploy_and_the_next(site):
    folder, home, homes, ports = site
    said = deploy(folder, home)
    assert matches(said, told("deploy.py")), said
    first = servers(homes)
    assert all(map(alive, first))
    assert all(os.stat(f"/proc/{pid}").st_uid == 0 for pid in first)  # sudo has started them

    index = folder / "examples" / "hello" / "public" / "index.html"
    index.write_text("<h1>Hello, version 2</h1>\n")
    said = deploy(folder, home)
    assert said.splitlines()[:2] == [f"{name}: 1 sent, 1 as they were" for name in USERS]
    assert [served(port) for port in ports.values()] == ["<h1>Hello, version 2</h1>"] * 2
    second = servers(homes)
    assert not set(first) & set(second)
    assert all(map(alive, second))
    assert not any(map(alive, first))


def test_a_host_that_fails_ends_the_deploy(site):
    folder, home, homes, _ = site
    deploy(folder, home)
    before = servers(homes)
    restart = folder / "examples" / "hello" / "restart.sh"
    restart.write_text(f"echo no disk >&2; exit 3\n{restart.read_text()}")
    said = deploy(folder, home, code=1)
    assert "no disk" in said
    assert "1 not touched: web2" in said
    assert servers(homes) == before
    assert all(map(alive, before))
