"""Fifty hosts on this machine: several sshds, and a user with plain sh; and folders here and there."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.fleet.sshd import Sshd, account, sshd

USER = f"ewbench{os.getpid()}"  # two may run at the same time
SETTLED = 5.0  # seconds for connections that were closed to be gone
HOSTS = [f"127.17.0.{number}" for number in range(1, 51)]
FOLDER = Path("/var/tmp")  # not where tests keep their files, which nobody else can enter


class Yard(NamedTuple):
    """What is measured on.

    Attributes:
        server: its hosts.
        user: who logs in.
        near, far: folders for who is measured, and for that user.
    """

    server: Sshd
    user: str
    near: Path
    far: Path

    @property
    def config(self) -> dict[str, Any]:
        """What a contestant is told."""
        return {
            "hosts": self.server.hosts,
            "port": self.server.port,
            "user": self.user,
            "key": str(self.server.key),
            "known_hosts": str(self.server.known_hosts),
        }

    def used(self, *, settled: bool = False) -> float:
        """Seconds of processor so far, of the sshds and of all that they have started.

        What a process has used counts in hundredths of a second that are full, until it has ended.

        Args:
            settled: wait until nobody is logged in, for a few seconds at most.
        """
        return cores(self.server.pids, SETTLED if settled else 0)


def cores(pids: Sequence[int], patience: float = 0) -> float:
    """Seconds of processor so far, of these processes, of their children, and of those that they have seen end.

    Args:
        pids: of the processes.
        patience: seconds to wait, at most, until they have no children.
    """
    end = time.monotonic() + patience
    while time.monotonic() < end and any(map(_children, pids)):
        time.sleep(0.02)
    return sum(map(_used, pids)) / os.sysconf("SC_CLK_TCK")


def _used(pid: int) -> int:
    """Ticks, of a process, of its children, and of those that it has seen end."""
    try:
        # What stands before the last bracket is its name.
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0  # it has just ended, and its parent counts it
    return sum(map(int, words[11:15])) + sum(map(_used, _children(pid)))


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):  # each has its own
            with contextlib.suppress(OSError):
                found += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
    return found


@contextlib.contextmanager
def yard(hosts: list[str] | None = None) -> Iterator[Yard]:
    """Hosts that run. As root there is a user of its own for them, otherwise it is who runs this."""
    folder = Path(tempfile.mkdtemp(prefix="elsewhere-yard-", dir=FOLDER))
    try:
        folder.chmod(0o755)
        for name in ("ssh", "near", "far"):
            (folder / name).mkdir()
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(sshd(folder / "ssh", hosts or HOSTS))
            user = server.user
            if os.geteuid() == 0:
                user = USER
                stack.enter_context(account(user, server))
                shutil.chown(folder / "far", user, user)
            yield Yard(server, user, folder / "near", folder / "far")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
