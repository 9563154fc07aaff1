"""The caller's process ends, in whatever way: its workers, its fork server and its files are gone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess

import pytest

from tests.faults.helpers import Ends, family, script, until

AT_ONCE = 10.0  # seconds: one is promised, and a busy machine may have no core for so many processes

RUNNING = """
import os, signal, sys, threading
import elsewhere
from tests.faults.faults import endless_c, ignore_interrupt, same, wait_for_ever

post, context = sys.argv[1], sys.argv[2]
pool = elsewhere.Pool(3, context=context)
pool.map(same, range(100))
"""
CALLS = """
futures = [pool.submit(function, post) for function in (endless_c, wait_for_ever, ignore_interrupt)]
futures[0].result()
"""
CONTEXTS = ["forkserver", "spawn", "fork"]


def shared_memory():
    return set(os.listdir("/dev/shm"))


@pytest.mark.parametrize("context", CONTEXTS)
def test_killed(tmp_path, post, context):
    before = shared_memory()
    with script(tmp_path, RUNNING + CALLS, post.path, context) as program:
        pids = {post.pid() for _ in range(3)}
        members = family(program.pid)
        assert pids < set(members)
        with Ends(*members) as ends:
            os.kill(program.pid, signal.SIGKILL)
            assert ends.within(AT_ONCE)
        assert program.end() == -signal.SIGKILL
        assert program.left == []
        assert program.errors() == ""
    assert shared_memory() <= before


@pytest.mark.parametrize("context", CONTEXTS)
def test_killed_together_with_its_fork_server(tmp_path, post, context):
    with script(tmp_path, RUNNING + CALLS, post.path, context) as program:
        pids = {post.pid() for _ in range(3)}
        members = family(program.pid)
        servers = set(members) - pids
        with Ends(*members) as ends:
            os.kill(program.pid, signal.SIGKILL)
            for pid in servers:
                os.kill(pid, signal.SIGKILL)
            assert ends.within(AT_ONCE)
        assert program.left == []


def test_killed_while_its_workers_start(tmp_path, post):
    text = "import elsewhere\nelsewhere.Pool(8)\nprint('made', flush=True)\nimport time; time.sleep(1000)"
    with script(tmp_path, text) as program:
        program.line()
        os.kill(program.pid, signal.SIGKILL)
        program.end()
        # What is started just then says so itself, by the environment that only this program has.
        until(lambda: not carrying(f"TMPDIR={program.temp}"), AT_ONCE)


def carrying(entry):
    """The processes that have this in their environment."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                with open(f"/proc/{name}/environ", "rb") as file:
                    entries = file.read().split(b"\0")
            except OSError:
                continue
            if entry.encode() in entries:
                found.append(int(name))
    return found


@pytest.mark.parametrize("context", CONTEXTS)
def test_terminated(tmp_path, post, context):
    with script(tmp_path, RUNNING + CALLS, post.path, context) as program:
        members = [post.pid() for _ in range(3)] and family(program.pid)
        with Ends(*members) as ends:
            os.kill(program.pid, signal.SIGTERM)
            assert ends.within(AT_ONCE)
        assert program.end() == -signal.SIGTERM
        assert program.left == []


def test_terminated_as_a_group(tmp_path, post):
    """As a supervisor, or `timeout`, does it."""
    with script(tmp_path, RUNNING + CALLS, post.path, "forkserver") as program:
        members = [post.pid() for _ in range(3)] and family(program.pid)
        with Ends(*members) as ends:
            os.killpg(program.pid, signal.SIGTERM)
            assert ends.within(AT_ONCE)
        assert program.end() == -signal.SIGTERM
        assert program.errors() == ""


def test_terminated_with_a_handler_that_exits(tmp_path, post):
    text = RUNNING + "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n" + CALLS
    with script(tmp_path, text, post.path, "forkserver") as program:
        members = [post.pid() for _ in range(3)] and family(program.pid)
        with Ends(*members) as ends:
            os.kill(program.pid, signal.SIGTERM)
            assert program.end() == 143
            assert ends.within(AT_ONCE)
        assert program.left == []
        assert "calls were lost" in program.errors()
        assert "Traceback" not in program.errors()


