"""UDP: whole datagrams, errors that name sizes, and answers that are asked for again."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import threading
import time

import pytest

from elsewhere import net
from elsewhere.errors import ConnectError, ConnectionLost, MessageTooLarge, SocketTimeout
from tests.net.helpers import until

UDP = "udp://127.0.0.1:0"


@pytest.fixture
def plain():
    """A plain datagram socket, and its address as a URL."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(10)
        yield sock, f"udp://127.0.0.1:{sock.getsockname()[1]}"


@pytest.mark.parametrize("name", ["reply", "reply_later"])
def test_the_bytes_returned_are_the_reply(serve, name):
    server = serve(name, UDP)
    with net.connect(server.addresses[0]) as client:
        assert [client.request(data) for data in (b"one", b"two", b"")] == [b"ONE", b"TWO", b""]


@pytest.mark.parametrize("name", ["reply_to", "reply_to_later"])
def test_a_handler_may_want_to_know_the_sender(serve, name):
    server = serve(name, "udp://localhost:0")
    for host in ("127.0.0.1", "[::1]"):
        with net.connect(f"udp://{host}:{server.addresses[0].port}") as client:
            port = client._sock.getsockname()[1]
            assert client.request(b"hi") == f"hi from udp://{host}:{port}".encode()


def test_a_plain_client(serve, plain):
    sock, _ = plain
    server = serve("reply", UDP)
    sock.sendto(b"plain", ("127.0.0.1", server.addresses[0].port))
    assert sock.recvfrom(100)[0] == b"PLAIN"


def test_a_plain_server(plain):
    sock, address = plain
    with net.connect(address) as client:
        assert client.send(b"there") == 5
        data, sender = sock.recvfrom(100)
        sock.sendto(data + b" and back", sender)
        assert client.recv() == b"there and back"
        assert repr(client) == f"<Datagrams {address} open>"
    assert repr(client) == f"<Datagrams {address} closed>"


def test_the_largest_there_and_back(serve):
    server = serve("reply", UDP)
    with net.connect(server.addresses[0]) as client:
        data = b"x" * 65507
        assert client.request(data, timeout=10) == data.upper()


def test_one_that_is_too_large_is_not_sent(plain):
    sock, address = plain
    with net.connect(address) as client:
        for send in (client.send, client.sendall, client.request):
            with pytest.raises(MessageTooLarge, match=f"{address}: 65,508 bytes .* holds 65,507; nothing") as caught:
                send(b"x" * 65508)
            assert (caught.value.size, caught.value.limit) == (65508, 65507)
        client.send(b"small")
    assert sock.recv(100) == b"small"


def test_one_that_comes_too_large_names_both_sizes(plain):
    sock, address = plain
    with net.connect(address, max_size=1000) as client:
        client.send(b"who?")
        sender = sock.recvfrom(10)[1]
        for data in (b"a" * 1001, b"b" * 1000, b"c" * 500, b"d" * 400):
            sock.sendto(data, sender)
        with pytest.raises(MessageTooLarge, match="a datagram of 1,001 bytes came, and at most 1,000") as caught:
            client.recv()
        assert (caught.value.size, caught.value.limit) == (1001, 1000)
        assert client.recv() == b"b" * 1000
        with pytest.raises(MessageTooLarge, match="a datagram of 500 bytes came, and at most 499"):
            client.recv(max_size=499)
        assert client.recv() == b"d" * 400


def test_a_server_throws_too_large_ones_away(serve, caplog):
    with caplog.at_level(logging.WARNING, "elsewhere.net"):
        server = serve("reply", UDP, max_size=10)
        with net.connect(server.addresses[0]) as client:
            client.send(b"x" * 11)
            assert client.request(b"x" * 10, 20) == b"X" * 10
            assert _settled(server, 1).refused == 1
    assert "has 11 bytes, more than the 10 that are allowed (max_size=): it is thrown away" in caplog.text


def test_what_a_handler_does_wrong_is_logged_and_goes_on(serve, caplog):
    server = serve("reply_badly", UDP)
    with net.connect(server.addresses[0]) as client:
        for data in (b"fail", b"file", b"text", b"large", b"none"):
            client.send(data)
        assert client.request(b"well", 20) == b"well"
    assert _settled(server, 6) == net.Statistics(accepted=6, handled=2, failed=4)
    assert "ValueError: failed" in caplog.text
    assert "FileNotFoundError: [Errno 2] none of that name" in caplog.text
    assert "reply_badly returned str: the reply to a datagram is bytes" in caplog.text
    assert "65,508 bytes do not fit into a datagram" in caplog.text


def _busy(found, finished):
    return found.open or found.handled + found.failed < finished


def _settled(server, finished):
    until(lambda: not _busy(server.statistics(), finished))
    return server.statistics()._replace(open=0)


def test_receiving_is_bounded(plain):
    _, address = plain
    with net.connect(address, timeout=0.01) as client:
        for timeout in (..., 0, 0.02):
            with pytest.raises(SocketTimeout, match="no datagram has come within") as caught:
                client.recv(timeout=timeout)
            assert caught.value.phase == "recv"


def test_a_request_is_repeated(plain):
    sock, address = plain
    heard = []

    def answer_the_third():
        for _ in range(3):
            data, sender = sock.recvfrom(100)
            heard.append(data)
        sock.sendto(b"at last", sender)

    thread = threading.Thread(target=answer_the_third)
    thread.start()
    with net.connect(address) as client:
        assert client.request(b"please", timeout=0.05, attempts=400) == b"at last"
    thread.join()
    assert heard == [b"please"] * 3


