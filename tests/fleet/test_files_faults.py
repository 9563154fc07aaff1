"""Copies that are broken off: nothing half-made is seen on either side, and nothing is left running."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from elsewhere.errors import CallTimeout, ConnectionLost, ConnectTimeout
from elsewhere.fleet import Fleet, FleetError, Host, TransferError
from tests.fleet.sshd import Sshd
from tests.fleet.test_link import becomes, gone, options

LARGE = 1 << 40  # bytes, none of which is on a disk: it is broken off long before


@pytest.fixture
def host(server: Sshd) -> Iterator[Host]:
    with Host(server.hosts[0], **options(server)) as found:
        yield found


@pytest.fixture(params=["shell", "sftp"])
def either(request: pytest.FixtureRequest, server: Sshd, bare: Sshd) -> Iterator[Host]:
    """Both ways of copying promise the same."""
    found = server if request.param == "shell" else bare
    with Host(found.hosts[0], **options(found)) as host:
        yield host


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Something of which the copy takes far longer than the test."""
    path = tmp_path / "source"
    path.mkdir()
    (path / "small").write_text("new")
    (path / "vast").touch()
    os.truncate(path / "vast", LARGE)
    return path


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where it goes: there is an older copy."""
    path = tmp_path / "place" / "copy"
    path.mkdir(parents=True)
    (path / "small").write_text("old")
    return path


def staged(place: Path) -> list[Path]:
    """What has come of a copy that is under way."""
    return list(place.glob(".elsewhere-*/t/vast"))


def nothing_has_happened(place: Path) -> None:
    becomes(lambda: os.listdir(place) == ["small"])
    assert (place / "small").read_text() == "old"


def connection(host: Host) -> int:
    """The sshd process that has the host's connection."""
    return int(host.run("echo $PPID").stdout)


@pytest.mark.parametrize("way", ["put", "get"])
def test_cancelled(either: Host, source: Path, place: Path, way: str) -> None:
    future = getattr(either, f"{way}_async")(str(source), str(place))
    becomes(lambda: staged(place))
    assert future.cancel()
    nothing_has_happened(place)


@pytest.mark.parametrize("way", ["put", "get"])
def test_it_takes_too_long(either: Host, source: Path, place: Path, way: str) -> None:
    with pytest.raises(CallTimeout, match=r"within its timeout of 0\.8 s, and was ended; no half-written file"):
        getattr(either, way)(str(source), str(place), timeout=0.8)
    nothing_has_happened(place)


@pytest.mark.parametrize("way", ["put", "get"])
def test_ctrl_c(host: Host, source: Path, place: Path, way: str) -> None:
    def interrupt() -> None:
        becomes(lambda: staged(place))
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    with pytest.raises(KeyboardInterrupt):
        thread.start()
        getattr(host, way)(str(source), str(place))
    thread.join()
    nothing_has_happened(place)


def test_the_connection_breaks_while_it_is_put(host: Host, source: Path, place: Path) -> None:
    pid = connection(host)
    future = host.put_async(source, place)
    becomes(lambda: staged(place))
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(ConnectionLost, match=r"the transfer was cut off: .*no half-written file is seen"):
        future.result(60)
    nothing_has_happened(place)


def test_the_connection_breaks_while_it_is_fetched(host: Host, source: Path, place: Path) -> None:
    pid = connection(host)
    future = host.get_async(str(source), place)
    becomes(lambda: staged(place))
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(ConnectionLost, match="the transfer was cut off"):
        future.result(60)
    nothing_has_happened(place)


def test_a_connection_that_died_while_nobody_looked_is_made_anew(host: Host, place: Path) -> None:
    os.kill(connection(host), signal.SIGKILL)
    assert host.put(b"new", place / "small").sent == 1
    assert (place / "small").read_text() == "new"


PROGRAM = """
import sys
from elsewhere.fleet import Host
name, port, key, known, source, place = sys.argv[1:]
host = Host(name, port=int(port), keys=(key,), known_hosts=(known,), config=(), agent=False)
host.put(source, place)
"""


