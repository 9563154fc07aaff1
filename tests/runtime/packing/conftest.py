"""``script(text)`` runs a script in a process of its own, in a temporary folder."""

import functools

import pytest

from tests.runtime.packing.harness import run


@pytest.fixture
def script(tmp_path):
    return functools.partial(run, folder=tmp_path)
