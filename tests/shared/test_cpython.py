"""The yardstick: CPython's own tests of Value, Array and ctypes objects, as this interpreter ships them, with ours."""

from __future__ import annotations

import pytest

from tests.outcomes import outcomes_of
from tests.shared import work


@pytest.mark.slow
@pytest.mark.bound(600)
@pytest.mark.parametrize("method", [*work.METHODS, "fork"])
def test_cpythons_tests_of_values_and_arrays_pass(method):
    found = outcomes_of("tests.shared.cpython_cases", method, seconds=580)
    found.check({})
    assert found.passed >= 12
