"""The check after every test finds what a test leaks, names it, and lets pass what lives on by design."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator
from multiprocessing import shared_memory
from pathlib import Path

import pytest

from tests import leaks
from tests.leaks import SUPPORTED, Snapshot, left_behind

ROOT = Path(__file__).parent.parent
SHORT = 0.05  # seconds of patience with what is known to stay

pytestmark = pytest.mark.skipif(not SUPPORTED, reason="the check reads Linux's /proc")


@pytest.fixture
def before() -> Snapshot:
    return Snapshot.take()


@contextlib.contextmanager
def sleeping(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that says a line and then waits until it is killed."""
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_child_is_found_and_named(before):
    with sleeping("sleep", "1234"):
        found = left_behind(before, SHORT)
    assert any("sleep 1234" in leak and leak.startswith("process ") for leak in found)
    assert left_behind(before, 5) == []


def test_a_grandchild_is_found(before):
    with sleeping("sh", "-c", "sleep 1235 & echo $!; wait") as process:
        assert process.stdout
        grandchild = int(process.stdout.readline())
        found = left_behind(before, SHORT)
        os.kill(grandchild, signal.SIGKILL)
    assert any("sleep 1235" in leak for leak in found)


def test_an_orphan_is_found_when_its_parents_are_gone(before):
    shell = subprocess.run(
        ["sh", "-c", "sleep 1236 >/dev/null & echo $!"], stdout=subprocess.PIPE, text=True, check=True
    )
    found = left_behind(before, SHORT)
    os.kill(int(shell.stdout), signal.SIGKILL)
    assert any(leak.startswith(f"process {int(shell.stdout)}: sleep 1236") for leak in found)


def test_a_child_that_nobody_waited_for_is_found(before):
    with sleeping("true") as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        found = left_behind(before, SHORT)
    assert any("zombie" in leak for leak in found)


def test_a_thread_is_found_and_named(before):
    go = threading.Event()
    thread = threading.Thread(target=go.wait, name="forgotten")
    thread.start()
    found = left_behind(before, SHORT)
    go.set()
    thread.join()
    assert found == ["thread 'forgotten'"]


@pytest.mark.parametrize("kind", ["file", "pipe", "socket", "a second of the same"])
def test_a_file_descriptor_is_found_and_named(kind, tmp_path):
    with contextlib.ExitStack() as stack:
        if kind == "a second of the same":
            stack.enter_context(open(os.devnull))
        before = Snapshot.take()
        if kind == "file":
            stack.enter_context(open(tmp_path / "left.txt", "w"))
            expected = "left.txt"
        elif kind == "pipe":
            for fd in os.pipe():
                stack.callback(os.close, fd)
            expected = "pipe:"
        elif kind == "socket":
            port = stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
            expected = f"bound to ('127.0.0.1', {port})"
        else:
            stack.enter_context(open(os.devnull))
            expected = os.devnull
        found = left_behind(before, SHORT)
    assert found
    assert all(leak.startswith("file descriptor ") and expected in leak for leak in found)


def test_a_number_used_again_for_something_else_is_found(tmp_path):
    old = os.open(os.devnull, os.O_RDONLY)
    before = Snapshot.take()
    os.close(old)
    new = os.open(tmp_path, os.O_RDONLY)
    found = left_behind(before, SHORT)
    os.close(new)
    assert new == old
    assert found == [f"file descriptor {new} -> {tmp_path}"]


def test_a_block_of_shared_memory_is_found_and_named(before):
    block = shared_memory.SharedMemory(create=True, size=64)
    block.close()  # but not unlinked
    found = left_behind(before, SHORT)
    block.unlink()
    assert f"shared memory /dev/shm/{block.name}" in found


