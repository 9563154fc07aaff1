"""A missing peer is a reason to skip here, and a failure in continuous integration."""

from __future__ import annotations

import shutil

import pytest

from tests.require import require


def test_what_is_there_is_given():
    assert require(program="sh", install="-") == shutil.which("sh")
    assert require(module="shutil", install="-") is shutil
    assert require(file="pyproject.toml", install="-").is_file()


@pytest.mark.parametrize(
    "missing", [{"program": "no-such-program"}, {"module": "no_such_module"}, {"file": "no/such/file"}]
)
@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_what_is_missing_skips_here_and_fails_in_ci(missing, ci, outcome, monkeypatch):
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match=r"is missing.*; install it with: apt install it"):
        require(**missing, install="apt install it")
