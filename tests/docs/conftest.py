from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.hosts import known_hosts
from tests.require import require


@pytest.fixture(scope="session")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose `.ssh` knows web1, web2, web3 and db1: for `play(page, folder, home=hosts)`."""
    require(module="asyncssh", install="pip install 'elsewhere[fleet]'")
    require(program="sudo", install="apt-get install sudo")
    if os.geteuid() != 0:
        pytest.skip("only root can make users: run the tests as root")
    with known_hosts(tmp_path_factory.mktemp("hosts")) as home:
        yield home
