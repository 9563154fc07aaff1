"""The program of docs/one-core-to-cluster.md, on every place it names."""

from __future__ import annotations

import getpass
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fleet.sshd import sshd
from tests.require import require

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "examples" / "one_program.py"
PAGE = (ROOT / "docs" / "one-core-to-cluster.md").read_text()
DASK = "pip install 'elsewhere[dask]'"
NAMES = {"web1": "127.27.1.1", "web2": "127.27.1.2"}


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "src"), **more}


def run(*words: str, **more: str) -> str:
    done = subprocess.run(
        [sys.executable, PROGRAM, *words],
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "17,984 primes below 200,000\n", done.stderr
    return done.stderr


def test_it_stands_on_the_page():
    assert f"```python\n{PROGRAM.read_text()}```" in PAGE


@pytest.mark.parametrize("where", ["inline", "threads", "processes"])
def test_on_this_machine(where):
    assert "20/20" in run("--where", where)


def test_each_place_of_the_page_is_run_here():
    told = set(re.findall(r"one_program\.py --(?:where|hosts) (\S+)", PAGE))
    assert told == {"inline", "threads", "processes", "web1", "dask", "dask://scheduler:8786"}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home whose ~/.ssh knows the hosts of the page."""
    require(module="asyncssh", install="pip install 'elsewhere[fleet]'")
    with sshd(tmp_path_factory.mktemp("sshd"), list(NAMES.values())) as server:
        folder = tmp_path_factory.mktemp("home") / ".ssh"
        folder.mkdir(mode=0o700)
        (folder / "config").write_text(
            "".join(f"Host {name}\n  Hostname {address}\n" for name, address in NAMES.items())
            + f"Host *\n  User {getpass.getuser()}\n  Port {server.port}\n  IdentityFile {server.key}\n"
            f"  UserKnownHostsFile {server.known_hosts}\n  IdentityAgent none\n"
        )
        yield folder.parent


def test_on_hosts(home):
    assert "20/20" in run("--hosts", *NAMES, HOME=str(home))


def test_on_a_cluster_of_its_own():
    require(module="distributed", install=DASK)
    assert "20/20" in run("--where", "dask")


def test_on_a_cluster_that_dask_starts_over_ssh(home, tmp_path):
    """The page's own lines; and the program by the address of that cluster."""
    require(module="distributed", install=DASK)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    block = next(text for text in blocks if "SSHCluster" in text)
    hosts = '["web1", "web1", "web2"]'
    assert hosts in block
    first = NAMES["web1"]
    options = f"scheduler_options={{'host': '{first}', 'dashboard_address': '{first}:0'}}"
    options += f", worker_options={{'nthreads': 1, 'host': '{first}', 'dashboard_address': '{first}:0'}}"
    text = block.replace(hosts, f"{hosts}, {options}")
    text += f"""
    import subprocess, sys
    address = cluster.scheduler_address.replace("tcp://", "dask://")
    subprocess.run([sys.executable, {str(PROGRAM)!r}, "--where", address], check=True)
"""
    (tmp_path / "program.py").write_text(text)
    done = subprocess.run(
        [sys.executable, tmp_path / "program.py"],
        env=environment(HOME=str(home)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.stdout == "[1, 2]\n17,984 primes below 200,000\n", done.stderr
