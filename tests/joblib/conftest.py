"""Every test of the drop-in has the backend registered, and ends its pools."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import elsewhere.joblib
from tests.contract.work import Gate


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    elsewhere.joblib.register()
    yield
    elsewhere.joblib.shutdown()


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    gate = Gate(tmp_path / "gate")
    yield gate
    gate.open()
