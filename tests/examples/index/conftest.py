from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.examples.index.helpers import EXAMPLE, MODULES, odd_files, run
from tests.examples.index.hosts import end, hosts
from tests.require import require
from tests.rpc.page.conftest import browsing

__all__ = ["browsing"]


@pytest.fixture(scope="module")
def example() -> Iterator[SimpleNamespace]:
    """The modules of the text index, by their names."""
    sys.path.insert(0, str(EXAMPLE))
    try:
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})
    finally:
        sys.path.remove(str(EXAMPLE))
        for name in MODULES:
            del sys.modules[name]


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some hundred files of real text, and odd ones."""
    folder = tmp_path_factory.mktemp("corpus") / "texts"
    run("corpus", "--make", "700", folder)
    odd_files(folder / "odd")
    return folder


@pytest.fixture(scope="session")
def index(texts: Path) -> Path:
    """Their index, as a plain loop makes it."""
    path = texts.parent / "plain.index"
    run("indexer", texts, "-o", path, "--where", "inline")
    return path


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home that knows two hosts."""
    require(module="asyncssh", install="pip install 'elsewhere[fleet]'")
    with hosts(tmp_path_factory.mktemp("hosts") / "home") as found:
        yield found


@pytest.fixture
def ended(home: Path) -> Iterator[None]:
    """The services that were started on the hosts end with the test."""
    yield
    end(home)
