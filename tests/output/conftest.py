from __future__ import annotations

import contextlib
import io

import pytest

from elsewhere import Pool


@pytest.fixture
def pool():
    with Pool(2, on_exit="terminate") as pool:
        yield pool


@pytest.fixture
def out():
    """What the test's stdout is while it runs: without a file descriptor."""
    return io.StringIO()


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item):
    # Not in the fixture: pytest's capture puts its own stdout in place when the test itself begins.
    stream = item.funcargs.get("out")
    with contextlib.redirect_stdout(stream) if stream is not None else contextlib.nullcontext():
        return (yield)
