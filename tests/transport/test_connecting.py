"""Connecting: to whom, within which time, and the sentence if it fails."""

from __future__ import annotations

import os
import resource
import socket
import tempfile
import time

import pytest

from elsewhere.errors import ConnectError, ConnectTimeout
from elsewhere.transport import connecting
from elsewhere.transport.address import Address
from elsewhere.transport.connecting import connect, resolve
from tests.transport.peers import answering, as_nobody, black_hole, echo, listening


def at(text: str) -> Address:
    return Address.parse(text)


def free_port() -> int:
    with listening() as listener:
        return listener.getsockname()[1]


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_localhost_is_both_families(family):
    with answering(echo, family=family) as port, connect(at(f"tcp://localhost:{port}")) as sock:
        assert sock.family == family
        sock.sendall(b"hello")
        assert sock.recv(5) == b"hello"


def test_sockets_are_tuned():
    with answering(echo) as port, connect(at(f"tcp://127.0.0.1:{port}")) as sock:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert sock.gettimeout() is None


def test_nobody_listens():
    address = f"tcp://127.0.0.1:{free_port()}"
    with pytest.raises(ConnectError, match=f"{address}: connection refused: nobody listens there") as caught:
        connect(at(address))
    assert (caught.value.address, caught.value.phase) == (address, "connect")
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)


def test_nobody_listens_in_either_family():
    with pytest.raises(ConnectError, match="nobody listens there"):
        connect(at(f"tcp://localhost:{free_port()}"))


def test_nobody_can_be_there():
    """What the system says at once differs; who is asked does not."""
    for address in ("tcp://255.255.255.255:1", "tcp://[ff02::1]:1"):
        with pytest.raises(ConnectError, match=r"unreachable|denied|invalid|no route|not answer") as caught:
            connect(at(address), 0.5)
        assert (caught.value.address, caught.value.phase) == (address, "connect")
        assert "this user" not in str(caught.value)


def test_a_name_that_is_not_found():
    with pytest.raises(ConnectError, match=r"name 'no\.such\.invalid' cannot be resolved") as caught:
        connect(at("tcp://no.such.invalid:1"))
    assert caught.value.phase == "resolve"


@pytest.mark.parametrize("host", ["a" * 70, "bad..name"])
def test_a_name_that_is_none(host):
    with pytest.raises(ConnectError, match="cannot be resolved") as caught:
        connect(at(f"tcp://{host}:1"))
    assert caught.value.phase == "resolve"


def test_a_resolver_that_does_not_answer(monkeypatch):
    asked, answer = [], __import__("threading").Event()

    def silent(host, *rest):
        asked.append(host)
        answer.wait(10)
        return []

    monkeypatch.setattr(connecting.socket, "getaddrinfo", silent)
    with pytest.raises(ConnectTimeout, match=r"'slow\.example' was not resolved within 0\.05 s") as caught:
        connect(at("tcp://slow.example:1"), 0.05)
    answer.set()
    assert asked == ["slow.example"]
    assert caught.value.phase == "resolve"


def test_numbers_ask_nobody(monkeypatch):
    monkeypatch.setattr(connecting.threading, "Thread", None)
    assert [where[:2] for *_, where in resolve(at("tcp://[::1]:7"), socket.SOCK_STREAM)] == [("::1", 7)]


def test_a_black_hole_is_bounded():
    with black_hole() as port:
        began = time.monotonic()
        with pytest.raises(ConnectTimeout, match=r"does not answer: no connection within 0\.3 s") as caught:
            connect(at(f"tcp://127.0.0.1:{port}"), 0.3)
        assert 0.25 < time.monotonic() - began < 5
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.phase == "connect"


def test_a_host_whose_first_address_is_a_black_hole(monkeypatch):
    with black_hole() as hole, answering(echo) as port:
        places = [
            (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", hole)),
            (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port)),
        ]
        monkeypatch.setattr(connecting.socket, "getaddrinfo", lambda *_: places)
        with connect(at("tcp://two.example:1"), 30) as sock:
            assert sock.getpeername()[1] == port


def test_a_unix_socket_that_is_not_there(tmp_path):
    with pytest.raises(ConnectError, match="there is no such socket: its server does not run"):
        connect(at(f"unix://{tmp_path}/none"))


def test_a_unix_socket_whose_server_was_killed(tmp_path):
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(tmp_path / "old"))
    with pytest.raises(ConnectError, match="connection refused: nobody listens there"):
        connect(at(f"unix://{tmp_path}/old"))


def test_a_unix_socket_of_somebody_else():
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX) as listener:
        os.chmod(folder, 0o755)
        listener.bind(f"{folder}/it")
        listener.listen()
        os.chmod(f"{folder}/it", 0)
        said = as_nobody(lambda: connect(at(f"unix://{folder}/it")))
        assert said == f"ConnectError: unix://{folder}/it: permission denied: the socket may not be opened by this user"


def test_a_unix_socket_with_a_full_queue(tmp_path):
    path = tmp_path / "full"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(0)
        with connect(at(f"unix://{path}"), 5):
            began = time.monotonic()
            with pytest.raises(ConnectTimeout):
                connect(at(f"unix://{path}"), 0.2)
            assert time.monotonic() - began < 5


def test_without_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    spare = [os.dup(0) for _ in range(highest)]  # fills all numbers below
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(spare) + 1, hard))
    try:
        with pytest.raises(ConnectError, match="too many open files"):
            connect(at("tcp://127.0.0.1:1"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in spare:
            os.close(fd)
