"""`Pool(where=fleet)`: who has how many workers, and what is lost when hosts go; all else is in tests/contract."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from elsewhere import ConnectError, Pool, WorkerLost
from elsewhere.errors import NeverStarted, WorkerStartError
from elsewhere.fleet import Fleet, FleetError, Host
from elsewhere.fleet.calling import seat
from elsewhere.fleet.calling.line import HostLine
from elsewhere.fleet.link import channels
from tests.fleet import work
from tests.fleet.inprocess import Yard, inprocess, plain
from tests.fleet.sshd import Sshd, sshd
from tests.fleet.test_link import becomes, options

DEAD = "127.24.0.99"


def places(pool: Pool, calls: int = 200) -> dict[str, int]:
    """Workers by host, as many as answer."""
    found = {(address, pid) for address, pid, *_ in pool.imap_unordered(work.two_places, range(calls))}
    return dict(Counter(address for address, _ in found))


def test_workers_are_spread_evenly(server: Sshd):
    fleet = Fleet(*server.hosts[:3], **options(server))
    with Pool(4, where=fleet) as pool:
        becomes(lambda: len(pool._driver.workers()) == 4)
        assert pool.map(work.double, range(100)) == [2 * n for n in range(100)]
        assert places(pool) == {server.hosts[0]: 2, server.hosts[1]: 1, server.hosts[2]: 1}
        assert pool.statistics().size == 4
    assert not any(host.is_connected for host in fleet)  # a pool has connections of its own


def test_without_a_number_each_host_has_its_cores(server: Sshd):
    with Pool(where=Fleet(*server.hosts[:2], **options(server))) as pool:
        cores = pool.submit(os.cpu_count).result(60)
        becomes(lambda: pool.statistics().workers == 2 * min(9, cores or 1))


def test_a_host_alone_is_a_place_too(server: Sshd):
    with Pool(2, where=Host(server.hosts[0], **options(server))) as pool:
        assert pool.map(work.double, [1, 2]) == [2, 4]


def test_what_cannot_be_had_is_told_at_once(server: Sshd):
    fleet = Fleet(*server.hosts[:2], **options(server))
    with pytest.raises(ValueError, match="processes=19 is more than 2 hosts can have: 9 on each"):
        Pool(19, where=fleet)
    with pytest.raises(ValueError, match="context"):
        Pool(2, where=fleet, context="spawn")
    with pytest.raises(ValueError, match="no host"):
        Pool(where=Fleet())


def test_nine_on_a_connection_as_sshd_comes(tmp_path: Path):
    with (
        sshd(tmp_path, ["127.24.0.1"], usual_limits=True) as server,
        Pool(9, where=Host("127.24.0.1", **options(server))) as pool,
    ):
        becomes(lambda: len(pool._driver.workers()) == 9)
        assert sum(places(pool, 400).values()) == 9


def test_a_host_that_gives_fewer_channels_has_fewer_interpreters(tmp_path: Path, monkeypatch, caplog):
    monkeypatch.setattr(channels, "PAUSES", (0.01,))
    with (
        caplog.at_level(logging.WARNING, "elsewhere"),
        sshd(tmp_path, ["127.24.0.1"], config="MaxSessions 3") as server,
        Pool(8, where=Host("127.24.0.1", **options(server))) as pool,
    ):
        becomes(lambda: pool.statistics().size == 2)
        assert sum(places(pool).values()) <= 2
        assert pool.map(work.double, range(20)) == [2 * n for n in range(20)]
    assert caplog.text.count("fewer interpreters than it should") == 1


def test_a_host_whose_interpreters_end_before_they_are_ready(server: Sshd, tmp_path: Path, caplog):
    broken = tmp_path / "python3"
    tests = f'[ "$1" = -ISc ] && exec {sys.executable} "$@"'
    broken.write_text(f'#!/bin/sh\n{tests}\nexec {sys.executable} "$@" <{os.devnull}\n')
    broken.chmod(0o755)
    bad = Host(server.hosts[1], python=str(broken), **options(server))
    fleet = Fleet(Host(server.hosts[0], **options(server)), bad)
    with caplog.at_level(logging.WARNING, "elsewhere"), Pool(2, where=fleet) as pool:
        becomes(lambda: f"{bad} is left out" in caplog.text)
        assert set(places(pool)) == {server.hosts[0]}


def test_a_host_that_is_not_there_is_left_out_with_one_warning(server: Sshd, caplog):
    fleet = Fleet(server.hosts[0], DEAD, **options(server))
    with caplog.at_level(logging.WARNING, "elsewhere"), Pool(4, where=fleet) as pool:
        assert pool.map(work.double, range(10)) == [2 * n for n in range(10)]
        becomes(lambda: len(pool._driver.workers()) == 4)  # the other has all of them
    (record,) = [each for each in caplog.records if each.name == "elsewhere"]
    assert f"{DEAD} is left out" in record.getMessage()


def test_when_no_host_is_left_the_error_has_each_ones(server: Sshd):
    with Pool(2, where=Fleet(DEAD, "127.24.0.98", **options(server))) as pool:
        with pytest.raises(WorkerStartError, match="no host is left") as caught:
            pool.submit(abs, -1).result(60)
        assert isinstance(caught.value.__cause__, FleetError)
        assert set(map(str, caught.value.__cause__.results)) == {DEAD, "127.24.0.98"}
        with pytest.raises(WorkerStartError, match="no host is left"):
            pool.submit(abs, -1)
    with Pool(2, where=Host(DEAD, **options(server))) as pool, pytest.raises(ConnectError, match=DEAD):
        pool.submit(abs, -1).result(60)


def test_a_host_without_python_is_left_out(server: Sshd, caplog):
    bad = Host(server.hosts[1], python="python9", **options(server))
    fleet = Fleet(Host(server.hosts[0], **options(server)), bad)
    with caplog.at_level(logging.WARNING, "elsewhere"), Pool(2, where=fleet) as pool:
        becomes(lambda: "python9" in caplog.text)
        assert set(places(pool)) == {server.hosts[0]}


def test_an_initializer_that_raises_breaks_the_pool(server: Sshd):
    with Pool(2, initializer=work.fails, initargs=(3,), where=Fleet(*server.hosts[:2], **options(server))) as pool:
        with pytest.raises(WorkerStartError, match="initializer raised Odd: 3") as caught:
            pool.submit(abs, -1).result(60)
        assert isinstance(caught.value.__cause__, work.Odd)


def test_a_connection_that_breaks_costs_what_ran_there(server: Sshd, tmp_path: Path):
    with Pool(2, where=Fleet(*server.hosts[:2], **options(server))) as pool:
        futures = [pool.submit(work.begins, str(tmp_path / f"pid{n}"), 1.0) for n in range(2)]
        for n in range(2):
            becomes((tmp_path / f"pid{n}").exists)
        waiting = [pool.submit(work.double, n) for n in range(20)]
        victim = int((tmp_path / "pid0").read_text())
        os.kill(int(Path(f"/proc/{victim}/stat").read_text().rpartition(")")[2].split()[1]), signal.SIGKILL)
        with pytest.raises(WorkerLost, match="connection"):
            futures[0].result(60)
        assert futures[1].result(60) is None
        assert [future.result(60) for future in waiting] == [2 * n for n in range(20)]
        becomes(lambda: len(places(pool)) == 2)  # it is back


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory):
    with inprocess(tmp_path_factory.mktemp("yard"), plain(2)) as found:
        yield found


def test_a_host_that_goes_and_comes_back(yard: Yard, caplog, monkeypatch):
    monkeypatch.setattr(seat, "PAUSE", 0.2)
    with Pool(2, where=Fleet(*yard.hosts[:2], **options(yard))) as pool:
        becomes(lambda: len(pool._driver.workers()) == 2)
        with caplog.at_level(logging.INFO, "elsewhere"):
            yard.tell("down", yard.hosts[1])
            yard.tell("drop", yard.hosts[1])
            becomes(lambda: f"{yard.hosts[1]} is left out" in caplog.text)
            assert pool.map(work.double, range(20)) == [2 * n for n in range(20)]
            becomes(lambda: len(pool._driver.workers()) == 2)
            yard.tell("up", yard.hosts[1])
            becomes(lambda: f"{yard.hosts[1]}: it is back" in caplog.text)
        driver: Any = pool._driver
        becomes(lambda: driver._shares.open == [1, 1])
        assert pool.map(work.double, range(20)) == [2 * n for n in range(20)]


def test_the_last_host_goes(yard: Yard, monkeypatch):
    monkeypatch.setattr(seat, "PAUSE", 0.2)
    with Pool(1, where=Host(yard.hosts[0], **options(yard))) as pool:
        assert pool.submit(abs, -1).result(60) == 1
        yard.tell("down", yard.hosts[0])
        yard.tell("drop", yard.hosts[0])
        try:
            becomes(lambda: pool._driver.scheduler.broken is not None)
            with pytest.raises(NeverStarted):
                pool.submit(abs, -1).result(60)
        finally:
            yard.tell("up", yard.hosts[0])


def test_an_object_that_is_shared_is_sent_once_to_each_worker(server: Sshd):
    with Pool(2, where=Fleet(*server.hosts[:2], **options(server))) as pool:
        handle = pool.share({"a": list(range(1000))})
        assert pool.starmap(work.at, [(handle, n) for n in range(100)]) == list(range(100))


def test_a_large_object_that_is_shared_is_sent_once_to_each_host(server: Sshd, monkeypatch: pytest.MonkeyPatch):
    size, sent, send = 4 << 20, Counter[str](), HostLine.send

    def counted(line: HostLine, pieces: Any) -> None:
        sent[line.name] += sum(map(len, pieces))
        send(line, pieces)

    monkeypatch.setattr(HostLine, "send", counted)
    with Pool(4, where=Fleet(*server.hosts[:2], **options(server))) as pool:
        handle = pool.share(bytes(size))

        def holders() -> set[tuple[str, int, int]]:
            return set(pool.starmap(work.held, [(handle, n) for n in range(100)]))

        becomes(lambda: len(holders()) == 4)
        assert {given for _, _, given in holders()} == {size}
        assert sent.keys() == set(server.hosts[:2])
        assert all(size <= count < 1.5 * size for count in sent.values())
        before = holders()
        for _, pid, _ in before:  # who lends it among them
            os.kill(pid, signal.SIGKILL)
        becomes(lambda: pool.statistics().lost_workers == 4)
        becomes(lambda: len(holders() - before) == 4)
        assert all(2 * size <= count < 2.5 * size for count in sent.values())
