"""A service behind TLS, with client certificates or without."""

from __future__ import annotations

import socket
import ssl

import pytest

from elsewhere import ConnectError, ConnectionLost, connect
from elsewhere.transport.tls import TLS
from tests.contract.work import until
from tests.rpc import serving
from tests.rpc.raw import Raw


@pytest.fixture(params=["threads", "loop"])
def where(request):
    return request.param


@pytest.fixture
def start(where):
    servers = []

    def start(tls, **options):
        servers.append(serving.service_of(where, **options).start("tls://127.0.0.1:0", tls=tls))
        return servers[-1].addresses[0]

    yield start
    for server in servers:
        server.close(0)


def test_calls(start, certificates):
    address = start(TLS(cert=certificates.server))
    with connect(address, tls=TLS(ca=certificates.authority)) as client:
        assert [client.double(n) for n in range(20)] == [2 * n for n in range(20)]
        data = bytes(range(256)) * 20_000
        assert client.echo(data) == data
        futures = [client.submit("double", n) for n in range(500)]
        assert [future.result() for future in futures] == [2 * n for n in range(500)]


def test_a_client_certificate_is_wanted(start, certificates):
    address = start(TLS(cert=certificates.server, ca=certificates.authority))
    with connect(address, tls=TLS(ca=certificates.authority, cert=certificates.client)) as client:
        assert client.double(1) == 2
    for tls in [TLS(ca=certificates.authority), TLS(ca=certificates.authority, cert=certificates.foreign)]:
        with pytest.raises((ConnectError, ConnectionLost)), connect(address, tls=tls) as client:
            client.double(1)
    with connect(address, tls=TLS(ca=certificates.authority, cert=certificates.client)) as client:
        assert client.double(1) == 2


def test_one_that_speaks_no_tls(start, certificates, caplog):
    address = start(TLS(cert=certificates.server))
    plain = Raw(address.replace("tls://", "tcp://"))
    with plain:
        plain.write(b"GET / HTTP/1.1\r\n\r\n")
        assert plain.ended()
    until(lambda: "TLS failed" in caplog.text, "the log")
    with connect(address, tls=TLS(ca=certificates.authority)) as client:
        assert client.double(1) == 2


def test_a_handshake_that_stalls_is_cut_off_and_holds_up_nobody(start, certificates):
    address = start(TLS(cert=certificates.server), handshake_timeout=2.0)  # the good one's, too
    with Raw(address.replace("tls://", "tcp://")) as stalled:
        stalled.write(b"\x16\x03\x01")
        with connect(address, tls=TLS(ca=certificates.authority)) as client:
            assert client.double(1) == 2
            assert stalled.ended()
            assert client.double(1) == 2


def test_the_end_is_told_by_tls(start, where, certificates):
    address = start(TLS(cert=certificates.server))
    host, port = address.removeprefix("tls://").split(":")
    context = ssl.create_default_context(cafile=str(certificates.authority))
    with (
        socket.create_connection((host, int(port)), 10) as sock,
        context.wrap_socket(sock, server_hostname=host, suppress_ragged_eofs=False) as secure,
    ):
        secure.sendall(b"\x94\x00\x01\xa6double\x91\x01")
        assert secure.recv(100) == b"\x94\x01\x01\xc0\x02"
        secure.sendall(b"\xc1")
        assert secure.recv(100) == b""  # a ragged end would raise


def test_workers(certificates):
    service = serving.service_of("threads")
    with (
        service.start("tls://127.0.0.1:0", tls=TLS(cert=certificates.server), workers=2) as server,
        connect(server.addresses[0], tls=TLS(ca=certificates.authority)) as client,
    ):
        assert client.double(1) == 2
