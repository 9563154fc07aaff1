"""Python functions on a host: what travels, what comes back, what is said when it cannot be done."""

from __future__ import annotations

import asyncio
import logging
import operator
import os
import pickle
import signal
import stat
import subprocess
import sys
import threading
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest

from elsewhere import CallTimeout, ConnectError, Pool, Retry, WorkerLost
from elsewhere.errors import RemoteError, WorkerStartError
from elsewhere.fleet import Fleet, Host
from tests.far.driving import interpreters
from tests.fleet import work
from tests.fleet.sshd import Sshd
from tests.fleet.test_link import becomes, gone, options


@pytest.fixture
def host(server: Sshd):
    with Host(server.hosts[0], **options(server)) as found:
        yield found


def test_a_function_a_method_a_lambda_a_closure(host: Host):
    assert host.call(abs, -7) == 7
    assert host.call(work.double, 21) == 42
    assert host.call("a,b".split, ",") == ["a", "b"]
    assert host.call(work.adder(5), 1) == 6
    assert host.call(sorted, [3, 1, 2], reverse=True) == [3, 2, 1]  # all keywords are the function's
    assert host.call(dict, timeout=1, retry=2) == {"timeout": 1, "retry": 2}


def test_it_runs_there_and_the_interpreter_is_kept(host: Host):
    found = host.call(work.where)
    assert found[0] == str(host)
    assert found[1] != os.getpid()
    assert host.call(work.where) == found


def test_values_are_real_and_so_are_exceptions(host: Host):
    assert host.call(work.point, 3, y=4) == work.Point(3, 4)
    with pytest.raises(work.Odd) as caught:
        host.call(work.fails, 7)
    assert caught.value.number == 7
    assert "in fails" in str(caught.value.__cause__)
    assert any(str(host) in note for note in caught.value.__notes__)
    with pytest.raises(ZeroDivisionError):
        host.call(divmod, 1, 0)


def test_what_it_says_comes_here_with_the_hosts_name(host: Host, capsys, caplog):
    with caplog.at_level(logging.WARNING):
        assert host.call(work.says, "in") == "in"
    out, err = capsys.readouterr()
    assert out == f"[{host}] in\n"
    assert err == f"[{host}] in, to stderr\n"
    (record,) = [each for each in caplog.records if each.name == "work"]
    assert (record.getMessage(), record.host) == (f"[{host}] in, logged", str(host))


def test_no_terminal_obeys_what_a_host_prints(host: Host, capsys):
    host.call(print, "\x1b[2J\x1b]0;title\x07", "a\rb", end="")
    host.call(print, "more")
    assert capsys.readouterr().out == f"[{host}] \\x1b[2J\\x1b]0;title\\x07 a\n[{host}] b\n[{host}] more\n"


def test_what_a_child_of_the_call_writes_comes_too(host: Host, capfd):
    assert host.call(work.writes, "hello") == "hello"
    becomes(lambda: f"[{host}] hello\n" in capfd.readouterr().err or host.call(abs, -1) == 0)


def test_a_future_and_its_end(host: Host, tmp_path: Path):
    futures = [host.submit(work.double, n) for n in range(50)]
    assert [future.result(60) for future in futures] == [2 * n for n in range(50)]

    async def awaits():
        return await host.submit(work.double, 4)

    assert asyncio.run(awaits()) == 8
    future = host.submit(work.begins, str(tmp_path / "pid"))
    becomes((tmp_path / "pid").exists)
    pid = int((tmp_path / "pid").read_text())
    assert future.cancel()
    with pytest.raises(CancelledError):
        future.result(60)
    assert host.call(abs, -1) == 1
    assert not gone(pid) or host.call(os.getpid) != pid  # stopped, by a word or by a signal


def test_calls_that_wait_get_more_interpreters_but_not_more_than_cores(host: Host, tmp_path: Path):
    first = host.call(os.getpid)
    held = [host.submit(work.begins, str(tmp_path / f"pid{n}")) for n in range(2)]
    if (os.cpu_count() or 1) > 1:
        for n in range(2):
            becomes((tmp_path / f"pid{n}").exists)
        pids = {int((tmp_path / f"pid{n}").read_text()) for n in range(2)}
        assert len(pids) == 2
        assert first in pids
    for future in held:
        future.cancel()
    assert host.run("echo in").stdout == "in\n"  # commands have their channels all the same


def test_options_count(host: Host, tmp_path: Path):
    with pytest.raises(CallTimeout):
        host.options(timeout=0.3).call(work.begins, str(tmp_path / "late"))
    assert host.call(work.double, 1) == 2
    again = host.options(retry=Retry(retries=2, on=(WorkerLost,)))
    future = again.submit(work.begins_unless, str(tmp_path / "pid"))
    becomes((tmp_path / "pid").exists)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert future.result(60) == "again"


def test_what_cannot_be_pickled_is_told_at_once(host: Host):
    with pytest.raises(TypeError, match="lock"):
        host.call(work.echo, threading.Lock())
    with pytest.raises(TypeError, match="not callable"):
        host.call("uptime")  # type: ignore[arg-type]  # what a user may try
    assert not host.is_connected


