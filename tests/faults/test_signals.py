"""Ctrl-C, SIGUSR1, and waiting that takes long: what the caller sees of them."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import threading

import pytest

from elsewhere import Pool
from elsewhere.pool import pool as pool_module
from tests.faults.faults import block_until
from tests.faults.helpers import Ends, family, script, until

AT_ONCE = 10.0  # seconds: one is promised, and a busy machine may have no core for so many processes

START = """
import sys
import elsewhere
from elsewhere import Pool
from tests.faults.faults import endless_c, ignore_interrupt, same, wait_for_ever

post = sys.argv[1]
"""
INTERRUPTED = {
    "map": "with Pool(2) as pool: pool.map(wait_for_ever, [post] * 10)",
    "map, ignored by its function": "with Pool(2) as pool: pool.map(ignore_interrupt, [post] * 10)",
    "map, stuck in C": "with Pool(2) as pool: pool.map(endless_c, [post] * 10)",
    "map without a with block": "Pool(2).map(wait_for_ever, [post] * 10)",
    "map with a bar": "with Pool(2) as pool: pool.map(wait_for_ever, [post] * 10, progress=True)",
    "elsewhere.map": "elsewhere.map(wait_for_ever, [post] * 10)",
    "imap": "with Pool(2) as pool:\n    for each in pool.imap(wait_for_ever, [post] * 10): pass",
    "imap of a generator": "with Pool(2) as pool:\n    for e in pool.imap(wait_for_ever, iter([post] * 10)): pass",
    "imap_unordered": "with Pool(2) as pool:\n    for each in pool.imap_unordered(wait_for_ever, [post] * 10): pass",
    "result": "with Pool(2) as pool: [pool.submit(wait_for_ever, post) for _ in range(10)][0].result()",
    "get": "with Pool(2) as pool: pool.map_async(wait_for_ever, [post] * 10).get()",
    "leaving": "with Pool(2) as pool: [pool.submit(wait_for_ever, post) for _ in range(10)]",
    "fork": "with Pool(2, context='fork') as pool: pool.map(wait_for_ever, [post] * 10)",
    "spawn": "with Pool(2, context='spawn') as pool: pool.map(wait_for_ever, [post] * 10)",
    "await": """
import asyncio
async def main():
    with Pool(2) as pool:
        await asyncio.gather(*[pool.submit(wait_for_ever, post) for _ in range(10)])
asyncio.run(main())
""",
}


@pytest.mark.parametrize("name", INTERRUPTED)
def test_ctrl_c_raises_once_and_leaves_nothing(tmp_path, post, name):
    text = START + INTERRUPTED[name] + "\nprint('went on', flush=True)\n"
    with script(tmp_path, text, post.path) as program:
        assert [post.pid(), post.pid()]
        members = family(program.pid)
        with Ends(program.pid, *members) as ends:
            program.interrupt()
            assert ends.within(AT_ONCE)
        assert program.end() == -signal.SIGINT
        errors = program.errors()
        assert errors.endswith("\nKeyboardInterrupt\n")
        assert errors.count("KeyboardInterrupt\n") == 1 or name == "await"  # asyncio.run shows its cancellation too
        assert errors.count("wait_for_ever") <= 2  # the script's own line, never a worker's traceback
        assert "Warning" not in errors
        assert "in worker" not in errors
        assert program.left == []


def test_ctrl_c_in_join_leaves_a_pool_with_work(tmp_path, post):
    text = START + "pool = Pool(2); pool.map_async(wait_for_ever, [post] * 10); pool.close(); pool.join()"
    with script(tmp_path, text, post.path) as program:
        assert [post.pid(), post.pid()]
        members = family(program.pid)
        with Ends(program.pid, *members) as ends:
            program.interrupt()
            assert ends.within(AT_ONCE)
        assert program.end() == -signal.SIGINT
        assert program.errors().count("Traceback") == 1
        assert program.errors().count("10 calls were lost") == 1


def test_ctrl_c_that_is_caught(tmp_path, post):
    """The map is over; the pool is as good as before."""
    text = (
        START
        + """
with Pool(2) as pool:
    try:
        pool.map(wait_for_ever, [post] * 10)
    except KeyboardInterrupt:
        print(pool.map(same, range(3)), flush=True)
