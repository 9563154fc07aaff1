"""Code, index and service on two hosts, which are two sshds of this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.examples.index.helpers import run
from tests.examples.index.hosts import NAMES, alive, pids


def roll_out(home: Path, index: Path, *words: str | Path, status: int = 0) -> str:
    command = (index, "--hosts", *NAMES, "--python", sys.executable, "--ask", "quokka", *words)
    done = run("rollout", *command, status=status, HOME=str(home))
    return done.stderr if status else done.stdout


def there(home: Path, name: str) -> Path:
    return home / name / "home" / "text-index"


@pytest.mark.slow
@pytest.mark.bound(300)
def test_rolled_out_again_and_not_over_a_bad_one(home, index, texts, ended):
    said = roll_out(home, index)
    assert [line.split(" ")[0] for line in said.splitlines()] == ["web1:", "web2:"]
    assert all(line.endswith("/odd/latin.txt") for line in said.splitlines())
    first = pids(home)
    assert len(set(first)) == 2
    assert (there(home, "web1") / "index").read_bytes() == index.read_bytes()

    assert roll_out(home, index) == said  # others run now
    second = pids(home)
    assert not set(first) & set(second)
    assert not any(map(alive, first))

    # A service that does not start ends it, and the host behind goes on as it is.
    (there(home, "web1") / "code" / "elsewhere.py").write_text("raise SystemExit('broken')")
    error = roll_out(home, index, status=1)
    assert "web1" in error
    assert "broken" in error
    assert pids(home)[1] == second[1]
    assert alive(second[1])


def test_a_python_without_elsewhere_is_said_before_anything_is_put(home, index, ended):
    before = sorted(home.glob("*/home/*"))
    error = roll_out(home, index, "--python", "/bin/false", status=1)
    assert "web1" in error
    assert sorted(home.glob("*/home/*")) == before
