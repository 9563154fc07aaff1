"""Many hosts at once, and each way in which some of them fail: every host is accounted for."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from elsewhere.errors import ConnectError, ConnectionLost, ConnectTimeout, HostKeyError, Unauthorized
from elsewhere.fleet import Fleet, Host, Result
from elsewhere.fleet.engine import engine
from elsewhere.fleet.link import gates
from tests.fleet.inprocess import Yard, inprocess, plain
from tests.fleet.test_link import becomes, options

FAULTS = {
    "dead": (ConnectError, "connect", "refuses connections"),
    "hung": (ConnectTimeout, "handshake", "does not finish the handshake"),
    "changed": (HostKeyError, "host key", "another ed25519 key"),
    "unknown": (HostKeyError, "host key", "is not known"),
    "refuses": (Unauthorized, None, "does not let"),
    "stranger": (ConnectError, "handshake", ""),
    "closes": (ConnectError, "handshake", "closed the connection before the login"),
}


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    kinds = plain(3)
    for number, kind in enumerate([*FAULTS, "slow"]):
        kinds |= plain(1, kind, first=100 + number)
    with inprocess(tmp_path_factory.mktemp("yard"), kinds) as found:
        yield found


def of(yard: Yard, kind: str) -> list[str]:
    return [host for host in yard.hosts if yard.kinds[host] == kind]


def test_each_way_of_failing_is_told_apart(yard: Yard) -> None:
    hosts = [
        Host(name, **options(yard, connect_timeout=2 if yard.kinds[name] == "hung" else 60)) for name in yard.hosts
    ]
    with Fleet(*hosts) as fleet:
        results: dict[Host, Any] = fleet.run("echo in", return_exceptions=True)
    assert len(results) == len(yard.hosts)
    for name in yard.hosts:
        kind, outcome = yard.kinds[name], results[name]  # type: ignore[index]  # equal to its text
        if kind in {"well", "slow"}:
            assert outcome.stdout == "in\n"
        else:
            error, phase, says = FAULTS[kind]
            assert type(outcome) is error or (kind in {"stranger", "closes"} and isinstance(outcome, error)), outcome
            assert getattr(outcome, "phase", None) == phase
            assert says in str(outcome)


def test_a_connection_that_breaks_is_made_anew(yard: Yard, tmp_path: Path) -> None:
    name = of(yard, "well")[0]
    with Host(name, **options(yard)) as host:
        future = host.run_async(f"echo begun > {tmp_path}/begun; sleep 1000")
        becomes((tmp_path / "begun").exists)  # before that, it would be run on the next connection
        yard.tell("drop", name)
        with pytest.raises(ConnectionLost, match="may have run"):
            future.result(60)
        assert host.run("echo in").stdout == "in\n"
        yard.tell("down", name)
        becomes(lambda: not host.link.up)
        with pytest.raises(ConnectError, match="refuses connections"):
            host.run("true")
        yard.tell("up", name)
        assert host.run("echo in").stdout == "in\n"


def test_hundreds_of_hosts(tmp_path: Path) -> None:
    kinds = plain(200) | plain(7, "dead", first=200) | plain(5, "hung", first=300) | plain(3, "changed", first=400)
    with inprocess(tmp_path, dict(sorted(kinds.items()))) as yard:
        patience = {"hung": 3.0}
        hosts = [Host(name, **options(yard, connect_timeout=patience.get(yard.kinds[name], 60))) for name in yard.hosts]
        with Fleet(*hosts, jobs=500) as fleet:
            results: dict[Host, Any] = fleet.run("true", return_exceptions=True)
    outcomes = Counter(type(outcome) for outcome in results.values())
    assert outcomes == {Result: 200, ConnectError: 7, ConnectTimeout: 5, HostKeyError: 3}


def test_hosts_that_hang_delay_no_others(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither those that are reached directly, nor those behind another."""
    monkeypatch.setattr(gates, "OVERALL", 1)
    monkeypatch.setattr(gates, "HOLD", 2.0)  # long enough to be seen
    hung, well = of(yard, "hung")[0], of(yard, "well")
    hosts = [Host(hung, **options(yard, connect_timeout=100, jump=jump)) for jump in [None, f"{well[1]}:{yard.port}"]]
    futures = [host.connect_async() for host in hosts]
    links = engine().links
    becomes(lambda: any(link.up for link in links._jumps.values()))
    becomes(links.gates._overall.locked)
    with Host(well[0], **options(yard, connect_timeout=60)) as host:
        assert host.run_async("echo in").result(60).stdout == "in\n"
    assert not any(future.done() for future in futures)
    for future in futures:
        future.cancel()


def test_a_wait_for_a_turn_is_no_part_of_connecting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "OVERALL", 1)
    monkeypatch.setattr(gates, "HOLD", 0.3)
    order: list[str] = []

    async def one(found: gates.Gates, name: str, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds) as limit, found.computing(limit):
                order.append(name)
                await asyncio.sleep(1000)

    async def both() -> None:
        found = gates.Gates()
        await asyncio.gather(one(found, "slow", 0.6), one(found, "waits", 0.1))
        assert found._overall._value == 1

    asyncio.run(both())
    assert order == ["slow", "waits"]


LIMITED = """
import resource, sys
from elsewhere.fleet import Fleet, Host
port, key, known, soft, hard, *names = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_NOFILE, (int(soft), int(hard)))
options = {"port": int(port), "keys": (key,), "known_hosts": (known,), "config": (), "agent": False}
hosts = [Host(name, **options) for name in names * 20]
futures = [host.connect_async() for host in hosts]
errors = [error for future in futures if (error := future.exception(60)) is not None]
print(len(futures) - len(errors), *set(map(str, errors)))
"""


@pytest.mark.parametrize("hard", [1024, 48])
def test_more_connections_than_files_that_may_be_open(yard: Yard, hard: int) -> None:
    arguments = [yard.port, yard.key, yard.known_hosts, 48, hard, *of(yard, "well")]
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, *map(str, arguments)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    if hard > 48:
        assert done.stdout == "60\n"
    else:
        assert "this process may have no more than 48 files open (ulimit -n)" in done.stdout


def test_a_host_that_is_closed_while_it_is_being_connected(yard: Yard) -> None:
    host = Host(of(yard, "slow")[0], **options(yard, connect_timeout=60))
    future = host.connect_async()
    becomes(lambda: host._link is not None and host._link._opening.locked())
    host.close()
    with pytest.raises(ConnectError, match="was closed while it was being connected"):
        future.result(60)
    assert not host.is_connected


def test_a_host_that_is_forgotten_is_closed(yard: Yard) -> None:
    host = Host(of(yard, "well")[0], **options(yard, connect_timeout=60))
    assert host.run("echo in").stdout == "in\n"
    connection = host.link._connection
    assert connection is not None
    del host
    becomes(lambda: gc.collect() >= 0 and connection.is_closed())
