"""Parts of a tree killed at random instants while arrays cross: nothing stays. `make faults` has 100."""

from __future__ import annotations

import os

import pytest

from benchmarks.faults import residue
from tests.require import require

INSTANTS = 10


@pytest.fixture(autouse=True, scope="module")
def numpy():
    require(module="numpy", install="pip install numpy")


@pytest.mark.slow
@pytest.mark.bound(400)
def test_nothing_stays_of_what_was_killed():
    found = residue.run(INSTANTS, seed=2)
    assert found.left == []
    assert found.instants == INSTANTS
    assert 0 < found.callers < INSTANTS


@pytest.mark.parametrize(
    ("leave", "text"),
    [
        ("open(os.environ['TMPDIR'] + '/left', 'w')", "temporary file left"),
        ("open('/dev/shm/elsewhere-left-' + str(os.getpid()), 'w')", "/dev/shm/elsewhere-left-"),
        (
            "import subprocess; subprocess.Popen(['sleep', '100'], stdout=-3, start_new_session=True)",
            "1 processes were there",
        ),
        ("raise SystemExit('an Error')", "an Error"),
    ],
)
def test_what_stays_is_seen(monkeypatch, leave, text):
    monkeypatch.setattr(residue, "PATIENCE", 0.5)
    monkeypatch.setattr(residue, "ASKED", residue.ASKED + f"\n{leave}\n")
    found = residue.run(1, seed=1)
    for line in found.left:
        if line.startswith("/dev/shm/elsewhere-left-"):
            os.unlink(line)
    assert any(text in line for line in found.left)
