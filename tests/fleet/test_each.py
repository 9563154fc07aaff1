"""`Fleet.each`: one function on all hosts, and each way in which some of them fail."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from pathlib import Path

import pytest

from elsewhere import ConnectError, WorkerLost
from elsewhere.errors import CallTimeout, MayHaveRun, NotTouched
from elsewhere.fleet import Fleet, FleetError
from tests.fleet import work
from tests.fleet.sshd import Sshd
from tests.fleet.test_link import becomes, gone, options

DEAD = "127.24.0.99"


@pytest.fixture
def fleet(server: Sshd):
    with Fleet(*server.hosts[:3], **options(server)) as found:
        yield found


def test_each_host_gives_its_value(fleet: Fleet):
    results = fleet.each(work.address)
    assert [str(host) for host in results] == [str(host) for host in fleet]
    assert all(value == str(host) for host, value in results.items())
    assert fleet.each(work.point, 1, y=2) == dict.fromkeys(fleet, work.Point(1, 2))
    assert fleet.each_async(work.double, 2).result(60) == dict.fromkeys(fleet, 4)

    async def awaits():
        return await fleet.each_async(work.double, 3)

    assert asyncio.run(awaits()) == dict.fromkeys(fleet, 6)


def test_keywords_are_the_functions_and_ours_come_from_options(fleet: Fleet):
    given = {"timeout": 1, "return_exceptions": 2, "progress": 3}
    assert fleet.each(dict, **given) == dict.fromkeys(fleet, given)
    with pytest.raises(FleetError) as caught:
        fleet.options(timeout=0.3).each(work.begins, "/dev/null/none/../x", seconds=0)
    assert {type(error) for error in caught.value.failed.values()} == {NotADirectoryError}


def test_all_finish_then_one_error(server: Sshd):
    with Fleet(*server.hosts[:2], DEAD, **options(server)) as fleet:
        with pytest.raises(FleetError, match="each failed on 1 of 3 hosts") as caught:
            fleet.each(work.address)
        results = caught.value.results
        assert isinstance(results[fleet[DEAD]], ConnectError)
        assert [results[host] for host in fleet[:2]] == server.hosts[:2]
        again = fleet.options(return_exceptions=True).each(work.fails, 3)
        assert [type(each) for each in again.values()] == [work.Odd, work.Odd, ConnectError]


def test_options_of_a_fleet_count(fleet: Fleet, tmp_path: Path, capsys):
    some = fleet.options(jobs=1, max_failures=1, return_exceptions=True)
    kinds = [type(each) for each in some.each(work.fails, 3).values()]
    assert kinds == [work.Odd, NotTouched, NotTouched]
    late = fleet.options(timeout=0.3, return_exceptions=True).each(work.begins, str(tmp_path / "late"))
    assert [type(each) for each in late.values()] == [CallTimeout] * 3
    assert fleet.options(progress="checking").each(work.double, 2) == dict.fromkeys(fleet, 4)
    assert "checking" in capsys.readouterr().err
    assert fleet.options(return_exceptions=True).run("exit 3")[fleet[0]].returncode == 3
    with pytest.raises(TypeError, match="return_exceptions"):
        fleet.options(return_exceptions="yes")  # type: ignore[arg-type]  # it is refused
    with pytest.raises(TypeError, match="progress"):
        fleet.options(progress=3)  # type: ignore[arg-type]  # it is refused


def test_a_retry_is_for_each_host(server: Sshd, tmp_path: Path):
    with Fleet(server.hosts[0], **options(server)) as fleet:
        future = fleet.options(retry=2).each_async(work.begins_unless, str(tmp_path / "pid"))
        becomes((tmp_path / "pid").exists)
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
        assert future.result(60) == {fleet[0]: "again"}


def test_what_cannot_be_pickled_is_told_once_and_at_once(fleet: Fleet):
    with pytest.raises(TypeError, match="lock"):
        fleet.each(work.echo, threading.Lock())
    with pytest.raises(TypeError, match="not callable"):
        fleet.each(3)  # type: ignore[arg-type]  # what a user may try
    assert not any(host.is_connected for host in fleet)


def test_what_they_print_has_their_names(fleet: Fleet, capsys):
    fleet.each(print, "in")
    assert sorted(capsys.readouterr().out.splitlines()) == sorted(f"[{host}] in" for host in fleet)


def test_an_interrupt_stops_it_there(fleet: Fleet, tmp_path: Path):
    def interrupt():
        becomes(lambda: len(list(tmp_path.glob("pid-*"))) == 3)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    with pytest.raises(KeyboardInterrupt) as caught:
        thread.start()
        fleet.each(work.begins_there, str(tmp_path))
    thread.join()
    assert [type(each) for each in caught.value.results.values()] == [MayHaveRun] * 3  # type: ignore[attr-defined]
    assert fleet.each(work.double, 1) == dict.fromkeys(fleet, 2)
    for path in tmp_path.glob("pid-*"):
        path.unlink()
    future = fleet.each_async(work.begins_there, str(tmp_path))
    becomes(lambda: len(list(tmp_path.glob("pid-*"))) == 3)
    pids = [int(path.read_text()) for path in tmp_path.glob("pid-*")]
    future.cancel()
    fleet.close()
    becomes(lambda: all(map(gone, pids)))


def test_an_interpreter_that_is_killed_is_one_hosts_failure(fleet: Fleet):
    victim = str(fleet[1])
    with pytest.raises(FleetError) as caught:
        fleet.each(work.dies_on, victim)
    assert list(map(str, caught.value.failed)) == [victim]
    assert isinstance(caught.value.failed[fleet[1]], WorkerLost)


def test_a_fleet_is_closed_with_all_that_runs(server: Sshd, tmp_path: Path):
    fleet = Fleet(*server.hosts[:2], **options(server))
    future = fleet.each_async(work.begins_there, str(tmp_path))
    becomes(lambda: len(list(tmp_path.glob("pid-*"))) == 2)
    pids = [int(path.read_text()) for path in tmp_path.glob("pid-*")]
    fleet.close()
    with contextlib.suppress(FleetError):
        future.result(60)
    becomes(lambda: all(map(gone, pids)))