def test_the_program_is_killed(server: Sshd, source: Path, place: Path) -> None:
    arguments: list[Any] = [server.hosts[0], server.port, server.key, server.known_hosts, source, place]
    program = subprocess.Popen([sys.executable, "-c", PROGRAM, *map(str, arguments)])
    try:
        becomes(lambda: staged(place))
        shell = int(next(place.glob(".elsewhere-*")).name.split("-")[1])
    finally:
        program.kill()
        program.wait()
    becomes(lambda: gone(shell))
    nothing_has_happened(place)


def test_who_cannot_be_reached_has_not_taken_too_long(tmp_path: Path) -> None:
    with socket.create_server(("127.13.0.9", 0)) as silent:
        host = Host("127.13.0.9", port=silent.getsockname()[1], config=(), agent=False, connect_timeout=0.2)
        for way, source in (("put", b"x"), ("get", "x")):
            with pytest.raises(ConnectTimeout):
                getattr(host, way)(source, str(tmp_path / "x"), timeout=60)


def test_a_sink_that_breaks_is_not_the_connection(host: Host, tmp_path: Path) -> None:
    class Sink:
        def write(self, data: bytes) -> None:
            raise BrokenPipeError("nobody reads")

    (tmp_path / "x").write_bytes(b"x" * 100_000)
    with pytest.raises(BrokenPipeError, match="nobody reads"):
        host.get(str(tmp_path / "x"), Sink())


def test_one_of_many_cannot_take_it(server: Sshd, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "source").mkdir()
    with Fleet(*server.hosts[:2], **options(server)) as fleet, pytest.raises(FleetError) as caught:
        fleet.put(f"{tmp_path}/source/", tmp_path / "file")
    assert all(isinstance(each, TransferError) for each in caught.value.results.values())


def test_a_file_that_grows_is_as_long_as_it_was(host: Host, tmp_path: Path) -> None:
    source = tmp_path / "log"
    source.write_bytes(b"x" * 20_000_000)
    done = threading.Event()

    def grow() -> None:
        with source.open("ab", buffering=0) as file:
            while not done.wait(0.001):
                file.write(b"y" * 100)

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        for way in ("put", "get"):
            copy = tmp_path / way
            getattr(host, way)(str(source), str(copy))
            assert copy.read_bytes().rstrip(b"y") == b"x" * 20_000_000
    finally:
        done.set()
        thread.join()


def test_a_file_that_is_cut_short_is_no_copy(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, pread = tmp_path / "source", os.pread
    source.write_bytes(b"x" * 3_000_000)

    def shrinking(fd: int, size: int, at: int) -> bytes:
        data = pread(fd, size, at)
        os.truncate(source, 1_000_000)
        return data

    monkeypatch.setattr(os, "pread", shrinking)
    with pytest.raises(OSError, match="has become shorter while it was read"):
        host.put(source, tmp_path / "copy")
    becomes(lambda: sorted(os.listdir(tmp_path)) == ["source"])


def test_the_place_is_taken_meanwhile(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, copy, pread = tmp_path / "source", tmp_path / "copy", os.pread
    source.mkdir()
    (source / "file").write_bytes(b"x" * 1000)

    def meanwhile(fd: int, size: int, at: int) -> bytes:  # what is there has been asked by now
        copy.mkdir(exist_ok=True)
        return pread(fd, size, at)

    monkeypatch.setattr(os, "pread", meanwhile)
    with pytest.raises(TransferError, match="somebody else has made it"):
        host.put(source, copy)
    assert os.listdir(copy) == []
    becomes(lambda: sorted(os.listdir(tmp_path)) == ["copy", "source"])


def test_a_bar_counts_bytes(host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 1_000_000)
    host.put(source, tmp_path / "there", progress=True)
    host.get(str(source), tmp_path / "back", progress=True)
    lines = capsys.readouterr().err.splitlines()
    assert any(line.startswith(f"put to {host}: 1,000,000/1,000,000  100%") for line in lines)
    assert any(line.startswith(f"get from {host}: 1,000,000/1,000,000  100%") for line in lines)


def test_relative_places_begin_where_cd_says(host: Host, tmp_path: Path) -> None:
    copies: Callable[..., Any]
    with host.cd(str(tmp_path)):
        host.put(b"x", "inner")
        for copies in (host.get, lambda *args: host.get_async(*args).result(60)):
            assert copies("inner", tmp_path / "back").ok
    assert (tmp_path / "inner").read_bytes() == (tmp_path / "back").read_bytes() == b"x"