"""
    )
    with script(tmp_path, text, post.path) as program:
        assert [post.pid(), post.pid()]
        program.interrupt()
        assert program.line() == "[0, 1, 2]"
        assert program.end() == 0
        assert program.errors() == ""


def test_ctrl_c_while_workers_start(tmp_path):
    text = (
        START
        + """
with Pool(4) as pool:
    print("made", flush=True)
    pool.map(wait_for_ever, [None] * 10)
"""
    )
    with script(tmp_path, text, "") as program:
        program.line()
        program.interrupt()
        assert program.end() == -signal.SIGINT
        assert program.errors().count("Traceback") == 1
        assert program.errors().endswith("\nKeyboardInterrupt\n")


def test_ctrl_c_does_not_reach_a_call(tmp_path, post):
    """A program that handles Ctrl-C itself decides what happens: the workers go on."""
    text = (
        START
        + """
import signal
from tests.faults.faults import block_until
with Pool(1) as pool:
    signal.signal(signal.SIGINT, lambda *_: print("noted", flush=True))
    print(pool.submit(block_until, post, sys.argv[2]).result(), flush=True)
"""
    )
    os.mkfifo(tmp_path / "gate")
    with script(tmp_path, text, post.path, tmp_path / "gate") as program:
        post.pid()
        program.interrupt()
        assert program.line() == "noted"
        (tmp_path / "gate").write_text("")
        assert program.line() == "done"
        assert program.end() == 0


def ignored_signals(_=None):
    """The mask of ignored signals in a program that the call starts."""
    status = subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True, check=True).stdout
    return int(next(line for line in status.splitlines() if line.startswith("SigIgn")).split()[1], 16)


def blocked_signals(_=None):
    status = subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True, check=True).stdout
    return int(next(line for line in status.splitlines() if line.startswith("SigBlk")).split()[1], 16)


@pytest.mark.parametrize("context", ["forkserver", "spawn", "fork"])
def test_programs_started_by_a_call_inherit_the_usual_signals(context):
    with Pool(1, context=context) as pool:
        ignored = pool.apply(ignored_signals)
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGCHLD", "SIGURG", "SIGUSR1"):
            assert not ignored & 1 << getattr(signal, name) - 1, name
        assert pool.apply(blocked_signals) == 0


@pytest.mark.parametrize("context", ["forkserver", "spawn", "fork"])
def test_sigusr1_dumps_the_stack_of_every_worker(tmp_path, post, context):
    text = (
        START
        + """
pool = Pool(3, context=sys.argv[2])
futures = [pool.submit(function, post) for function in (wait_for_ever, endless_c, ignore_interrupt)]
for future in futures: future.result()
"""
    )
    with script(tmp_path, text, post.path, context) as program:
        pids = [post.pid(), post.pid(), post.pid()]
        os.kill(program.pid, signal.SIGUSR1)
        names = {"wait_for_ever", "endless_c", "ignore_interrupt"}
        until(lambda: all(f" in {name}\n" in program.errors() for name in names))
        caller, *stacks = program.errors().split("\nWorker ")
        assert "elsewhere/runtime/driving/pump.py" in caller  # with all its threads
        assert {int(stack.partition(":")[0]) for stack in stacks} == set(pids)
        for stack in stacks:  # each by itself
            assert sum(f" in {name}\n" in stack for name in names) == 1
        assert program.process.poll() is None


class Stream(io.StringIO):
    """Tells when the first line is written."""

    def __init__(self):
        super().__init__()
        self.written = threading.Event()

    def write(self, text):
        done = super().write(text)
        if "\n" in self.getvalue():
            self.written.set()
        return done


def test_leaving_a_block_that_waits_long_says_for_what(post, tmp_path, monkeypatch):
    monkeypatch.setattr(pool_module, "PATIENCE", 0.2)
    stream, gate = Stream(), tmp_path / "gate"
    os.mkfifo(gate)

    def let_go():
        assert stream.written.wait(10)
        gate.write_text("")

    thread = threading.Thread(target=let_go)
    thread.start()
    with contextlib.redirect_stderr(stream), Pool(1) as pool:
        future = pool.submit(block_until, post.path, str(gate))
        pool.submit(str, 5)
        post.pid()
    thread.join()
    assert future.result() == "done"
    (line,) = stream.getvalue().splitlines()
    assert "2 calls" in line
    assert "block_until" in line


def test_leaving_a_block_soon_says_nothing(capfd):
    with Pool(2) as pool:
        pool.map_async(str, range(1000))
    assert capfd.readouterr() == ("", "")