def test_terminated_as_process_1_of_a_container(tmp_path, post):
    command = [shutil.which("unshare") or "unshare", "--pid", "--fork", "--mount-proc"]
    try:
        subprocess.run([*command, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no process namespaces here: {error}")
    import sys

    # Process 1 gets no signal that it has no handler for.
    text = RUNNING + "print(os.getpid(), flush=True)\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n" + CALLS
    with script(tmp_path, text, post.path, "forkserver", command=[*command, sys.executable]) as program:
        assert program.line() == "1"
        members = [post.pid() for _ in range(3)] and family(program.pid)
        assert len(members) == 5  # process 1, the fork server and three workers
        with Ends(*members) as ends:
            os.kill(members[0], signal.SIGTERM)
            assert ends.within(2 * AT_ONCE)  # an orderly exit first
        assert program.end() == 143
        assert program.left == []


def test_losses_as_process_1_of_a_container_leave_no_zombie(tmp_path):
    command = [shutil.which("unshare") or "unshare", "--pid", "--fork", "--mount-proc"]
    try:
        subprocess.run([*command, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no process namespaces here: {error}")
    import sys

    text = """
import os, signal, sys
import elsewhere
from tests.faults.faults import KillAt, same
from tests.faults.helpers import family, until

if __name__ == "__main__":
    with elsewhere.Pool(2) as pool:
        for _ in range(3):
            lost = [error for error in pool.map(KillAt(5), range(10), return_exceptions=True) if error != 5][5]
            assert isinstance(lost, elsewhere.WorkerLost), lost
        until(lambda: len(pool._driver.workers()) == 2)  # who is killed before it said its pid, nobody can reap
        os.kill(pool._driver._launcher._server.pid, signal.SIGKILL)
        assert pool.options(retry=3).map(same, range(10)) == list(range(10))
        until(lambda: len(family(1)) == 3)
    print("left", [pid for pid in family(1)][1:])
"""
    with script(tmp_path, text, command=[*command, sys.executable]) as program:
        assert program.line(20) == "left []"
        assert program.end() == 0


def test_a_forked_child_that_holds_everything_keeps_no_worker(tmp_path, post):
    fork = """
if not os.fork():
    os.setsid()
    print(os.getpid(), flush=True)
    signal.pause()
"""
    with script(tmp_path, RUNNING + fork + CALLS, post.path, "forkserver") as program:
        child = int(program.line())
        members = [post.pid() for _ in range(3)] and set(family(program.pid)) - {child}
        with Ends(*members) as ends, Ends(child) as holder:
            try:
                os.kill(program.pid, signal.SIGKILL)
                assert ends.within(AT_ONCE)
                assert holder.alive() == {child}
            finally:
                os.kill(child, signal.SIGKILL)


def test_a_program_that_a_call_started_keeps_no_worker(tmp_path, post):
    start = """
import subprocess
def start(_):
    return subprocess.Popen(["sleep", "1000"], start_new_session=True, stdout=subprocess.DEVNULL).pid
print(pool.apply(start, (0,)), flush=True)
"""
    with script(tmp_path, RUNNING + start + CALLS, post.path, "forkserver") as program:
        daemon = int(program.line())
        members = [post.pid() for _ in range(3)] and set(family(program.pid)) - {daemon}
        with Ends(*members) as ends, Ends(daemon) as holder:
            try:
                os.kill(program.pid, signal.SIGKILL)
                assert ends.within(AT_ONCE)
                assert holder.alive() == {daemon}
            finally:
                os.kill(daemon, signal.SIGKILL)


# ---- an orderly end --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("context", CONTEXTS)
def test_a_pool_forgotten_at_the_end_of_the_program(tmp_path, post, context):
    text = RUNNING + CALLS.replace("futures[0].result()", "sys.stdin and post_all()").replace(
        "futures =", "def post_all(): print('end', flush=True)\nfutures ="
    )
    with script(
        tmp_path, text + "import time; open(sys.argv[3]).read()\n", post.path, context, gate(tmp_path)
    ) as program:
        assert program.line() == "end"
        members = [post.pid() for _ in range(3)] and family(program.pid)
        with Ends(*members) as ends:
            (tmp_path / "gate").write_text("")  # it comes to its end
            assert program.end() == 0
            assert ends.within(AT_ONCE)
        errors = program.errors()
        assert errors.count("Warning") == 1
        assert "3 calls were lost" in errors
        assert program.left == []


def gate(folder):
    os.mkfifo(folder / "gate")
    return folder / "gate"


@pytest.mark.parametrize("rest", ["", "pool.close()", "del pool", "sys.exit(0)", "pool.terminate()"])
def test_an_idle_pool_ends_with_the_program_in_silence(tmp_path, rest):
    with script(tmp_path, RUNNING + rest, "", "forkserver") as program:
        assert program.end() == 0
        assert program.errors() == ""
        assert program.left == []


def test_an_exception_ends_the_program(tmp_path):
    with script(tmp_path, RUNNING + "1/0", "", "forkserver") as program:
        assert program.end() == 1
        assert program.errors().count("Traceback") == 1
        assert program.errors().endswith("ZeroDivisionError: division by zero\n")


def test_os_exit_in_the_caller(tmp_path, post):
    text = RUNNING + CALLS.replace("futures[0].result()", "open(sys.argv[3]).read(); os._exit(3)")
    with script(tmp_path, text, post.path, "forkserver", gate(tmp_path)) as program:
        members = [post.pid() for _ in range(3)] and family(program.pid)
        with Ends(*members) as ends:
            (tmp_path / "gate").write_text("")
            assert program.end() == 3
            assert ends.within(AT_ONCE)
        assert program.left == []
