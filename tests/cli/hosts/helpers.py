"""The verbs of hosts as a real process, with a home of its own that knows the hosts of a real sshd."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.cli.helpers import Started, command, environment, shell
from tests.fleet.sshd import Sshd

Here = Callable[..., "subprocess.CompletedProcess[str]"]


@dataclass
class Home:
    """Where ``~/.ssh`` of the command under test is.

    Attributes:
        path: HOME.
        work: the folder it is run in.
        server: the sshd behind the hosts.
    """

    path: Path
    work: Path
    server: Sshd

    @classmethod
    def make(cls, path: Path, server: Sshd) -> Home:
        (path / ".ssh").mkdir(parents=True)
        names = "".join(f"Host web{n}\n  Hostname {host}\n" for n, host in enumerate(server.hosts, 1))
        (path / ".ssh" / "config").write_text(
            f"{names}Host strange1\n  Hostname {server.hosts[0]}\n  UserKnownHostsFile {path}/.ssh/none\n"
            "Host none5\n  Hostname 127.15.0.5\n"
            f"Host *\n  Port {server.port}\n  User {server.user}\n  IdentityFile {server.key}\n"
            f"  UserKnownHostsFile {server.known_hosts}\n  GlobalKnownHostsFile /dev/null\n  IdentityAgent none\n"
        )
        work = path / "work"
        work.mkdir()
        return cls(path, work, server)

    @property
    def variables(self) -> dict[str, str]:
        return {"HOME": str(self.path)}

    def shell(self, *args: str, stdin: bytes = b"", **variables: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        more: dict[str, Any] = {**self.variables, **variables}
        return shell(*args, cwd=self.work, stdin=stdin, bound=100, **more)

    def started(self, *args: str, **more: Any) -> Started:
        """Begin it."""
        return Started(*args, cwd=self.work, variables=self.variables, **more)


def rows_of(text: str) -> dict[str, dict[str, Any]]:
    """JSON lines, by host."""
    found = [json.loads(line) for line in text.splitlines()]
    assert len({row["host"] for row in found}) == len(found)
    return {row["host"]: row for row in found}


# Who leads a session gets the first terminal that it opens as its own.
OPENS_IT = "import os, sys; os.close(os.open(os.ttyname(0), os.O_RDWR)); os.execv(sys.argv[1], sys.argv[1:])"


class Terminal:
    """The command with a terminal of its own, at which somebody sits."""

    def __init__(self, home: Home, *args: str) -> None:
        self.seen = b""
        self.fd, terminal = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", OPENS_IT, *command(*args)], stdin=terminal, stdout=terminal, stderr=terminal,
            cwd=home.work, env=environment(**home.variables), start_new_session=True,
        )  # fmt: skip
        os.close(terminal)

    def until(self, text: bytes) -> None:
        while text not in self.seen:
            self.seen += os.read(self.fd, 4096)

    def end(self) -> int:
        with contextlib.suppress(OSError):  # EIO is its end
            while data := os.read(self.fd, 4096):
                self.seen += data
        return self.process.wait(60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.fd)
