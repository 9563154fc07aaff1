"""Runs programs of `examples/` as their reader would: a process each, in a folder of its own, with free ports.

What they should print stands on the pages of the documentation, in ``console`` blocks: ``$ python examples/pool.py``
with what comes of it below, where ``...`` stands for anything. `told` finds it, and `matches` compares.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
PAGES = sorted((ROOT / "docs").rglob("*.md"))
PATIENCE = 60.0  # seconds for what takes a moment on a quiet machine
PORTS = ("6789", "7000", "7001", "7002", "8000", "8080")  # those that the programs name


def told(name: str) -> str:
    """What a page of the documentation says that the program prints.

    Raises:
        AssertionError: no page says it, or two.
    """
    found = []
    for page in PAGES:
        for block in re.findall(r"^```console[^\n]*\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
            for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                command, _, output = part.partition("\n")
                if command.split()[:2] == ["python", f"examples/{name}"] and output:
                    found.append(output)
    assert len(found) == 1, f"the output of {name} stands on {len(found)} places"
    return found[0]


def matches(said: str, expected: str) -> bool:
    """Is it what was to come? ``...`` stands for anything within a line, and for any lines where it is alone in one.

    Of a bar the last line counts; how many there are before it is a matter of time.
    """
    said = re.sub(r"^\w+: [\d,]+/[\d,]+ (?!.* in ).*\n", "", said, flags=re.MULTILINE)
    lines = ["(?:.*\n)*" if line == "...\n" else re.escape(line) for line in expected.splitlines(keepends=True)]
    return re.fullmatch("".join(lines).replace(r"\.\.\.", ".*"), said) is not None


def copied(folder: Path, *, more: dict[str, str] | None = None) -> Path:
    """A folder with `examples/` in it, each of its ports replaced by a free one; and `more`, text by text."""
    shutil.copytree(EXAMPLES, folder / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    ports = {port: str(free_port()) for port in PORTS}
    for file in (folder / "examples").glob("*.py"):
        text = file.read_text()
        for port, free in ports.items():
            text = re.sub(rf"\b{port}\b", free, text)
        for old, new in (more or {}).items():
            text = text.replace(old, new)
        file.write_text(text)
    return folder


def environment(**more: str) -> dict[str, str]:
    """Ours is importable, and output comes as it is written."""
    return {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONUNBUFFERED": "1", **more}


def run(folder: Path, name: str, *words: str, code: int = 0, **more: str) -> str:
    """What the program writes, to stdout and stderr together."""
    done = subprocess.run(
        [sys.executable, f"examples/{name}", *words],
        cwd=folder,
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == code, done.stdout
    return done.stdout


@contextlib.contextmanager
def serving(folder: Path, name: str) -> Iterator[subprocess.Popen[str]]:
    """The program, which serves at all addresses that it names; at the end it is sent Ctrl-C, and must end well."""
    addresses = re.findall(r"(\w+)://localhost:(\d+)", (folder / "examples" / name).read_text())
    assert addresses
    says = "service.serve(" in (folder / "examples" / name).read_text()
    with subprocess.Popen(
        [sys.executable, f"examples/{name}"],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            if says:  # before that line it may listen already, and take Ctrl-C as what ends its start
                said = process.stdout.readline() if process.stdout else ""
                assert re.match(r"serving at ", said), said + (process.stdout.read() if process.stdout else "")
            for scheme, port in addresses:
                _listens(process, scheme, int(port))
            yield process
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()


def _listens(process: subprocess.Popen[str], scheme: str, port: int) -> None:
    """Wait until it does; for datagrams, until it answers one."""
    end = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None, process.stdout.read() if process.stdout else ""
        assert time.monotonic() < end, f"nobody listens at {scheme}://localhost:{port}"
        kind = socket.SOCK_DGRAM if scheme == "udp" else socket.SOCK_STREAM
        with contextlib.suppress(OSError), socket.socket(type=kind) as client:
            client.connect(("127.0.0.1", port))
            if scheme != "udp":
                return
            client.send(b"are you there?")
            select.select([client], [], [], 1)
            if client.recv(100):
                return
        select.select([], [], [], 0.01)
