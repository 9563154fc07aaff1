from __future__ import annotations

import contextlib

import pytest

from tests.certificates import certificates

__all__ = ["certificates"]


@pytest.fixture(scope="session", autouse=True)
def uvloop_has_its_pipe():
    """Where uvloop is installed, its first loop opens a pipe for signals, which the process keeps."""
    with contextlib.suppress(ImportError):
        import uvloop

        uvloop.new_event_loop().close()
