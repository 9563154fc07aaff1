from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fabric.beside import Bench
from tests.fleet.sshd import Sshd, sshd


@pytest.fixture(scope="session")
def fab_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A real sshd with four hosts for the whole session."""
    folder: Path = tmp_path_factory.mktemp("fabric-sshd")
    with sshd(folder, [f"127.18.0.{n}" for n in range(1, 5)]) as found:
        yield found


@pytest.fixture
def bench1(tmp_path: Path, fab_server: Sshd) -> Bench:
    return Bench(tmp_path, fab_server, 1)


@pytest.fixture
def bench3(tmp_path: Path, fab_server: Sshd) -> Bench:
    return Bench(tmp_path, fab_server, 3)
