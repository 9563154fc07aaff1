"""The examples of docs/sockets.md, as they stand there."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from elsewhere import net

TEXT = (Path(__file__).parents[2] / "docs" / "sockets.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
PRINTED = ["b'HELLO\\n'", "b'HELLO AGAIN\\n'", "b'abab'", "b'client'"]


def test_the_examples_run_one_after_the_other(tmp_path, certificates, monkeypatch, capsys):
    for name, file in {
        "server": "server",
        "clients": "authority",
        "authority": "authority",
        "client": "client",
    }.items():
        shutil.copy(getattr(certificates, file), tmp_path / f"{name}.pem")
    monkeypatch.chdir(tmp_path)
    names = {}
    programs = [block for block in BLOCKS if "serve_forever" not in block]
    assert len(programs) == len(PRINTED)
    for block in programs:
        exec(compile(block, "docs/sockets.md", "exec"), names)
    assert capsys.readouterr().out.splitlines() == PRINTED


def test_the_example_that_serves_until_a_signal(tmp_path):
    (serving,) = (block for block in BLOCKS if "serve_forever" in block)
    assert "localhost:7000" in serving
    assert "/run/" in serving
    program = BLOCKS[0].partition("\n\nwith ")[0] + "\n\nimport logging\n\nlogging.basicConfig(level=logging.INFO)\n"
    program += serving.replace("localhost:7000", "localhost:0").replace("/run/", f"{tmp_path}/")
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True) as run:
        said = run.stderr.readline()
        for address in re.findall(r"\w+://[^\s,]+", said):
            with net.connect(address) as connection:
                connection.sendall(b"hello\n")
                assert connection.recv_until() == b"HELLO\n"
        run.send_signal(signal.SIGTERM)
        assert run.wait(20) == 0
        assert run.stderr.read() == ""
    assert len(re.findall(r"\w+://", said)) == 2
