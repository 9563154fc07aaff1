"""The original's own tests, from its source package, run on ours.

One line of them is moved: they start the server's thread and then take a lock that the thread gives back, so on a busy
machine it is given back before it is taken, and they wait for ever, on the original too.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.require import require

ROOT = Path(__file__).parents[2]

HELPER = """
from tests.ports import free_port as unused_port
"""


@pytest.mark.slow
def test_the_tests_of_the_original_pass(tmp_path):
    suite = require(file=".venv-msgpackrpc/sdist/test/test_msgpackrpc.py", install=".ci/peers original")
    (tmp_path / "helper.py").write_text(HELPER)  # the source package lacks it
    text = suite.read_text()
    start, take = "        self._thread.start()\n", "        lock.acquire()\n"
    assert text.count(start + take) == 1
    (tmp_path / "test_msgpackrpc.py").write_text(text.replace(start + take, take + start))
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-m", "elsewhere.msgpackrpc", "test_msgpackrpc.py", "--timeout-test"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"Ran 9 tests in .*\n\nOK\n", done.stderr), done.stderr
    assert "Warning" not in done.stderr
