"""What holds for a connection, wherever its handler runs: in threads or on the loop, on TCP, TLS and Unix sockets."""

from __future__ import annotations

import contextlib
import hashlib
import random
import socket
import threading
import time
from typing import Any

import pytest

from elsewhere import net
from elsewhere.errors import ConnectionLost, MessageTooLarge, SocketTimeout
from tests.net import handlers

KINDS = ["tcp://127.0.0.1:0", "tcp://localhost:0", "tls://localhost:0", "unix:///it.sock", "unix://@elsewhere-test"]
BIG = random.Random(7).randbytes(2_000_000)


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def reach(certificates):
    """Connect to a server, with TLS where it has that."""
    with contextlib.ExitStack() as stack:

        def connect(server, **options):
            address = server.addresses[0]
            if address.scheme == "tls":
                options.setdefault("tls", net.TLS(ca=certificates.authority))
            return stack.enter_context(net.connect(address, **options))

        yield connect


def test_there_and_back(serve, reach, kind):
    server = serve("shout", kind)
    with reach(server) as connection:
        connection.sendall(b"hello\nthere\n")
        assert connection.recv_until(b"\n") == b"HELLO\n"
        assert connection.recv_exactly(6) == b"THERE\n"
        assert connection.address == server.addresses[0]
        assert repr(connection) == f"<Connection {server.addresses[0]} open>"
    assert connection.closed
    assert repr(connection) == f"<Connection {server.addresses[0]} closed>"
    assert str(server.addresses[0]).startswith(kind.partition(":///")[0].removesuffix("0"))


def test_localhost_serves_both_families(serve):
    server = serve("shout", "tcp://localhost:0")
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family) as sock:
            sock.connect((host, server.addresses[0].port))
            sock.sendall(b"hi\n")
            assert sock.recv(3) == b"HI\n"


def test_large_data_both_ways_at_once(serve, reach, kind):
    connection = reach(serve("echo", kind))
    sender = threading.Thread(target=connection.sendall, args=(BIG, 60))
    sender.start()
    assert hashlib.sha256(connection.recv_exactly(len(BIG), 60)).digest() == hashlib.sha256(BIG).digest()
    sender.join()


def test_many_at_once(serve, reach, kind):
    server = serve("shout", kind)
    connections = [reach(server) for _ in range(20)]
    for connection in connections:
        connection.sendall(b"a\n")
    for connection in reversed(connections):
        connection.sendall(b"b\n")
        assert connection.recv_exactly(4) == b"A\nB\n"
    assert server.statistics().open == 20


def test_both_say_how_it_ends(serve, reach, kind):
    connection = reach(serve("shout", kind))
    connection.sendall(b"last\n")
    if not kind.startswith("tls"):
        connection.shutdown()
        assert connection.recv_until() == b"LAST\n"
        assert connection.recv_until() == b""
        assert connection.recv() == b""
        assert "ended by the far side" in repr(connection)


def test_a_wait_is_bounded_and_loses_nothing(serve, reach, kind):
    connection = reach(serve("shout", kind))
    for use in (connection.recv, lambda **t: connection.recv_exactly(3, **t), connection.recv_until):
        with pytest.raises(SocketTimeout, match=r"within 0\.01 s \(timeout=\)") as caught:
            use(timeout=0.01)
        assert (caught.value.address, caught.value.phase) == (str(connection.address), "recv")
    connection.sendall(b"abc\n")
    assert connection.recv_exactly(2) == b"AB"
    with pytest.raises(SocketTimeout):
        connection.recv_exactly(10, timeout=0.01)
    with pytest.raises(SocketTimeout):
        connection.recv_exactly(100_000, timeout=0.01)
    assert connection.recv_until(b"\n") == b"C\n"


def test_the_connection_has_a_timeout_of_its_own(serve, reach):
    connection = reach(serve("shout"), timeout=0.2)
    assert connection.timeout == 0.2
    with pytest.raises(SocketTimeout, match=r"0\.2 s"):
        connection.recv()
    connection.timeout = 30
    connection.sendall(b"x\n")
    assert connection.recv_exactly(2) == b"X\n"


def test_sizes(serve, reach):
    connection = reach(serve("echo"), max_size=10)
    connection.sendall(b"0123456789abcdefgh\n")
    with pytest.raises(MessageTooLarge, match="11 bytes are more than this connection's max_size of 10") as caught:
        connection.recv_exactly(11)
    assert (caught.value.size, caught.value.limit) == (11, 10)
    assert connection.recv(4) == b"0123"
    assert connection.recv_exactly(0) == b""
    with pytest.raises(MessageTooLarge, match=r"no b'\\n' within 5 bytes \(max_size=\)"):
        connection.recv_until(b"\n", max_size=5)
    assert connection.recv_until(b"78") == b"45678"
    assert connection.recv_until(b"\n", max_size=11) == b"9abcdefgh\n"


class Parts:
    """A stream that gives these, one by one."""

    address = "it"

    def __init__(self, *parts):
        self.parts = list(parts)

    def recv(self, *_, **__):
        return self.parts.pop(0)


