"""Other machines for the suite: two hosts with a real sshd, and a Dask cluster of two workers, as programs.

They have a bare environment and folders of their own: nothing of the caller's is there by accident.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from elsewhere.fleet import Fleet
from tests.contract.nearby import PYTHON
from tests.contract.work import until
from tests.fleet.sshd import Sshd, sshd
from tests.leaks import MARK
from tests.require import require

HOSTS = ["127.26.0.1", "127.26.0.2"]
SCHEDULER = "127.26.0.3"
WORKERS = ["127.26.0.4", "127.26.0.5"]
PATIENCE = 30.0  # seconds for a program to end when it is asked to


# ---- hosts -----------------------------------------------------------------------------------------------------------


def fleet_of(server: Sshd, **options: Any) -> Fleet:
    """All hosts of a server, with the bare Python below our environment; with an account's own settings left out."""
    known = (str(server.known_hosts),)
    given: dict[str, Any] = {"port": server.port, "keys": (str(server.key),), "known_hosts": known}
    return Fleet(*server.hosts, **given | {"config": (), "agent": False, "python": PYTHON} | options)


@pytest.fixture(scope="package")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two hosts, whose connections are open."""
    require(module="asyncssh", install="pip install 'elsewhere[fleet]'")
    with sshd(tmp_path_factory.mktemp("sshd"), HOSTS) as server, fleet_of(server) as fleet:
        fleet.run("true")
        yield fleet


# ---- Dask ------------------------------------------------------------------------------------------------------------


class Dask(NamedTuple):
    """A cluster that runs.

    Attributes:
        address: for `Pool(where=...)`.
        scheduler: its process.
        workers: theirs, one thread each.
    """

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]]


@contextlib.contextmanager
def dask(folder: Path, scheduler: str = SCHEDULER, workers: list[str] = WORKERS) -> Iterator[Dask]:
    """Run a scheduler and workers, each on an address of its own.

    Args:
        folder: for their files.
        scheduler, workers: loopback addresses.
    """
    require(module="distributed", install="pip install 'elsewhere[dask]'")
    file = folder / "scheduler.json"
    with contextlib.ExitStack() as stack:
        options = ["--host", scheduler, "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
        first = stack.enter_context(_program(folder, "scheduler", options))
        found = _address(file, first)
        others = [
            stack.enter_context(_program(folder, "worker", [found, "--host", host, *OF_A_WORKER, "--name", host]))
            for host in workers
        ]
        _all_here(found, len(workers))
        yield Dask(found.replace("tcp://", "dask://"), first, others)


OF_A_WORKER = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", "."]


@contextlib.contextmanager
def _program(folder: Path, kind: str, arguments: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), MARK: os.environ.get(MARK, "")}
    with (folder / f"{kind}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{kind}", *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            process_group=0,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        finally:
            process.kill()
            process.wait()


def _address(file: Path, process: subprocess.Popen[bytes]) -> str:
    """What the scheduler has written of itself."""
    found: list[str] = []

    def look() -> bool:
        assert process.poll() is None, file.with_suffix(".log").read_text()
        with contextlib.suppress(OSError, ValueError, KeyError):
            found.append(json.loads(file.read_text())["address"])
        return bool(found)

    until(look, "the scheduler of Dask")
    return found[0]


def _all_here(address: str, count: int) -> None:
    from distributed import Client

    with Client(address, timeout=PATIENCE) as client:
        client.wait_for_workers(count, timeout=PATIENCE)


def warm(found: Dask) -> None:
    """Something large is sent: that starts a thread of Dask's which stays with the process, once."""
    from distributed import Client

    with Client(found.address.replace("dask://", "tcp://"), timeout=PATIENCE) as client:
        client.gather(client.scatter(bytes(20_000_000)))


@pytest.fixture(scope="package")
def dask_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A cluster of two workers of one thread each."""
    with dask(tmp_path_factory.mktemp("dask")) as found:
        warm(found)
        yield found.address
