"""A pool on hosts: what dies, hangs or cannot be written there costs the calls that were in it, and says so."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import pytest

from elsewhere import ConnectionLost, ElsewhereError, Pool, Retry, WorkerLost
from tests.contract.work import Gate, hold, identity, pid_of, square, write_a_file
from tests.contract.yards import fleet_of
from tests.faults.helpers import Ends, until
from tests.fleet.conftest import ended, uvloop_has_its_pipe
from tests.fleet.sshd import sshd

__all__ = ["ended", "uvloop_has_its_pipe"]  # fixtures that are used by themselves: the engine ends with each test

ADDRESSES = ["127.26.0.11", "127.26.0.12"]
LOOK = 0.7  # seconds between two looks whether a host is still there; three unanswered ones end the connection


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with sshd(tmp_path_factory.mktemp("sshd"), ADDRESSES) as found:
        yield found


@pytest.fixture
def pool(server):
    with fleet_of(server) as fleet, Pool(2, where=fleet, on_exit="terminate") as pool:
        yield pool


@pytest.fixture
def gate(tmp_path):
    gate = Gate(tmp_path / "gate")
    yield gate
    gate.open()


def both_held(pool, gate, **options):
    """A call that runs on each host, and its worker's process there."""
    futures = [pool.options(**options).submit(hold, gate, number) for number in range(2)]
    for number in range(2):
        gate.wait_for("came", number)
    return futures, [int((gate.folder / f"came-{number}").read_text()) for number in range(2)]


