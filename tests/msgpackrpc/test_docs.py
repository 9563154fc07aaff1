"""The examples of docs/msgpackrpc.md are whole programs, and say what they print."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.msgpackrpc.helpers import BOUND, line_of, process
from tests.ports import free_port

PAGE = Path(__file__).parent.parent.parent / "docs" / "msgpackrpc.md"


def test_the_examples_of_the_page():
    server, client = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    port = str(free_port())
    ready = 'print("ready", flush=True)\nserver.start()'
    with process(server.replace("6789", port).replace("server.start()", ready)) as child:
        assert line_of(child) == "ready"
        done = subprocess.run(
            [sys.executable, "-c", client.replace("6789", port)],
            capture_output=True,
            text=True,
            check=False,
            timeout=BOUND,
        )
    assert done.stderr == ""
    assert done.stdout.split() == re.findall(r"# (\d+)$", client, re.MULTILINE) == ["16", "18"]