def test_a_request_without_an_answer(plain):
    _, address = plain
    with net.connect(address) as client:
        began = time.monotonic()
        with pytest.raises(SocketTimeout, match=r"no answer to 3 tries, each with 0\.02 s \(timeout=, attempts=\)"):
            client.request(b"x", timeout=0.02, attempts=3)
        assert 0.06 <= time.monotonic() - began < 10
        with pytest.raises(SocketTimeout, match="no answer to 1 try"):
            client.request(b"x", timeout=0.02, attempts=1)


def test_what_came_before_a_request_is_no_answer_to_it(plain):
    sock, address = plain
    with net.connect(address) as client:
        client.send(b"first")
        sender = sock.recvfrom(100)[1]
        for _ in range(3):
            sock.sendto(b"answer to the first", sender)

        def answer():
            assert sock.recv(100) == b"second"
            sock.sendto(b"answer to the second", sender)

        thread = threading.Thread(target=answer)
        thread.start()
        assert client.request(b"second", 10) == b"answer to the second"
        thread.join()


def test_a_late_answer_is_not_taken_for_another(plain):
    sock, address = plain
    with net.connect(address) as client:
        client.send(b"first")
        sender = sock.recvfrom(100)[1]
        sock.sendto(b"answer to the first", sender)

        def answer():
            assert sock.recv(100) == b"second"
            sock.sendto(b"1:late", sender)
            sock.sendto(b"2:right", sender)

        thread = threading.Thread(target=answer)
        thread.start()
        assert client.request(b"second", 10, match=lambda data: data.startswith(b"2:")) == b"2:right"
        thread.join()


def test_nobody_listens():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    for address in (f"udp://127.0.0.1:{port}", f"udp://localhost:{port}"):
        with net.connect(address) as client:
            began = time.monotonic()
            with pytest.raises(ConnectError, match=f"{address}: connection refused: nobody listens there"):
                client.request(b"x", timeout=5)
            assert time.monotonic() - began < 4


def test_nobody_listens_any_more(plain):
    sock, address = plain
    with net.connect(address) as client:
        closer = threading.Thread(target=lambda: (sock.recv(10), sock.close()))
        closer.start()
        with pytest.raises(ConnectionLost, match="nobody listens there"):  # the first may have been heard
            client.request(b"x", timeout=0.2, attempts=50)
        closer.join()


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_localhost_is_who_answers(family, host):
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 0))
        port = sock.getsockname()[1]

        def answer():
            data, sender = sock.recvfrom(100)
            sock.sendto(data * 2, sender)

        thread = threading.Thread(target=answer)
        thread.start()
        with net.connect(f"udp://localhost:{port}") as client:
            assert client.request(b"ab", timeout=10) == b"abab"
            assert client.peer.host == host
        thread.join()


def test_only_the_peer_is_heard(plain):
    sock, address = plain
    with net.connect(address) as client, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        client.send(b"who?")
        sender = sock.recvfrom(10)[1]
        stranger.sendto(b"me!", sender)
        sock.sendto(b"I", sender)
        assert client.recv() == b"I"


def test_closing_wakes_who_receives(plain):
    _, address = plain
    client = net.connect(address)
    found = []

    def receive():
        with pytest.raises(ConnectionLost, match="closed on this side"):
            client.recv(timeout=None)
        found.append(True)

    thread = threading.Thread(target=receive)
    thread.start()
    until(client._lock.locked)
    client.close()
    client.close()
    thread.join(10)
    assert found == [True]
    assert client.fileno() == -1
    with pytest.raises(ConnectionLost, match="closed on this side"):
        client.send(b"x")


def test_a_second_receiver_is_told(plain):
    sock, address = plain
    with net.connect(address) as client:
        client.send(b"who?")
        sender = sock.recvfrom(10)[1]
        thread = threading.Thread(target=client.recv)
        thread.start()
        until(client._lock.locked)
        with pytest.raises(RuntimeError, match="one may at a time"):
            client.recv()
        sock.sendto(b"x", sender)
        thread.join()


@pytest.mark.parametrize("use", ["recv_exactly", "recv_until", "shutdown"])
def test_datagrams_are_no_stream(plain, use):
    with net.connect(plain[1]) as client, pytest.raises(TypeError, match="has datagrams, not a stream"):
        getattr(client, use)(*([3] if use == "recv_exactly" else []))


def test_a_name_that_is_not_found():
    with pytest.raises(ConnectError, match="cannot be resolved"):
        net.connect("udp://no.such.invalid:1")


def test_more_than_can_be_answered_at_once_is_no_error(serve):
    server = serve("reply", UDP, max_connections=1)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(net.connect(server.addresses[0])) for _ in range(20)]
        for number, client in enumerate(clients):
            client.send(f"client {number}".encode())
        for number, client in enumerate(clients):
            assert client.recv() == f"CLIENT {number}".encode()


def test_what_the_way_there_does_not_take(plain, monkeypatch):
    _, address = plain
    with net.connect(address) as client:
        error = OSError(errno.EMSGSIZE, "")

        class Narrow:
            def __getattr__(self, name):
                return getattr(real, name)

            def send(self, data):
                raise error

        real, client._sock = client._sock, Narrow()
        with pytest.raises(MessageTooLarge, match="larger than its way there takes"):
            client.send(b"x" * 9000)
        client._sock = real
