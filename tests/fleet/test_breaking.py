"""Connections that break while something runs: seen soon, told, and made anew by the next verb."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from elsewhere.errors import ConnectionLost
from elsewhere.fleet import Host
from elsewhere.fleet.engine import engine
from tests.fleet.sshd import Sshd, sshd
from tests.fleet.test_link import becomes, gone, options

PATIENCE = 60.0


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def number(path: Path) -> int:
    becomes(lambda: path.exists() and path.read_text().endswith("\n"))
    return int(path.read_text().split()[0])


def test_a_host_that_says_nothing_any_more(server: Sshd, tmp_path: Path) -> None:
    with Host(server.hosts[0], **options(server, keepalive=0.5)) as host:
        future = host.run_async(f"echo $PPID > {tmp_path}/sshd; sleep 1000")
        with stopped(number(tmp_path / "sshd")):
            with pytest.raises(ConnectionLost, match="may have run"):
                future.result(PATIENCE)
            assert host.run("echo in").stdout == "in\n"


def test_a_host_that_is_gone(server: Sshd, tmp_path: Path) -> None:
    with Host(server.hosts[0], **options(server)) as host:
        future = host.run_async(f"echo $PPID > {tmp_path}/sshd; echo $$ > {tmp_path}/pid; sleep 1000")
        pid = number(tmp_path / "pid")
        os.kill(number(tmp_path / "sshd"), signal.SIGKILL)
        with pytest.raises(ConnectionLost, match="may have run"):
            future.result(PATIENCE)
        becomes(lambda: gone(pid))
        assert host.run("echo in").stdout == "in\n"


def test_a_host_on_the_way_that_is_gone(server: Sshd, tmp_path: Path) -> None:
    way = f"{server.hosts[1]}:{server.port},{server.hosts[2]}:{server.port}"
    with Host(server.hosts[0], **options(server, jump=way)) as host:
        future = host.run_async(f"echo $$ > {tmp_path}/pid; sleep 1000")
        pid = number(tmp_path / "pid")

        async def session() -> int:
            first = min(engine().links._jumps.items(), key=lambda jump: len(jump[0]))[1]
            found = await (await first.connection()).run("echo $PPID")
            return int(str(found.stdout))

        os.kill(engine().call(session), signal.SIGKILL)
        with pytest.raises(ConnectionLost, match="may have run"):
            future.result(PATIENCE)
        becomes(lambda: gone(pid))
        assert host.run("echo in").stdout == "in\n"


def test_sshd_as_it_comes_takes_ten_logins_and_ten_sessions(tmp_path: Path) -> None:
    with sshd(tmp_path, ["127.16.249.1"], config="MaxStartups 10:30:100\nMaxSessions 10") as server:
        hosts = [Host(server.hosts[0], **options(server)) for _ in range(40)]
        try:
            futures = [host.run_async("echo in") for host in hosts]
            assert [future.result(PATIENCE).stdout for future in futures] == ["in\n"] * 40
            futures = [hosts[0].run_async("echo in") for _ in range(40)]
            assert [future.result(PATIENCE).stdout for future in futures] == ["in\n"] * 40
        finally:
            for host in hosts:
                host.close()
