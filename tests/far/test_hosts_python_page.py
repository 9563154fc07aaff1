"""docs/hosts-python.md: its program runs as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.helpers import environment
from tests.cli.hosts.helpers import Home
from tests.fleet.sshd import sshd

PAGE = Path(__file__).parents[2] / "docs" / "hosts-python.md"


@pytest.mark.slow
def test_the_program_of_the_page(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    with sshd(tmp_path, [f"127.23.0.{n}" for n in (1, 2)]) as server:
        home = Home.make(tmp_path / "home", server)
        program = home.work / "program.py"
        program.write_text("".join(blocks))
        done = subprocess.run(
            [sys.executable, program],
            cwd=home.work,
            env=environment(**home.variables),
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "[web1] looking into /etc\n" in done.stdout
    assert "[web2] looking into /etc\n" in done.stdout
