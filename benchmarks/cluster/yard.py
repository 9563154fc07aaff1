"""What is measured on: hosts and Dask clusters on this machine's loopback addresses, as programs of their own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.cluster.environments import PEERS, for_peers
from benchmarks.fleet.yard import FOLDER, cores
from tests.fleet.sshd import Sshd, sshd

NET = "127.27.0"
HOSTS = [f"{NET}.1", f"{NET}.2"]
SCHEDULER, WORKERS = f"{NET}.10", [f"{NET}.11", f"{NET}.12"]
PATIENCE = 60.0  # seconds for one of Dask's programs to be there
SETTLED = 20.0  # seconds for what was closed to be gone: Dask's nannies take some


class Yard(NamedTuple):
    """Hosts, and room for clusters.

    Attributes:
        server: two addresses of one sshd; who runs this logs in there.
        folder: for everybody's files.
    """

    server: Sshd
    folder: Path

    @property
    def config(self) -> dict[str, Any]:
        """What a contestant is told of the hosts."""
        return {
            "hosts": self.server.hosts,
            "port": self.server.port,
            "user": self.server.user,
            "key": str(self.server.key),
            "known_hosts": str(self.server.known_hosts),
            "python": str(PEERS),
        }

    def used(self) -> float:
        """Seconds of processor so far, of the sshd and all that it has started."""
        return cores(self.server.pids)

    def settle(self) -> None:
        """Wait until nobody is logged in, for a while at most."""
        cores(self.server.pids, SETTLED)


class Cluster(NamedTuple):
    """A scheduler of Dask's and two workers of one thread each.

    Attributes:
        address: of the scheduler.
        pids: of all of them.
    """

    address: str
    pids: list[int]

    def used(self) -> float:
        """Seconds of processor so far, of all of them and of what they have started."""
        return cores(self.pids)


@contextlib.contextmanager
def yard() -> Iterator[Yard]:
    """Hosts that run."""
    folder = Path(tempfile.mkdtemp(prefix="elsewhere-cluster-", dir=FOLDER))
    try:
        (folder / "ssh").mkdir()
        with sshd(folder / "ssh", HOSTS) as server:
            yield Yard(server, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def cluster(ground: Yard) -> Iterator[Cluster]:
    """A new one, which has done nothing yet."""
    folder = Path(tempfile.mkdtemp(dir=ground.folder))
    told = folder / "scheduler.json"
    with contextlib.ExitStack() as stack:
        words = ["--host", SCHEDULER, "--port", "0", "--no-dashboard", "--dashboard-address", f"{SCHEDULER}:0"]
        words += ["--scheduler-file", str(told)]
        pids = [stack.enter_context(_program("scheduler", folder, *words))]
        address = _address(told, folder)
        for host in WORKERS:
            words = ["--host", host, "--nthreads", "1", "--no-nanny", "--dashboard-address", f"{host}:0"]
            words += ["--name", host, "--local-directory", str(folder), "--death-timeout", str(PATIENCE)]
            pids.append(stack.enter_context(_program("worker", folder, address, *words)))
        yield Cluster(address, pids)


@contextlib.contextmanager
def _program(name: str, folder: Path, *words: str) -> Iterator[int]:
    """One of Dask's, in a group of its own, which ends with it."""
    with (folder / f"log-{name}").open("ab") as log:
        process = subprocess.Popen(
            [str(PEERS), "-m", f"distributed.cli.dask_{name}", *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            env=for_peers(),
            process_group=0,
        )
    try:
        yield process.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _address(file: Path, folder: Path) -> str:
    """The scheduler's, as soon as it has written it."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with contextlib.suppress(OSError, ValueError):  # it is not there, or half a file
            found: str = json.loads(file.read_text())["address"]
            return found
        time.sleep(0.01)
    raise TimeoutError(f"Dask's scheduler is not there: {(folder / 'log-scheduler').read_text()}")


def loopback() -> float:
    """Bytes that have gone over this machine's loopback so far."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        name, _, words = line.partition(":")
        if name.strip() == "lo":
            return float(words.split()[8])
    return 0.0
