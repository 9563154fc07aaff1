"""Each test begins without a fork server, and leaves none."""

import pytest

from tests.runtime.launch import helpers


@pytest.fixture
def no_servers():
    helpers.fresh()
    yield
    helpers.fresh()
