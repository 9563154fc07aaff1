"""Two hosts for the text index, which are two sshds of this machine; as a program it runs a command that knows them.

python -m tests.examples.index.hosts python examples/index/timed.py texts --hosts web1 web2
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.cli.helpers import until
from tests.fleet.sshd import sshd
from tests.require import ROOT

NAMES = {"web1": "127.62.0.2", "web2": "127.62.0.3"}


@contextlib.contextmanager
def hosts(folder: Path) -> Iterator[Path]:
    """A home whose ~/.ssh knows two hosts; each is an sshd of its own, with a folder of its own for a home."""
    (folder / ".ssh").mkdir(parents=True, mode=0o700)
    lines = ""
    with contextlib.ExitStack() as stack:
        for name, address in NAMES.items():
            (folder / name / "home").mkdir(parents=True)
            config = f"SetEnv PYTHONPATH={ROOT / 'src'} SHLVL=2\nForceCommand cd {folder / name / 'home'} && "
            config += 'HOME=$PWD && export HOME && eval "$SSH_ORIGINAL_COMMAND"'
            server = stack.enter_context(sshd(folder / name, [address], config=config))
            lines += f"Host {name}\n  Hostname {address}\n  Port {server.port}\n  User {server.user}\n"
            lines += f"  IdentityFile {server.key}\n  UserKnownHostsFile {server.known_hosts}\n  IdentityAgent none\n"
        (folder / ".ssh" / "config").write_text(lines)
        yield folder


def pids(home: Path) -> list[int]:
    """Of the services on the hosts, as they were left there."""
    return [int(path.read_text()) for path in sorted(home.glob("*/home/text-index/pid"))]


def alive(pid: int) -> bool:
    """Does this service run?"""
    try:
        return b"service.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def end(home: Path) -> None:
    """End the services on the hosts, and remove what was brought there."""
    for pid in filter(alive, pids(home)):
        os.kill(pid, signal.SIGTERM)
        until(lambda pid=pid: not alive(pid))
    for there in home.glob("*/home/text-index"):
        shutil.rmtree(there)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, hosts(Path(folder) / "home") as home:
        raise SystemExit(subprocess.run(sys.argv[1:], env={**os.environ, "HOME": str(home)}, check=False).returncode)