def parent(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def session(pid):
    """The process of sshd that has the connection over which a process was started."""
    while "sshd" not in Path(f"/proc/{pid}/comm").read_text():
        pid = parent(pid)
    return pid


def test_an_interpreter_killed_mid_call_says_where_it_was(pool, gate):
    futures, pids = both_held(pool, gate)
    others = pool.map_async(square, range(100))
    os.kill(pids[0], signal.SIGKILL)
    error = futures[0].exception(30)
    assert isinstance(error, WorkerLost)
    assert (error.pid, error.exitcode, error.signal) == (pids[0], -9, "SIGKILL")
    assert any(address in str(error) for address in ADDRESSES)
    assert others.get(30) == [x * x for x in range(100)]
    gate.open()
    assert futures[1].result(30) == 1


def test_a_session_of_sshd_killed_costs_the_call_that_ran_there(pool, gate):
    futures, pids = both_held(pool, gate)
    others = pool.map_async(square, range(100))
    with Ends(pids[0]) as ends:
        os.kill(session(pids[0]), signal.SIGKILL)
        error = futures[0].exception(30)
        assert ends.within(20)  # it dies with its channel
    assert isinstance(error, WorkerLost)
    assert isinstance(error.__cause__, ConnectionLost)
    assert "may have run" in str(error)
    assert any(address in str(error) for address in ADDRESSES)
    assert others.get(30) == [x * x for x in range(100)]  # on a connection that was made anew
    gate.open()
    assert futures[1].result(30) == 1


def test_with_a_retry_a_killed_session_costs_nothing(pool, gate):
    futures, pids = both_held(pool, gate, retry=Retry(1, on=(WorkerLost,)))
    os.kill(session(pids[0]), signal.SIGKILL)
    until(lambda: gate.times("came", 0) == 2)
    gate.open()
    assert [future.result(30) for future in futures] == [0, 1]
    assert pool.statistics().retried == 1


def test_a_host_that_says_nothing_any_more_is_given_up(server, gate):
    with contextlib.ExitStack() as stack:
        fleet = stack.enter_context(fleet_of(server, keepalive=LOOK))
        pool = stack.enter_context(Pool(2, where=fleet, on_exit="terminate"))
        futures, pids = both_held(pool, gate)
        silent = session(pids[0])
        os.kill(silent, signal.SIGSTOP)
        try:
            error = futures[0].exception(60)
            assert isinstance(error, WorkerLost)
            assert isinstance(error.__cause__, ConnectionLost)
            # With a retry, as a busy machine may be silent for long, too:
            assert pool.map(square, range(100), retry=Retry(9, on=(WorkerLost,))) == [x * x for x in range(100)]
        finally:
            with Ends(pids[0]) as ends:
                os.kill(silent, signal.SIGKILL)
                assert ends.within(20)


def test_a_host_that_has_gone_leaves_its_calls_to_others(tmp_path, gate):
    """Nobody listens there any more: what it was in is lost, all else is done by the other host."""
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(sshd(folders[0], ADDRESSES[:1]))
        dies = stack.enter_context(contextlib.ExitStack())
        second = dies.enter_context(sshd(folders[1], ADDRESSES[1:]))
        hosts = [*fleet_of(first).hosts, *fleet_of(second, connect_timeout=5).hosts]
        fleet = stack.enter_context(type(fleet_of(first))(*hosts))
        pool = stack.enter_context(Pool(2, where=fleet, on_exit="terminate"))
        futures, pids = both_held(pool, gate)
        at = next(number for number, pid in enumerate(pids) if parent(session(pid)) == second.pid)
        dies.close()  # no new connections; and the one there is:
        os.kill(session(pids[at]), signal.SIGKILL)
        assert isinstance(futures[at].exception(30), WorkerLost)
        others = pool.map_async(square, range(100))
        gate.open()
        assert futures[1 - at].result(30) == 1 - at
        assert others.get(60) == [x * x for x in range(100)]


def test_when_all_hosts_have_gone_each_call_is_told(tmp_path, gate):
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(sshd(tmp_path, ADDRESSES))
        fleet = stack.enter_context(fleet_of(server, connect_timeout=5))
        pool = stack.enter_context(Pool(2, where=fleet, on_exit="terminate"))
        futures, pids = both_held(pool, gate)
        sessions = {session(pid) for pid in pids}
        with Ends(server.pid) as ends:  # nobody listens any more
            os.kill(server.pid, signal.SIGTERM)
            assert ends.within(20)
        for one in sessions:
            os.kill(one, signal.SIGKILL)
        waiting = pool.map_async(square, range(10))
        assert [type(future.exception(60)) for future in futures] == [WorkerLost, WorkerLost]
        error = waiting.exception(60)
        assert isinstance(error, ElsewhereError)
        assert any(address in str(error) for address in ADDRESSES)


def test_a_host_on_which_nothing_can_be_written(tmp_path):
    """A full disk, as far as a process can tell: nothing of ours needs one there."""
    full = 'ForceCommand ulimit -f 0; export TMPDIR=/nowhere; eval "$SSH_ORIGINAL_COMMAND"'
    with sshd(tmp_path, ADDRESSES, config=full) as server, fleet_of(server) as fleet, Pool(2, where=fleet) as pool:
        assert pool.map(square, range(100)) == [x * x for x in range(100)]
        assert pool.apply(identity, (b"x" * 1_000_000,)) == b"x" * 1_000_000
        with pytest.raises(OSError, match=r"File too large|No space left"):
            pool.apply(write_a_file, (str(tmp_path / "file"),))
        assert pool.apply(len, ([1, 2],)) == 2


@pytest.mark.parametrize("way", ["map", "imap_unordered"])
def test_sessions_killed_again_and_again_lose_nothing_with_a_retry(pool, way):
    """Under a map whose calls are repeated: each result comes exactly once."""
    view = pool.options(retry=Retry(100, on=(WorkerLost,)))
    found = view.map_async(square, range(3000)) if way == "map" else view.imap_unordered(square, iter(range(3000)))
    for _ in range(4):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has died with its session
            os.kill(session(view.submit(pid_of).result(60)), signal.SIGKILL)
    assert sorted(found.get(60) if way == "map" else found) == [x * x for x in range(3000)]
