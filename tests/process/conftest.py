"""A test of processes leaves none in multiprocessing's list, and starts with the default start method."""

from __future__ import annotations

import multiprocessing

import pytest

from elsewhere.process import defaults


@pytest.fixture(autouse=True)
def no_children():
    yield
    defaults.set_start_method(None, force=True)
    defaults.set_forkserver_preload([])
    assert multiprocessing.active_children() == []
