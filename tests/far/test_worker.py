"""The far worker, in every Python that is here: real processes over pipes, which speak frames."""

from __future__ import annotations

import pytest

from elsewhere.runtime.far import worker
from tests.far.driving import Far, interpreters, named, source

EACH = pytest.mark.parametrize("python", interpreters(), ids=lambda path: path)


@EACH
def test_calls_and_their_answers(python):
    with Far(python) as far:
        assert far.call(abs, -1) == 1
        assert far.call(source("def f(a, b=2):\n    return a, b"), 1) == (1, 2)
        far.run(named("math", "sqrt"), 4, 9, 16, batched=True)
        assert [far.value() for _ in range(3)] == [2.0, 3.0, 4.0]
        far.send(worker.EXIT)
        assert far.wait() == 0
        assert far.words() == ""
