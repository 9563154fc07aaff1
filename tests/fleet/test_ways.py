"""Tunnels over a host's connection, in both directions, and what is left of them: nothing."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from elsewhere.errors import ConnectError
from elsewhere.fleet import Host
from tests.fleet.sshd import Sshd
from tests.fleet.test_link import becomes, options

PATIENCE = 20.0


@pytest.fixture
def host(server: Sshd) -> Iterator[Host]:
    with Host(server.hosts[0], **options(server)) as found:
        yield found


@pytest.fixture(params=["port", "path"])
def echo(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Where something listens that says everything again, in capitals, to whoever comes first."""
    if request.param == "port":
        listener = socket.create_server(("127.0.0.1", 0))
        where = listener.getsockname()[1]
    else:
        listener = socket.socket(socket.AF_UNIX)
        where = str(tmp_path / "echo")
        listener.bind(where)
        listener.listen()

    def serve() -> None:
        with listener, listener.accept()[0] as sock:
            sock.settimeout(PATIENCE)
            while data := sock.recv(1 << 16):
                sock.sendall(data.upper())

    thread = threading.Thread(target=serve)
    thread.start()
    yield where
    with socket.socket(listener.family) as last, contextlib.suppress(OSError):  # whoever waits still
        last.connect(where if request.param == "path" else ("127.0.0.1", where))
    thread.join(PATIENCE)
    listener.close()


def asked(where: Any, data: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX if isinstance(where, str) else socket.AF_INET) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(where if isinstance(where, str) else ("127.0.0.1", where))

        def send() -> None:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        found = b""
        while piece := sock.recv(1 << 16):
            found += piece
        sender.join(PATIENCE)
        return found


@pytest.mark.parametrize("direction", ["local", "remote"])
@pytest.mark.parametrize("listens", ["port", "path"])
def test_all_of_it_goes_both_ways(host: Host, echo: Any, tmp_path: Path, direction: str, listens: str) -> None:
    where = 0 if listens == "port" else str(tmp_path / "way")
    forward = host.forward_local if direction == "local" else host.forward_remote
    with forward(where, echo, "127.0.0.1", "127.0.0.1") as way:
        data = os.urandom(1 << 20).hex().encode()
        assert asked(way.port, data) == data.upper()
        assert way.error is None
    with pytest.raises(OSError):
        asked(way.port, b"")


def test_what_is_open_is_broken_off(host: Host, echo: Any) -> None:
    with host.forward_local(0, echo, "127.0.0.1") as way, socket.create_connection(("127.0.0.1", way.port)) as sock:
        sock.settimeout(PATIENCE)
        sock.sendall(b"in")
        assert sock.recv(9) == b"IN"
        way.__exit__(None, None, None)
        assert sock.recv(9) == b""


def test_a_port_that_is_taken_here(host: Host) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"nothing can listen at port {port} of 127.0.0.1 here") as caught:
            host.forward_local(port, 1, local_host="127.0.0.1").__enter__()
    assert caught.value.errno == errno.EADDRINUSE


def test_a_port_that_is_taken_there(host: Host) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            ConnectError, match=f"nothing can listen at port {port} of 127.0.0.1: it is taken"
        ) as caught:
            host.forward_remote(port, 1).__enter__()
    assert caught.value.phase == "forward"


def test_nobody_at_the_other_end(host: Host) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with host.forward_local(0, free.getsockname()[1], "127.0.0.1") as way:
            assert asked(way.port, b"") == b""
            becomes(lambda: way.error is not None)
            assert "refused" in str(way.error)


def test_the_connection_is_made_anew_for_who_comes(host: Host, echo: Any) -> None:
    with host.forward_local(0, echo, "127.0.0.1") as way:
        host.close()
        assert asked(way.port, b"in") == b"IN"


def test_it_is_connected_when_that_is_asked_for(host: Host) -> None:
    assert not host.is_connected
    host.connect()
    assert host.is_connected
    host.close()
    assert not host.is_connected
    host.connect_async().result(PATIENCE)
    assert host.is_connected


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ((0,), ValueError, "remote_port says where to"),
        (("/tmp/x",), ValueError, "remote_port says where to"),
        ((0, 0), ValueError, "from 1 to 65535"),
        ((65536, 1), ValueError, "from 0 to 65535"),
        ((1.5, 1), TypeError, "a port is a number"),
        ((0, ""), ValueError, "no path"),
    ],
)
def test_what_is_no_port_is_said_at_once(arguments: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        Host("nobody.invalid", config=()).forward_local(*arguments)
