"""A host whose sshd is dropbear, which gives commands no session of their own: nothing is left running there either."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from elsewhere.errors import CallTimeout, WorkerLost
from elsewhere.fleet import Host
from tests.fleet import work
from tests.fleet.sshd import Sshd, account
from tests.fleet.test_commands import pid_in
from tests.fleet.test_link import becomes, gone
from tests.require import require

ADDRESS = "127.11.4.1"
INSTALL = "apt-get install dropbear-bin"


@pytest.fixture
def host(server: Sshd, tmp_path: Path) -> Iterator[Host]:
    program, keys = require(program="dropbear", install=INSTALL), require(program="dropbearkey", install=INSTALL)
    if os.geteuid() != 0:
        pytest.skip("only root can make accounts: run the tests as root")
    subprocess.run([keys, "-t", "ed25519", "-f", tmp_path / "key"], check=True, capture_output=True)
    told = subprocess.run([keys, "-y", "-f", tmp_path / "key"], check=True, capture_output=True, text=True).stdout
    public = next(line for line in told.splitlines() if line.startswith("ssh-")).split()
    with socket.socket() as free:
        free.bind((ADDRESS, 0))
        port = free.getsockname()[1]
    (tmp_path / "known").write_text(f"[{ADDRESS}]:{port} {public[0]} {public[1]}\n")
    with account("ewdropbear", server):
        process = subprocess.Popen(
            [program, "-F", "-E", "-p", f"{ADDRESS}:{port}", "-r", tmp_path / "key", "-P", tmp_path / "pid"],
            stderr=subprocess.DEVNULL,
        )
        try:
            becomes(lambda: listens(port))
            how = {"port": port, "keys": (str(server.key),), "known_hosts": (str(tmp_path / "known"),)}
            with Host(f"ewdropbear@{ADDRESS}", config=(), agent=False, **how) as found:
                yield found
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((ADDRESS, port), 1):
        return True
    return False


def test_commands_and_their_end(host: Host, tmp_path: Path) -> None:
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o777)
    for _ in range(2):
        result = host.run("echo out; echo err >&2; exit 3", check=False, env={"X": "1\n2"})
        assert (result.returncode, result.stdout, result.stderr) == (3, "out\n", "err\n")
    assert host.run("cat", input=b"x" * 300_000, encoding=None).stdout == b"x" * 300_000
    assert host.run("tty", pty=True).stdout.startswith("/dev/")
    with pytest.raises(CallTimeout):
        host.run(f"sleep 1000 & echo $! > {tmp_path}/child; sleep 1000", timeout=1)
    if (tmp_path / "child").exists():  # on a busy machine it may not have begun
        becomes(lambda: gone(pid_in(tmp_path / "child")))
    future = host.run_async(f"echo $$ > {tmp_path}/last; sleep 1000")
    pid = pid_in(tmp_path / "last")
    host.close()
    becomes(lambda: gone(pid))
    assert future.exception(20) is not None


def test_a_function_and_its_end(host: Host, tmp_path: Path) -> None:
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o777)
    pid = host.call(os.getpid)
    assert host.call(abs, -1) == 1
    future = host.submit(work.begins, str(tmp_path / "began"))
    becomes((tmp_path / "began").exists)
    assert int((tmp_path / "began").read_text()) == pid
    host.close()
    with pytest.raises(WorkerLost):
        future.result(60)
    becomes(lambda: gone(pid))
