from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from elsewhere.fleet import engine
from tests.fleet.sshd import Sshd, sshd
from tests.rpc.conftest import uvloop_has_its_pipe

__all__ = ["bare", "ended", "server", "uvloop_has_its_pipe"]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A real sshd with eight hosts, 127.0.1.1 to 127.0.1.8, for the whole session."""
    folder: Path = tmp_path_factory.mktemp("sshd")
    with sshd(folder, [f"127.0.1.{n}" for n in range(1, 9)]) as found:
        yield found


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """An sshd that gives whoever logs in SFTP, and no shell; one host."""
    with sshd(tmp_path_factory.mktemp("bare"), ["127.13.0.1"], config="ForceCommand internal-sftp") as found:
        yield found


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    """The engine's thread ends with each test, as all that a test starts."""
    yield
    found, engine._engine = engine._engine, None
    if found is not None:
        found.end()
