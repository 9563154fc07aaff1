"""What becomes of processes whose parent is killed: as with multiprocessing's, but daemons and helpers end with it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import elsewhere
from tests.process.work import METHODS

HEAD = """
import elsewhere, multiprocessing, os, signal, threading
def wait(name):
    os.write(1, f"{name} {os.getpid()} {os.getppid()}\\n".encode())
    while True: signal.pause()
def outlive(name):
    parent = elsewhere.parent_process()
    os.write(1, f"{name} {os.getpid()} {os.getppid()} {parent.is_alive()}\\n".encode())
    parent.join()
    os.write(1, f"{parent.is_alive()}\\n".encode())
"""


@contextlib.contextmanager
def running(program: str) -> Iterator[Any]:
    """An interpreter that runs this; killed at the end, with all that has outlived it."""
    command = [sys.executable, "-c", HEAD + program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as parent:
        try:
            yield parent
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(parent.pid, signal.SIGKILL)


def pids(line: str) -> tuple[int, int]:
    """Of a process and of its server, as it has said them."""
    _, pid, server, *_ = line.split()
    return os.pidfd_open(int(pid)), os.pidfd_open(int(server))


def ends(fd: int) -> bool:
    """Does it end within half a minute?"""
    ended = bool(select.select([fd], [], [], 30)[0])
    os.close(fd)
    return ended


@pytest.mark.parametrize("method", METHODS)
def test_one_that_is_no_daemon_goes_on_and_sees_that_its_parent_has_ended(method):
    program = f"""
elsewhere.set_start_method({method!r})
elsewhere.Process(target=outlive, args=("other",)).start()
wait("parent")
"""
    with running(program) as parent:
        lines = sorted(parent.stdout.readline() for _ in range(2))
        assert lines[0].endswith(" True\n")
        child, server = pids(lines[0])
        parent.kill()
        assert parent.stdout.readline().startswith("False")
        assert ends(child)
        assert ends(server), "the fork server is there only for those that go on"
        assert parent.stdout.read() == ""


@pytest.mark.parametrize("method", METHODS)
def test_a_daemon_ends_with_its_parent_beside_one_that_goes_on(method):
    program = f"""
elsewhere.set_start_method({method!r})
elsewhere.Process(target=wait, args=("daemon",), daemon=True).start()
elsewhere.Process(target=wait, args=("other",)).start()
wait("parent")
"""
    with running(program) as parent:
        lines = sorted(parent.stdout.readline() for _ in range(3))
        (daemon, server), (other, _) = pids(lines[0]), pids(lines[1])
        os.close(_)
        parent.kill()
        assert ends(daemon)
        assert not select.select([other, server], [], [], 0)[0]
        signal.pidfd_send_signal(other, signal.SIGTERM)
        assert ends(other)
        assert ends(server)


@pytest.mark.parametrize(
    "program",
    [
        "elsewhere.call(wait, 'one that serves a call')",
        "with elsewhere.Pool(1) as pool: pool.apply(wait, ('a worker',))",
        """
def start_one():
    process = elsewhere.Process(target=wait, args=("started by a worker",))
    process.start()
    process.join()
with elsewhere.Pool(1) as pool: pool.apply(start_one)
""",
        """
def start_in_process():
    with elsewhere.Pool(1) as pool: pool.apply(wait, ("a worker",))
elsewhere.Process(target=start_in_process, daemon=True).start()
signal.pause()
""",
    ],
    ids=["call", "worker", "of a worker", "worker of a daemon"],
)
def test_helpers_end_with_whom_they_help(program):
    with running(program) as parent:
        line = parent.stdout.readline()
        child, server = pids(f"_ {' '.join(line.split()[-2:])}")
        parent.kill()
        assert ends(child)
        assert ends(server)


def test_a_parent_that_ends_in_order_waits_or_kills():
    program = """
ready = elsewhere.Semaphore(0)
def leave_it_running():
    def say_and_wait():
        print(os.getpid(), flush=True)
        ready.release()
        while True: signal.pause()
    elsewhere.Process(target=say_and_wait, daemon=True).start()
    ready.acquire()
elsewhere.Process(target=leave_it_running).start()
"""
    with running(program) as parent:
        pid = int(parent.stdout.readline())
        assert parent.wait(30) == 0
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_who_is_told_by_its_parents_end_does_not_take_another_process_for_it():
    first, second = elsewhere.Pipe(duplex=False)
    with first:
        process = elsewhere.Process(target=say_of_its_parent, args=(second,))
        process.start()
        second.close()
        assert first.recv() == (os.getpid(), True)
        process.join()
        process.close()


def say_of_its_parent(end: Any) -> None:
    parent = elsewhere.parent_process()
    assert parent is not None
    with end:
        end.send((parent.pid, parent.is_alive()))