def test_a_block_that_a_stranger_uses_is_the_strangers():
    path = Path(f"{leaks.SHM}/elsewhere-test-{os.getpid()}")
    before = Snapshot.take()
    path.write_bytes(bytes(4096))
    holder = f"import mmap; f = open({str(path)!r}, 'r+b'); m = mmap.mmap(f.fileno(), 0); print(flush=True); input()"
    stranger = {name: value for name, value in os.environ.items() if name != leaks.MARK}
    # A shell that starts the holder and ends: without parent and mark, the holder is a stranger.
    with subprocess.Popen(
        ["sh", "-c", 'exec 3<&0; "$@" <&3 &', "sh", sys.executable, "-c", holder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=stranger,
    ) as shell:
        assert shell.stdin
        assert shell.stdout
        try:
            shell.stdout.readline()
            shell.wait()
            held = left_behind(before, SHORT)
        finally:
            shell.stdin.write(b"\n")
            shell.stdin.close()
            shell.stdout.read()  # ends when the holder has ended
            after = left_behind(before, SHORT)
            path.unlink()
    assert f"shared memory {path}" not in held
    assert f"shared memory {path}" in after


def test_a_temporary_file_is_found_and_named(before):
    path = Path(tempfile.mkdtemp(prefix="forgotten-"))
    found = left_behind(before, SHORT)
    path.rmdir()
    assert found == [f"temporary file {path}"]


def test_what_is_on_its_way_out_is_waited_for(before):
    process = subprocess.Popen(["sleep", "0.2"])
    threading.Thread(target=process.wait, name="reaper").start()
    assert left_behind(before, 5) == []


def test_garbage_is_no_leak(before):
    class Holder:
        def __init__(self):
            self.myself = self
            self.fd = os.open(os.devnull, os.O_RDONLY)

        def __del__(self):
            os.close(self.fd)

    Holder()
    assert left_behind(before, 1) == []


def test_the_helpers_of_multiprocessing_live_on(before):
    context = multiprocessing.get_context("forkserver")
    process = context.Process(target=time.monotonic)
    process.start()
    process.join()
    process.close()
    assert left_behind(before, 5) == []


def run_pytest(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on one file under our conftest, in a process of its own."""
    (folder / "conftest.py").write_text("from tests.conftest import *\n")
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = bound(seconds)\nfilterwarnings = error\n")
    (folder / "test_it.py").write_text(textwrap.dedent(source))
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--basetemp", folder / "base", folder],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder)},  # a run that is ended leaves its own
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_a_test_that_leaks_ends_in_an_error_that_names_the_leak(tmp_path):
    run = run_pytest(
        tmp_path,
        """
        import os, subprocess, tempfile, threading
        import pytest
        import tests.conftest
        tests.conftest.PATIENCE = 0.1

        def test_leaks():
            global process
            process = subprocess.Popen(["sleep", "30"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            threading.Thread(target=threading.Event().wait, name="forgotten", daemon=True).start()
            os.pipe()
            tempfile.mkdtemp(prefix="forgotten-")

        def test_is_not_blamed_for_what_was_there_before():
            process.kill()
            process.wait()
        """,
    )
    assert "2 passed, 1 error" in run.stdout
    for leak in ["sleep 30", "thread 'forgotten' (daemon)", "-> pipe:", "temporary file"]:
        assert leak in run.stdout
    assert run.returncode == 1


@pytest.mark.parametrize("where", ["setup", "call", "teardown after a failure"])
def test_a_hang_dumps_every_thread_and_ends_the_run(where, tmp_path):
    run = run_pytest(
        tmp_path,
        f"""
        import threading
        import pytest

        @pytest.fixture
        def thing():
            if {where!r} == "setup":
                hang_here()
            yield
            if {where!r} == "teardown after a failure":
                hang_here()

        def hang_here():
            thread = threading.Thread(target=beside, daemon=True)
            thread.start()
            thread.join()

        def beside():
            threading.Event().wait()

        @pytest.mark.bound(0.5)
        def test_hangs(thing):
            if {where!r} == "call":
                hang_here()
            raise ValueError("as planned")
        """,
    )
    assert run.returncode == 1
    assert "Timeout (0:00:00.500000)!" in run.stderr
    assert "in hang_here" in run.stderr
    assert "in beside" in run.stderr