def test_large_values_there_and_back(host: Host):
    data = os.urandom(1 << 20) * 200
    assert host.call(work.size, data) == len(data)
    assert host.call(work.zeros, len(data)) == bytes(len(data))


# ---- which Python ----------------------------------------------------------------------------------------------------


def test_every_version_is_sent_what_it_can_load(server: Sshd):
    for python in interpreters():
        with Host(server.hosts[0], python=python, **options(server)) as host:
            minor = host.call(work.where)[2]
            assert host.call(work.double, 21) == 42
            assert host.call(work.point, 1, 2) == work.Point(1, 2)
            with pytest.raises(work.Odd):
                host.call(work.fails, 1)
            if minor == sys.version_info[:2]:
                assert host.call(work.adder(1), 1) == 2
            else:
                with pytest.raises(TypeError, match=f"{minor[0]}.{minor[1]}"):
                    host.call(work.adder(1), 1)


def test_there_is_no_python(server: Sshd):
    with Host(server.hosts[0], python="python9", **options(server)) as host:
        with pytest.raises(WorkerStartError, match=r"no python3 of 3\.8 or newer: looked for python9 in PATH"):
            host.call(abs, -1)
        with pytest.raises(WorkerStartError, match="looked for python9"):
            host.submit(abs, -1).result(60)
        assert host.run("echo in").stdout == "in\n"


def test_what_is_no_python_is_passed_over_and_named(server: Sshd, tmp_path: Path):
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(old.stat().st_mode | stat.S_IXUSR)
    with (
        Host(server.hosts[0], python=str(old), **options(server)) as host,
        pytest.raises(WorkerStartError, match=f"{old} is there, but older, or does not start"),
    ):
        host.call(abs, -1)


@pytest.mark.parametrize("python", ["", "-c", "a b", "a\nb", 3])
def test_what_names_no_python_is_told_at_once(python):
    with pytest.raises((TypeError, ValueError), match="python"):
        Host("web1", python=python)


