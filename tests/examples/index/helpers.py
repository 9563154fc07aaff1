"""The text index as its users have it: its programs in processes of their own, its modules, and files of many kinds."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.require import ROOT

EXAMPLE = ROOT / "examples" / "index"
MODULES = ("corpus", "indexer", "postings", "search", "service", "store", "words")
DASK = "pip install 'elsewhere[dask]'"
BOUND = 100  # seconds for a program to end; the tests' own bound is 120


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "src"), **more}


def run(program: str, *words: str | Path, status: int = 0, **more: str) -> subprocess.CompletedProcess[str]:
    """Run one of the programs to its end."""
    done = subprocess.run(
        [sys.executable, EXAMPLE / f"{program}.py", *words],
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        check=False,
        timeout=BOUND,
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done


@contextlib.contextmanager
def serving(index: Path, *binds: str) -> Iterator[list[str]]:
    """The service as a program; the addresses that it says."""
    words = [word for bind in binds for word in ("--bind", bind)]
    with subprocess.Popen(
        [sys.executable, EXAMPLE / "service.py", index, *words],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        try:
            said = process.stderr.readline()
            assert said.startswith("serving at "), said + process.stderr.read()
            yield said.removeprefix("serving at ").strip().split(", ")
            process.send_signal(signal.SIGTERM)
            assert process.stderr.read() == ""
            process.wait(BOUND)
        finally:
            process.kill()


def odd_files(folder: Path) -> dict[str, str]:
    """Files that an index meets in real life; of each that has no words to find, why."""
    folder.mkdir()
    (folder / "latin.txt").write_bytes("Straße nach Köln, quokka".encode("latin-1"))
    (folder / "wide.txt").write_bytes("wombat в лесу".encode("utf-16"))
    (folder / "marked.txt").write_bytes("numbat".encode("utf-8-sig"))
    (folder / "parts.txt").write_text("cafe\N{COMBINING ACUTE ACCENT} bilby")
    (folder / "long.txt").write_text(f"{'x' * 101} {'y' * 100}")
    (folder / "empty.txt").touch()
    os.close(os.open(os.fsencode(folder) + b"/caf\xe9.txt", os.O_CREAT))
    (folder / "image.txt").write_bytes(b"GIF89a\0\0")
    (folder / "broken.txt").symlink_to("/proc/self/mem")  # even root has an error when it reads there
    (folder / ".hidden.txt").write_text("hidden")
    (folder / "code.bin").write_text("no text by its name")
    (folder / "gone.txt").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.txt")
    return {"image.txt": "it is binary", "broken.txt": "Input/output error"}
