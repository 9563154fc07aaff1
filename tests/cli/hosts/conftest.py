from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.hosts.helpers import Home
from tests.fleet.sshd import Sshd, sshd


@pytest.fixture(scope="session")
def hosts_sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A real sshd with four hosts for the whole session."""
    folder: Path = tmp_path_factory.mktemp("sshd")
    with sshd(folder, [f"127.15.0.{n}" for n in range(1, 5)]) as found:
        yield found


@pytest.fixture
def home(hosts_sshd: Sshd, tmp_path: Path) -> Home:
    """A home that knows them as web1 to web4; none5 is refused, and strange1 shows a key that is not known."""
    return Home.make(tmp_path / "home", hosts_sshd)