@pytest.mark.parametrize("size", range(1, 12))
def test_a_separator_may_come_in_parts(size):
    data = b"head\r\n\r\nbody"
    stream: Any = Parts(*(data[at : at + size] for at in range(0, len(data), size)))
    connection = net.Connection(stream, net.Address("tcp", "it", 1), net.Address("tcp", "it", 2), timeout=1)
    assert connection.recv_until(b"\r\n\r\n") == b"head\r\n\r\n"
    assert connection.recv_exactly(4) == b"body"
    assert stream.parts == []


def test_an_end_in_the_middle_says_where(serve, reach, kind):
    server = serve("cut", kind)
    for use, text in (
        (lambda c: c.recv_exactly(4), "ended after 2 bytes, before 4 bytes had come"),
        (lambda c: c.recv_exactly(400_000), "ended after 2 of 400,000 bytes"),
        (lambda c: c.recv_until(b"\n"), r"ended after 2 bytes, before a b'\\n' had come"),
    ):
        connection = reach(server)
        connection.sendall(b"go\n")
        with pytest.raises(ConnectionLost, match=text) as caught:
            use(connection)
        assert (caught.value.address, caught.value.phase) == (str(server.addresses[0]), "recv")
        assert connection.recv() == b"ab"


def test_a_reset(serve, reach):
    connection = reach(serve("reset"))
    connection.sendall(b"go\n")
    with pytest.raises(ConnectionLost, match="the far side has reset the connection"):
        connection.recv()


def test_an_answer_arrives_though_not_everything_was_read(serve, reach, kind):
    connection = reach(serve("refuse", kind))
    connection.sendall(b"x" * 30_000)
    began = time.monotonic()
    assert connection.recv_until() == b"no\n"
    assert connection.recv() == b""
    assert time.monotonic() - began < 10


def test_a_certificate_names_the_client(serve, certificates):
    server = serve("whose", "tls://localhost:0", tls=net.TLS(cert=certificates.server, ca=certificates.authority))
    tls = net.TLS(ca=certificates.authority, cert=certificates.client)
    with net.connect(server.addresses[0], tls=tls) as connection:
        assert connection.recv() == b"client"
        assert connection.certificate["subject"] == ((("commonName", "server"),),)


def test_closing_wakes_a_reader(serve, reach, kind):
    connection = reach(serve("shout", kind))
    found = []

    def read():
        try:
            connection.recv(timeout=None)
        except ConnectionLost as error:
            found.append(str(error))

    thread = threading.Thread(target=read)
    thread.start()
    connection.close()
    thread.join(10)
    assert found == [f"{connection.address}: closed on this side"]
    with pytest.raises(ConnectionLost, match="closed on this side"):
        connection.sendall(b"x")


def test_handlers_know_who_calls():
    found = []

    def handler(connection):
        found.append((connection.address, connection.peer, repr(connection)))

    with net.Server(handler, "tcp://127.0.0.1:0") as server, net.connect(server.addresses[0]) as connection:
        assert connection.recv() == b""
        port = connection._stream._sock.getsockname()[1]
        assert connection.peer == server.addresses[0]
    assert found == [(server.addresses[0], net.Address("tcp", "127.0.0.1", port), found[0][2])]
    assert found[0][2] == f"<Connection tcp://127.0.0.1:{port} open>"


WRONG = {
    "recv(0)": lambda c: c.recv(0),
    "recv_exactly(-1)": lambda c: c.recv_exactly(-1),
    "recv_until('')": lambda c: c.recv_until(b""),
    "timeout=-1": lambda c: c.recv(timeout=-1),
    "timeout is set": lambda c: setattr(c, "timeout", "10"),
    "timeout=nan": lambda c: c.recv(timeout=float("nan")),
    "timeout='1'": lambda c: c.recv(timeout="1"),
    "timeout=True": lambda c: c.sendall(b"", timeout=True),
    "sendall('text')": lambda c: c.sendall("text"),
    "sendall(5)": lambda c: c.sendall(5),
    "request": lambda c: c.request(b"x"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_said_at_once(serve, reach, wrong):
    connection = reach(serve("shout"))
    with pytest.raises((TypeError, ValueError)):
        WRONG[wrong](connection)
    connection.sendall(b"still well\n")
    assert connection.recv_until() == b"STILL WELL\n"


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"timeout": -1}, ValueError, "0 or more seconds"),
        ({"timeout": "10"}, TypeError, "a number of seconds or None"),
        ({"max_size": 0}, ValueError, "1 or more"),
        ({"tls": net.TLS()}, ValueError, "is without TLS"),
    ],
)
def test_wrong_ways_to_connect(options, error, text):
    with pytest.raises(error, match=text):
        net.connect("tcp://127.0.0.1:1", **options)


def test_an_address_that_is_none():
    with pytest.raises(ValueError, match="did you mean tcp://localhost:7000"):
        net.connect("localhost:7000")
    with pytest.raises(ValueError, match="did you mean tcp://localhost:7000"):
        net.Server(handlers.shout, "localhost:7000")
