"""A client behind TLS: the same turns, on a stream of which one thread at a time may ask anything."""

from __future__ import annotations

import concurrent.futures
import threading

import pytest

from elsewhere import CallTimeout, ConnectError, ConnectionLost, ConnectTimeout, Service, connect
from elsewhere.transport.tls import TLS
from tests.rpc.peers import Peer


@pytest.fixture
def service():
    service = Service()
    service.gate = threading.Event()
    service.register(lambda value: value, "echo", idempotent=True)
    service.register(lambda: service.gate.wait(20), "wait")
    yield service
    service.gate.set()


@pytest.fixture
def address(service, certificates):
    with service.start("tls://127.0.0.1:0", tls=TLS(cert=certificates.server)) as server:
        yield server.addresses[0]
        service.gate.set()


@pytest.fixture
def tls(certificates):
    return TLS(ca=certificates.authority)


def test_many_threads_with_large_and_small_values(address, tls):
    with connect(address, tls=tls) as client:

        def work(thread):
            value = bytes([thread]) * (1_000_000 if thread % 2 else 10)
            futures = [client.submit("echo", number) for number in range(50)]
            return all(client.echo(value) == value for _ in range(10)) and [f.result() for f in futures]

        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            assert list(threads.map(work, range(8))) == [list(range(50))] * 8


def test_a_full_pipe_both_ways_is_no_deadlock(address, tls):
    with connect(address, tls=tls) as client:
        value = b"x" * 100_000
        futures = [client.submit("echo", value) for _ in range(200)]
        assert all(future.result() == value for future in futures)


def test_limits_and_ends(address, tls, service):
    with connect(address, tls=tls) as client:
        assert client.echo(1) == 1
        with pytest.raises(CallTimeout):
            client.options(timeout=0.05).call("wait")
        future = client.submit("wait")
        client._link.conn.stream.shutdown()
        with pytest.raises(ConnectionLost):
            future.result()
        assert client.echo(2) == 2


def test_a_server_that_is_not_believed(address):
    with pytest.raises(ConnectError, match="certificate") as caught:
        connect(address)
    assert caught.value.phase == "handshake"


def test_a_plain_peer_that_says_nothing(tls):
    def mood(conversation):
        while conversation.sock.recv(1000):
            pass

    with Peer(mood) as peer, pytest.raises(ConnectTimeout, match="handshake"):
        connect(peer.address.replace("tcp://", "tls://"), timeout=0.2, tls=tls)
