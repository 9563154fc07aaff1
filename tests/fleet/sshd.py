"""Real OpenSSH servers on loopback addresses, with keys of their own, and users to log in as.

It needs no pytest, so that the benchmarks have the same hosts.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PATIENCE = 20.0  # seconds until one listens, or has ended
MOST = 16  # ListenAddress lines of one sshd
FINE = {"useradd": {0}, "usermod": {0}, "userdel": {0, 12}}  # 12: there was no mailbox to remove
APT = "apt-get install openssh-server openssh-client"
# What a test that opens many connections at once to one address does not want to meet; see `Sshd`'s `usual_limits`.
RAISED = "MaxStartups 1000\nMaxSessions 100\n"


class Sshd(NamedTuple):
    """Some that run, with one key, one port and one log.

    Attributes:
        hosts: their addresses, each a "host".
        port: the same on each.
        user: who may log in.
        key: the file of the key that opens them.
        known_hosts: a file with the host key for all of them.
        log: what the first writes; the others have a number behind its name.
        pid: the first process.
        pids: of each sixteen hosts one.
    """

    hosts: list[str]
    port: int
    user: str
    key: Path
    known_hosts: Path
    log: Path
    pid: int
    pids: list[int]


@contextlib.contextmanager
def sshd(
    folder: Path, hosts: list[str], *, user: str = "", config: str = "", usual_limits: bool = False
) -> Iterator[Sshd]:
    """Run one for each sixteen hosts.

    Args:
        folder: for its files; an absolute path.
        hosts: loopback addresses to listen on, at one port.
        user: who may log in; who runs the tests by default, and each `account` that is told this.
        config: more lines of sshd_config, which win.
        usual_limits: leave MaxStartups and MaxSessions as they come.
    """
    program = _program()
    user = user or getpass.getuser()
    for name in ("host_key", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    port = _free(hosts)
    public = (folder / "host_key.pub").read_text().split()
    known = folder / "known_hosts"
    known.write_text("".join(f"[{host}]:{port} {public[0]} {public[1]}\n" for host in hosts))
    shutil.copy(folder / "key.pub", folder / "authorized")
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)
    limits = "" if usual_limits else RAISED
    pids: list[int] = []
    with contextlib.ExitStack() as stack:
        for index, first in enumerate(range(0, len(hosts), MOST)):
            number = str(index) if index else ""
            lines = f"{config}\n{limits}PidFile {folder}/pid{number}\n"
            pids.append(
                stack.enter_context(_one(program, folder, number, _config(folder, hosts[first:][:MOST], port, lines)))
            )
            _listens(pids[-1], hosts[first:][:MOST][-1], port, folder / f"log{number}")
        yield Sshd(hosts, port, user, folder / "key", known, folder / "log", pids[0], pids)


def _program() -> str:
    found = shutil.which(administrator("sshd"))
    if found is None:
        from tests.require import require

        return str(require(program="/usr/sbin/sshd", install=APT))
    return found


def administrator(name: str) -> str:
    """A program of the administrator's, which is not on everybody's PATH."""
    return shutil.which(name) or f"/usr/sbin/{name}"


def _free(hosts: list[str]) -> int:
    """A port that is free on each address."""
    for _ in range(50):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            port = 0
            for host in hosts:
                free = stack.enter_context(socket.socket())
                free.bind((host, port))
                port = free.getsockname()[1]
            return port
    raise RuntimeError(f"no port is free on all of {hosts[0]} to {hosts[-1]}")


def _config(folder: Path, hosts: list[str], port: int, first: str) -> str:
    listen = "".join(f"ListenAddress {host}\n" for host in hosts)
    return (
        f"{first}{listen}SetEnv SHLVL=2\n"  # or a bash reads ~/.bashrc for each command, which may take a second
        f"Port {port}\nHostKey {folder}/host_key\nAuthorizedKeysFile {folder}/authorized"
        " .ssh/authorized_keys\nUsePAM no\nStrictModes no\nUseDNS no\nSubsystem sftp internal-sftp\nPrintMotd no\n"
    )


@contextlib.contextmanager
def _one(program: str, folder: Path, number: str, config: str) -> Iterator[int]:
    """A process."""
    (folder / f"config{number}").write_text(config)
    process = subprocess.Popen(
        [program, "-D", "-f", str(folder / f"config{number}"), "-E", str(folder / f"log{number}")],
        stdin=subprocess.DEVNULL,
        process_group=0,
    )
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)


def _listens(pid: int, host: str, port: int, log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(OSError), socket.create_connection((host, port), 1):
            return
        state = Path(f"/proc/{pid}/stat")
        ended = state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z"
        assert not ended, log.read_text()
        assert time.monotonic() < end, "sshd does not listen"
        select_a_moment()


def select_a_moment() -> None:
    """Between two looks."""
    time.sleep(0.01)


@contextlib.contextmanager
def account(name: str, server: Sshd, *, shell: str = "/bin/sh") -> Iterator[Path]:
    """A user of this machine whom the server's key lets in; the path of its home. Only root can make one.

    Args:
        name: begins with "ew", so that everybody sees where it is from.
        server: whose key it is.
        shell: that it logs in to.
    """
    if not name.startswith("ew"):
        raise ValueError(f"{name!r}: users that are made here begin with ew")
    gone(name)
    home = Path("/home") / name
    # Not by PAM and not by a password: "*" is none, and no locked one, which sshd would refuse.
    _changed("useradd", "--create-home", "--home-dir", str(home), "--shell", shell, name)
    try:
        _changed("usermod", "--password", "*", name)
        (home / ".ssh").mkdir()
        shutil.copy(server.key.with_suffix(".pub"), home / ".ssh" / "authorized_keys")
        for path in (home / ".ssh", home / ".ssh" / "authorized_keys"):
            shutil.chown(path, name, name)
        yield home
    finally:
        gone(name)


def gone(name: str) -> None:
    """No user of that name, with what is left of one."""
    with contextlib.suppress(KeyError):
        pwd.getpwnam(name)
        _changed("userdel", "--force", "--remove", name)


def _changed(program: str, *words: str) -> None:
    """Change the users of this machine, when nobody else does."""
    end = time.monotonic() + PATIENCE
    while True:
        done = subprocess.run([administrator(program), *words], check=False, capture_output=True, text=True)
        if done.returncode in FINE[program]:
            return
        assert "lock" in done.stderr, done.stderr
        assert time.monotonic() < end, done.stderr
        select_a_moment()
