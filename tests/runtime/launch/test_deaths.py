"""Whoever dies, nothing is left: callers that are processes of their own, and all the ways to end them."""

import os
import signal

import pytest

from tests.runtime.launch.helpers import METHODS, Ends, caller

methods = pytest.mark.parametrize("method", METHODS)

# Two pools of two workers; then says who is who, and waits.
POOLS = """
import sys
one, two = Lab(sys.argv[1]), Lab(sys.argv[1])
for each in (one, two):
    each.start(1, 2)
workers = [each.pid(key) for each in (one, two) for key in (1, 2)]
"""
# They do not end of themselves when the caller hangs up, as a call that runs would not.
BUSY = "[each.tell(key, '[signal.pause() for _ in iter(int, 1)]') for each in (one, two) for key in (1, 2)]\n"
SAY = "print(json.dumps([[one.server, two.server], workers]), flush=True)\n"
WAIT = "sys.stdin.read()\n"


@methods
def test_caller_is_killed(method):
    with (
        caller(POOLS + BUSY + SAY + WAIT, method) as (process, (servers, workers)),
        Ends(*servers, *workers) as all_of_them,
    ):
        process.kill()
        assert all_of_them.within(10)


@methods
def test_caller_and_servers_are_killed(method):
    with (
        caller(POOLS + BUSY + SAY + WAIT, method) as (process, (servers, workers)),
        Ends(*servers, *workers) as all_of_them,
    ):
        for server in set(servers):
            os.kill(server, signal.SIGSTOP)  # so that only the kernel is left to end the workers
        process.kill()
        for server in set(servers):
            os.kill(server, signal.SIGKILL)
        assert all_of_them.within(10)


@methods
def test_caller_ends_without_closing(method):
    with caller(POOLS + BUSY + SAY, method) as (process, (servers, workers)):
        assert process.wait(20) == 0
    assert not [pid for pid in {*servers, *workers} if os.path.exists(f"/proc/{pid}")]


@methods
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_to_the_group_leaves_nothing(method, signum):
    with (
        caller(POOLS + BUSY + SAY + WAIT, method) as (process, (servers, workers)),
        Ends(*servers, *workers) as all_of_them,
    ):
        os.killpg(process.pid, signum)
        assert process.wait(20) == -signum
        assert all_of_them.within(10)


@methods
def test_a_caller_that_survives_the_signal_still_has_its_server(method):
    survive = """
for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP):
    signal.signal(each, lambda *_: None)
"""
    after = """
os.killpg(0, signal.SIGINT), os.killpg(0, signal.SIGTSTP), os.killpg(0, signal.SIGQUIT), os.killpg(0, signal.SIGTERM)
one.wait("Exited", 2), two.wait("Exited", 2)
one.start(3)
assert one.ask(3, "3") == 3
print("fine", flush=True)
"""
    quiet = "signal.signal(signal.SIGTSTP, signal.SIG_IGN)"  # or the workers stop, and die of the next signals later
    ask = f"[each.ask(key, {quiet!r}) for each in (one, two) for key in (1, 2)] and None\n".replace(
        "signal.SIG_IGN)", "signal.SIG_IGN) and None"
    )
    with caller(POOLS + ask + survive + SAY + after, method, stderr=-1) as (process, _):
        out, err = process.communicate(timeout=20)
        assert out == "fine\n"
        assert "Traceback" not in err


def test_ctrl_c_leaves_no_traceback():
    for method in METHODS:
        with caller(POOLS + BUSY + SAY + WAIT, method, stderr=-1) as (process, (servers, workers)):
            with Ends(*servers, *workers) as all_of_them:
                os.killpg(process.pid, signal.SIGINT)
                _, err = process.communicate(timeout=20)
                assert all_of_them.within(10)
            assert err.count("Traceback") == 1, err  # the caller's own


@methods
def test_a_fork_by_the_user_keeps_nothing_alive(method):
    fork = """
child = os.fork()
if child == 0:
    assert not [fd for fd, name in links("self").items() if fd > 2 and name in names]
    one.close()  # no more of the child's business
    print(json.dumps([[one.server, two.server], workers, os.getpid()]), flush=True)
    signal.pause()
"""
    names = "names = [links('self')[each.launcher._channel.fileno()] for each in (one, two)]\n"
    names += "names += [links('self')[fd] for _, fd in servers.shared()]\n"
    script = POOLS + BUSY + names + fork + WAIT
    with (
        caller(script, method) as (process, (servers, workers, child)),
        Ends(*servers, *workers) as all_of_them,
        Ends(child) as stranger,
    ):
        process.kill()
        assert all_of_them.within(10)
        assert stranger.alive()
        os.kill(child, signal.SIGKILL)


def test_a_stranger_with_our_descriptors_cannot_hold_up_the_news():
    """A worker's own child outlives it: the worker's end is told by wait, not by the end of a channel."""
    script = """
with lab() as it:
    it.start(1)
    child = it.ask(1, "__import__('subprocess').Popen(['sleep', '60'], close_fds=False).pid")
    it.launcher.signal(1, 9)
    print(it.wait("Exited", seconds=20)[0].status, flush=True)
    os.kill(child, 9)
"""
    with caller(script) as (_, status):
        assert status == -9
