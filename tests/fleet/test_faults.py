"""The cells that `python -m benchmarks.fleet.faults` makes a page of, for ours; and that they can tell bad from good.

What is tested of commands, connections, sudo and files by itself is not here once more.
"""

from __future__ import annotations

import socket
import subprocess

import pytest

from benchmarks.fleet.faults import __main__ as program
from benchmarks.fleet.faults import ground as grounds
from benchmarks.fleet.faults.ground import HOST, Said, ground
from benchmarks.fleet.faults.relay import Relay
from benchmarks.fleet.faults.rows import FAULTS, Cell, _believed, possible
from benchmarks.fleet.faults.sudoing import clear
from tests.require import require


@pytest.fixture(scope="module")
def at():
    with ground() as found:
        yield found


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    """On the interpreter that runs this, whether the peers are installed or not; and with time for a busy machine."""
    monkeypatch.setattr(grounds, "PEERS", tmp_path / "none")
    monkeypatch.setattr(grounds, "SOON", 20.0)


@pytest.mark.parametrize("name", ["env", "startups", "killed"])
def test_ours(at, name):
    if not possible(name):
        pytest.skip("users are made by root alone")
    assert FAULTS[name].run(at, "ours").bad == ()


def test_a_key_that_is_believed_is_bad(at):
    at.know()
    assert _believed(at, "ours") == Cell("", ("believed: the command ran",))


def test_what_is_left_is_counted_and_ended():
    with subprocess.Popen(["sleep", "1000.123456789"]) as process:
        assert grounds.processes("1000.123456789") == [process.pid]
        assert grounds.left("1000.123456789", within=0.1) == 1
    assert grounds.left("1000.123456789") == 0


def test_a_cable_that_is_cut(at):
    require(program="ssh", install="apt-get install openssh-client")
    with at.relay() as relay:
        known = at.near / ".ssh" / "known_hosts"
        options = ["-F", "none", "-o", f"UserKnownHostsFile={known}", "-i", str(at.server.key), "-p", str(relay.port)]
        ssh = subprocess.Popen(
            ["ssh", *options, f"{at.user}@{HOST}", "echo in; sleep 60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert ssh.stdout.readline() == b"in\n"
        relay.cut()
        assert ssh.communicate()[0] == b""
        assert ssh.returncode == 255
        assert relay.passed > 1000


def test_a_cable_to_nobody():
    with socket.socket() as free:
        free.bind((HOST, 0))
        with Relay(HOST, free.getsockname()) as relay, socket.create_connection((HOST, relay.port)) as sock:
            sock.settimeout(10)
            assert sock.recv(1) == b""


def test_messages_about_sudo():
    assert clear(Said("Unauthorized", "sudo asks for a password, and there is none"))
    assert not clear(Said("OSError", "Socket is closed"))


def test_the_page_has_each_cell():
    text = program.page({("changed", "ours"): Cell("`HostKeyError`"), ("changed", "fabric"): Cell("", ("believed",))})
    assert "| the host's key has changed | `HostKeyError` | **believed** |" in text
    assert program.shown(Cell("as given", ("another value",))) == "**another value**"
    assert program.shown(Cell("`SSHException`", ("half a file",))) == "`SSHException`: **half a file**"


@pytest.mark.parametrize(
    ("words", "says"),
    [(["--only", "zzz"], "no 'zzz'"), (["--who", "me"], "no 'me'"), (["--write", "--only", "env"], "all")],
)
def test_wrong_usage_is_told(words, says, capsys):
    with pytest.raises(SystemExit) as caught:
        program.main(words)
    assert caught.value.code == 2
    assert says in capsys.readouterr().err


def test_sshd_counts_a_session_off_a_moment_after_it_has_ended(at):
    assert FAULTS["sessions"].run(at, "ours").bad == ()
