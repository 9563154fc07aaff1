"""docs/rules.md: what it says of functions that are typed in a cell of a notebook."""

from __future__ import annotations

import pytest

from tests.docs.test_rules import SHOWN, TYPED, typed
from tests.output.test_notebook import Notebook


@pytest.fixture
def notebook(tmp_path):
    made = Notebook(tmp_path)
    yield made
    made.close()


def test_in_a_notebook(notebook):
    assert notebook.run(TYPED) == SHOWN
    assert notebook.run(typed("fork")) == SHOWN
    _, error = notebook.finish(notebook.begin(typed("spawn")))
    assert error is not None
    assert error[0] == "TimeoutError"
