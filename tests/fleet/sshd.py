"""A real OpenSSH sshd on loopback addresses, with keys of its own."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.require import require

PATIENCE = 20.0  # seconds until it listens
APT = "apt-get install openssh-server openssh-client"


class Sshd(NamedTuple):
    """One that runs.

    Attributes:
        hosts: its addresses, each a "host".
        port: the same on each.
        user: who may log in.
        key: the file of the key that opens it.
        known_hosts: a file with its host key for all of them.
        log: what it writes.
        pid: its process.
    """

    hosts: list[str]
    port: int
    user: str
    key: Path
    known_hosts: Path
    log: Path
    pid: int


@contextlib.contextmanager
def sshd(folder: Path, hosts: list[str], *, user: str = "", config: str = "") -> Iterator[Sshd]:
    """Run one; at most 16 hosts.

    Args:
        folder: for its files; an absolute path.
        hosts: loopback addresses to listen on, at one port.
        user: who may log in; who runs the tests by default.
        config: more lines of sshd_config, which win.
    """
    program = (
        require(program="sshd", install=APT) if shutil.which("sshd") else require(program="/usr/sbin/sshd", install=APT)
    )
    user = user or getpass.getuser()
    for name in ("host_key", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    with socket.socket() as free:
        free.bind((hosts[0], 0))
        port = free.getsockname()[1]
    public = (folder / "host_key.pub").read_text().split()
    known = folder / "known_hosts"
    known.write_text("".join(f"[{host}]:{port} {public[0]} {public[1]}\n" for host in hosts))
    shutil.copy(folder / "key.pub", folder / "authorized")
    listen = "".join(f"ListenAddress {host}\n" for host in hosts)
    (folder / "config").write_text(
        f"{config}\n{listen}Port {port}\nHostKey {folder}/host_key\nAuthorizedKeysFile {folder}/authorized\n"
        f"PidFile {folder}/pid\nUsePAM no\nStrictModes no\nMaxStartups 1000\nMaxSessions 100\nUseDNS no\n"
        "Subsystem sftp internal-sftp\nPrintMotd no\n"
    )
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)
    log = folder / "log"
    process = subprocess.Popen(
        [program, "-D", "-f", str(folder / "config"), "-E", str(log)], stdin=subprocess.DEVNULL, process_group=0
    )
    try:
        _listens(process, hosts[-1], port, log)
        yield Sshd(hosts, port, user, folder / "key", known, log, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)


def _listens(process: subprocess.Popen[bytes], host: str, port: int, log: Path) -> None:
    import time

    end = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, "sshd does not listen"
        with contextlib.suppress(OSError), socket.create_connection((host, port), 1):
            return
        select_a_moment()


def select_a_moment() -> None:
    """Between two looks."""
    import time

    time.sleep(0.01)
