from __future__ import annotations

import pytest

from elsewhere import Pool
from tests.faults.helpers import Post


@pytest.fixture
def pool():
    pool = Pool(2, on_exit="terminate")  # a test that fails must not be waited for
    with pool:
        yield pool


@pytest.fixture
def post(tmp_path):
    made = Post(tmp_path / "post")
    yield made
    made.close()