def test_what_is_written_before_the_worker_begins_is_not_its_own(server: Sshd, tmp_path: Path, capfd):
    path = tmp_path / "python3"
    path.write_text(f'#!/bin/sh\necho junk; echo "junk, too" >&2\nexec {sys.executable} "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    with Host(server.hosts[0], python=str(path), **options(server)) as host:
        assert host.call(work.double, 4) == 8
        becomes(lambda: f"[{host}] junk, too\n" in capfd.readouterr().err)


def test_trust_is_for_programs_alone(server: Sshd, tmp_path: Path):
    with pytest.raises(TypeError, match="trust"):
        Host("web1", trust="yes")  # type: ignore[arg-type]  # on purpose
    (tmp_path / "hosts").write_text(
        "[web]\nweb1 trust=True ansible_trust=True ansible_python_interpreter=/opt/py/bin/python3\n"
    )
    (host,) = Fleet(inventory=tmp_path / "hosts")
    assert (host._given.trust, host.python) == (None, "/opt/py/bin/python3")
    with (
        Host(server.hosts[0], **options(server)) as host,
        pytest.raises(RemoteError, match=r"itemgetter.*trust=True"),
    ):
        host.call(operator.itemgetter, 1)
    with Host(server.hosts[0], trust=True, **options(server)) as host:
        assert host.call(operator.itemgetter, 1)("ab") == "b"


def test_a_pool_trusts_only_if_each_host_is_trusted():
    for trusted in ([True, True], [True, None], [None, None]):
        fleet = Fleet(*[Host(f"127.24.0.{n + 90}", trust=each, config=()) for n, each in enumerate(trusted)])
        with Pool(1, where=fleet) as pool:
            driver: Any = pool._driver
            assert driver._opening._trust is all(trusted)
            pool.terminate()


# ---- hosts that are not what they should be --------------------------------------------------------------------------

FALSE = """#!{python}
import os, sys, struct
sys.argv[1] == "-ISc" and sys.exit(0)
code = sys.argv[-1]
mark = [line for line in code.splitlines() if "elsewhere-" in line][0]
exec(mark, {{"os": os}})
{does}
"""
HELLO = b'{"version": [3, 11, 2], "implementation": "cpython", "pid": 1, "cores": 2, "executable": "/x"}'
HEAD = """
def frame(kind, payload, flags=0, number=0):
    os.write(1, struct.pack("<BBHIQ", kind, flags, 0, number, len(payload)) + payload)
frame(1, {hello!r})
os.read(0, 1 << 20)
import time
"""
READY = 'frame(2, b"")\n'


def evil(tmp_path: Path, does: str, hello: bytes = HELLO) -> str:
    """A program that says it is a Python."""
    path = tmp_path / "python3"
    path.write_text(FALSE.format(python=sys.executable, does=HEAD.format(hello=hello) + does))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


class Bomb:
    """What a hacked host answers."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


LIES = {
    "value": READY + "time.sleep(0.3); frame(3, {bomb!r})",
    "error": READY + "time.sleep(0.3); frame(4, {bomb!r})",
    "log": READY + "frame(7, {bomb!r}); frame(7, {bomb!r}, 1); time.sleep(0.3); frame(3, {bomb!r})",
    "failed": "frame(10, {bomb!r}); sys.exit(0)",
    "failed and stays": "frame(10, {bomb!r})",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_hacked_host_runs_nothing_here(server: Sshd, tmp_path: Path, lie: str):
    target = tmp_path / "owned"
    bomb = pickle.dumps(Bomb(str(target)))
    does = LIES[lie].format(bomb=bomb) + "\ntime.sleep(1000)"
    with Host(server.hosts[0], python=evil(tmp_path, does), **options(server)) as host:
        with pytest.raises((RemoteError, WorkerStartError, WorkerLost)):
            host.options(timeout=20).call(abs, -1)
        assert not target.exists()
        pickle.loads(bomb)
        assert target.exists()  # plain pickle would have done it


@pytest.mark.parametrize(
    "does",
    [
        READY + "os.write(1, b'garbage' * 100)",
        READY + "frame(3, b'')\nframe(3, b'')",
        READY + "frame(9, b'os')\nframe(99, b'')",
        READY,
        "pass",
    ],
)
def test_nonsense_ends_the_interpreter_and_is_told(server: Sshd, tmp_path: Path, does: str):
    with (
        Host(server.hosts[0], python=evil(tmp_path, does), **options(server)) as host,
        pytest.raises((WorkerLost, WorkerStartError, RemoteError)),
    ):
        host.call(abs, -1)


@pytest.mark.parametrize(
    "hello", [b"", b"[]", b"{}", b"{" * 10_000, b'{"version": "x", "pid": 1, "cores": 2}', b"x" * 100_000]
)
def test_a_greeting_that_is_none(server: Sshd, tmp_path: Path, hello: bytes):
    with (
        Host(server.hosts[0], python=evil(tmp_path, "time.sleep(1000)", hello), **options(server)) as host,
        pytest.raises(WorkerStartError, match=str(server.hosts[0])),
    ):
        host.call(abs, -1)


# ---- the end ---------------------------------------------------------------------------------------------------------


def test_an_interpreter_that_is_killed_costs_its_call(host: Host):
    with pytest.raises(WorkerLost, match="SIGKILL") as caught:
        host.call(work.kills, signal.SIGKILL)
    assert (caught.value.exitcode, caught.value.signal) == (-signal.SIGKILL, "SIGKILL")
    assert str(host) in str(caught.value)
    assert host.call(work.double, 2) == 4


def test_what_a_killed_one_has_left_running_holds_nobody_up(host: Host):
    with pytest.raises(WorkerLost, match="SIGKILL"):
        host.call(work.leaves, 1000.2468)
    becomes(lambda: b"1000.2468" not in subprocess.run(["ps", "-eo", "args"], capture_output=True, check=True).stdout)


def test_the_sshd_of_the_session_is_killed(host: Host, tmp_path: Path):
    future = host.submit(work.begins, str(tmp_path / "pid"))
    becomes((tmp_path / "pid").exists)
    pid = int((tmp_path / "pid").read_text())
    os.kill(_parent(pid), signal.SIGKILL)
    with pytest.raises(WorkerLost, match="connection") as caught:
        future.result(60)
    assert str(host) in str(caught.value)
    assert host.call(work.double, 2) == 4  # over a new one
    becomes(lambda: gone(pid))


def _parent(pid: int) -> int:
    """The sshd that carries the connection."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_host_that_is_not_there(server: Sshd):
    with Host("127.24.0.99", **options(server)) as host:
        with pytest.raises(ConnectError, match=r"127\.24\.0\.99"):
            host.call(abs, -1)
        with pytest.raises(ConnectError, match=r"127\.24\.0\.99"):
            host.submit(abs, -1).result(60)


def test_closing_ends_what_runs_and_the_next_call_starts_anew(host: Host, tmp_path: Path):
    future = host.submit(work.begins, str(tmp_path / "pid"))
    becomes((tmp_path / "pid").exists)
    pid = int((tmp_path / "pid").read_text())
    host.close()
    with pytest.raises(WorkerLost):
        future.result(60)
    becomes(lambda: gone(pid))
    assert host.call(work.double, 3) == 6


def test_a_host_that_calls_were_made_on_can_be_pickled(host: Host):
    assert host.call(abs, -1) == 1
    copy = pickle.loads(pickle.dumps(host))
    with copy:
        assert copy.call(abs, -2) == 2


def test_a_view_and_its_host_have_the_same_interpreter(host: Host):
    assert host.options(timeout=50).call(os.getpid) == host.call(os.getpid)


def test_a_fork_has_its_own(host: Host):
    pid = host.call(os.getpid)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write, str(host.call(os.getpid)).encode())
            host.close()
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as file:
        assert file.read().isdigit()
    assert os.waitpid(child, 0)[1] == 0
    assert host.call(os.getpid) == pid
