"""The examples of docs/xmlrpc.md are whole programs, and say what they print."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.ports import free_port
from tests.xmlrpc.raw import BOUND

PAGE = Path(__file__).parent.parent.parent / "docs" / "xmlrpc.md"


def test_the_examples_of_the_page():
    server, client = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    port = str(free_port())
    ready = 'print("ready", flush=True)\n    server.serve_forever()'
    server = server.replace("8000", port).replace("server.serve_forever()", ready)
    child = subprocess.Popen([sys.executable, "-c", server], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            done = subprocess.run(
                [sys.executable, "-c", client.replace("8000", port)],
                capture_output=True,
                text=True,
                check=False,
                timeout=BOUND,
            )
        finally:
            child.kill()
    assert done.stderr == ""
    assert done.stdout.splitlines() == re.findall(r"# ([\d ]+)$", client, re.MULTILINE) == ["32", "9 1024"]
