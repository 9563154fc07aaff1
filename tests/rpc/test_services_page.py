"""The examples of docs/services.md, run as they stand there but for the port."""

from __future__ import annotations

import contextlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.helpers import environment, shell
from tests.ports import free_port

PAGE = (Path(__file__).parents[2] / "docs" / "services.md").read_text()
BLOCKS = re.findall(r"^```(python|console)([^\n]*)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def calculator(port, tmp_path):
    """The page's service, as the program that it says it is."""
    [(_, _, text)] = [block for block in BLOCKS if "calculator.py" in block[1]]
    (tmp_path / "calculator.py").write_text(text.replace("6789", str(port)))
    process = subprocess.Popen(
        [sys.executable, "calculator.py"], cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        assert process.stderr.readline().startswith("serving at ")
        yield
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()
        process.stderr.close()


def examples(language):
    """Without the programs of examples/, which tests/examples runs."""
    return [text for kind, info, text in BLOCKS if kind == language and not info and "python examples/" not in text]


def test_the_python_of_the_page(calculator, port):
    texts = examples("python")
    assert len(texts) == 2
    for text in texts:
        exec(compile(text.replace("6789", str(port)), "docs/services.md", "exec"), {"__name__": "page"})


def test_the_shell_of_the_page(calculator, port, tmp_path):
    [text] = examples("console")
    for part in text.split("$ ")[1:]:
        command, _, output = part.replace("6789", str(port)).partition("\n")
        ended = shell(*shlex.split(command)[1:], cwd=tmp_path)
        assert (ended.stdout, ended.stderr, ended.returncode) == (output, "", 0), command
