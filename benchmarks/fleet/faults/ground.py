"""What faults happen on: a host whose sshd has its usual limits, a user there, and who meets them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

from benchmarks.fleet.contest import Contestant, Failed
from benchmarks.fleet.environments import PEERS
from benchmarks.fleet.faults.relay import Relay
from benchmarks.fleet.yard import FOLDER
from tests.fleet.sshd import Sshd, account, sshd

HOST = "127.17.2.1"
LIMIT = 30.0  # seconds for what should not take one
SOON = 5.0  # seconds until nothing is left running
USER = f"ewfault{os.getpid()}"  # two may run at the same time


class Said(NamedTuple):
    """What became of a verb.

    Attributes:
        outcome: the type of what it raised; "value"; or "" for nothing within the limit.
        text: of the error, or the value.
    """

    outcome: str
    text: str = ""


class Actor:
    """Who meets a fault; ends with it."""

    def __init__(self, who: str, config: dict[str, Any], home: Path) -> None:
        python = PEERS if PEERS.exists() else Path(sys.executable)
        self._program = Contestant(
            who, config, module="benchmarks.fleet.faults.actors", python=python, env={"HOME": str(home)}, quiet=True
        )

    def __enter__(self) -> Self:
        self._program.line(LIMIT)
        return self

    def __exit__(self, *_: object) -> None:
        self._program.end()

    def tell(self, verb: str, *arguments: Any, **options: Any) -> None:
        """Have it begin."""
        self._program.tell(verb, arguments, options)

    def said(self, limit: float = LIMIT) -> Said:
        """What became of that."""
        try:
            return Said(*json.loads(self._program.line(limit)))
        except Failed:
            return Said("its end" if self._program.process.poll() is not None else "")

    def ask(self, verb: str, *arguments: Any, **options: Any) -> Said:
        self.tell(verb, *arguments, **options)
        return self.said(2 * LIMIT)

    def signal(self, number: int) -> None:
        self._program.process.send_signal(number)


class Ground(NamedTuple):
    """See the module.

    Attributes:
        server: with one host.
        user: who logs in.
        near: a folder for who meets the faults, which is its home.
        far: a folder of the user's.
    """

    server: Sshd
    user: str
    near: Path
    far: Path

    def actor(self, who: str, port: int | None = None, user: str = "") -> Actor:
        """One whose known_hosts is what `know` has said."""
        config = {
            "host": HOST,
            "port": port or self.server.port,
            "user": user or self.user,
            "key": str(self.server.key),
        }
        return Actor(who, config, self.near)

    def know(self, key: str | None = None, port: int | None = None) -> None:
        """Let the host's key be known to be this line; the right one by default, none for ""."""
        right = self.server.key.with_name("host_key.pub").read_text()
        line = f"[{HOST}]:{port or self.server.port} {right if key is None else key}\n"
        known = self.near / ".ssh" / "known_hosts"
        known.parent.mkdir(mode=0o700, exist_ok=True)
        known.write_text("" if key == "" else line)

    @contextlib.contextmanager
    def relay(self) -> Iterator[Relay]:
        """A cable to the host, whose key is known there."""
        with Relay(HOST, (HOST, self.server.port)) as relay:
            self.know(port=relay.port)
            yield relay

    def mark(self) -> Path:
        """A path on the far side at which nothing is, and that nothing had before."""
        folder = Path(tempfile.mkdtemp(dir=self.far))
        folder.chmod(0o777)
        return folder / "mark"


@contextlib.contextmanager
def ground() -> Iterator[Ground]:
    folder = Path(tempfile.mkdtemp(prefix="elsewhere-faults-", dir=FOLDER))
    try:
        folder.chmod(0o755)
        for name in ("ssh", "near", "far"):
            (folder / name).mkdir()
        (folder / "far").chmod(0o777)
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(sshd(folder / "ssh", [HOST], usual_limits=True))
            user = server.user
            if os.geteuid() == 0:
                user = USER
                stack.enter_context(account(user, server))
            yield Ground(server, user, folder / "near", folder / "far")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def other_key(folder: Path) -> str:
    """A line of known_hosts for a key that no host has."""
    path = folder / "other"
    if not path.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path.with_suffix(".pub").read_text().strip()


def becomes(what: Callable[[], Any], limit: float = LIMIT) -> bool:
    """Has it become true within so many seconds?"""
    end = time.monotonic() + limit
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def processes(text: str) -> list[int]:
    """Those in whose command line it stands: what each user of a machine may see."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if text.encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def left(text: str, within: float | None = None) -> int:
    """How many of these run after some seconds; they are ended then."""
    becomes(lambda: not processes(text), SOON if within is None else within)
    found = processes(text)
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(found)
