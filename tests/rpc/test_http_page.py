"""The examples of docs/http.md, run as they stand there but for the port."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.helpers import environment
from tests.interop.peers import BOUND, program
from tests.require import require

PAGE = (Path(__file__).parents[2] / "docs" / "http.md").read_text()
BLOCKS = re.findall(r"^```(python|console)([^\n]*)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def examples(language):
    """Without the programs of examples/, which tests/examples runs."""
    return [text for kind, info, text in BLOCKS if kind == language and not info and "python examples/" not in text]


@pytest.fixture
def port(tmp_path):
    """The page's service, as the program that it says it is, on a port that is free."""
    [text] = [text for _, info, text in BLOCKS if "calculator.py" in info]
    (tmp_path / "calculator.py").write_text(text.replace("localhost:8000", "localhost:0"))
    words = [sys.executable, tmp_path / "calculator.py"]
    with program(*words, env=environment(), stderr=subprocess.PIPE) as child:
        found = re.match(r"serving at http://localhost:(\d+)", child.stderr.readline())
        assert found
        yield found[1]


def test_the_python_of_the_page(port):
    texts = examples("python")
    assert len(texts) == 2
    for text in texts:
        exec(compile(text.replace("localhost:8000", f"localhost:{port}"), "docs/http.md", "exec"), {"__name__": "page"})


def test_curl_as_the_page_has_it(port):
    require(program="curl", install=".ci/peers curl")
    parts = [part for text in examples("console") for part in text.split("$ ")[1:]]
    assert len(parts) == 4
    for part in parts:
        command, _, output = part.replace("localhost:8000", f"localhost:{port}").partition("\n")
        done = subprocess.run(
            ["bash", "-c", command.replace("curl -s", "curl -s --noproxy '*'")],
            capture_output=True,
            text=True,
            check=False,
            timeout=BOUND,
        )
        assert (done.stdout.rstrip("\n"), done.stderr) == (output.rstrip("\n"), ""), command
