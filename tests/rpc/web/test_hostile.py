"""Clients that stall, lie and send nonsense: each is cut off, and others are served meanwhile."""

from __future__ import annotations

import logging
import os
import select
import socket
import threading
import time

import pytest

from elsewhere import Service
from tests.contract.work import PATIENCE, until
from tests.rpc import serving
from tests.rpc.web.plain import Bytes, Plain

HEAD = b"POST /jsonrpc HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
BODY = b'{"jsonrpc": "2.0", "method": "double", "params": [2], "id": 1}'
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


@pytest.fixture(params=["threads", "loop"])
def server(request):
    service = serving.service_of(request.param, handshake_timeout=0.8, send_timeout=0.8, idle_timeout=30)
    with service.start("http://127.0.0.1:0") as server:
        yield server


def drip(peer: Bytes, data: bytes, pause: float = 0.02) -> bool:
    """Send byte by byte until the server has had enough; False if it never has."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for index in range(len(data)):
            try:
                peer.sock.sendall(data[index : index + 1])
            except OSError:
                return True
            threading.Event().wait(pause)
    return False


def test_who_says_nothing_is_cut_off(server):
    with Bytes(server.addresses[0]) as peer:
        assert peer.rest() == b""


@pytest.mark.parametrize("before", [b"", WHOLE])
def test_a_head_that_comes_slowly_is_cut_off(server, before):
    with Bytes(server.addresses[0]) as peer:
        peer.send(before)
        assert drip(peer, b"GET / HTTP/1.1\r\nX: " + b"y" * 100_000)


def flood(peer: Bytes, data: bytes, most: int) -> bool:
    """Send without end; True if the server has had enough before `most` bytes."""
    sent = 0
    while sent < most:
        try:
            peer.sock.sendall(data)
        except ConnectionError:
            return True
        sent += len(data)
    return False


@pytest.mark.parametrize(
    "data", [b"GET /" + b"a" * 1000, b"GET / HTTP/1.1\r\nX: " + b"y" * 1000, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200]
)
def test_a_head_without_end_is_cut_off(server, data):
    with Bytes(server.addresses[0]) as peer:
        peer.send(data)
        assert flood(peer, data[-6:] * 1000, 64 << 20)


def test_a_head_without_end_behind_a_request_that_takes_long_is_cut_off(server):
    gone = threading.Event()
    server._service.register(lambda: gone.wait(PATIENCE), "rest", where="threads")
    body = b'{"jsonrpc": "2.0", "method": "rest", "id": 1}'
    with Bytes(server.addresses[0]) as peer:
        peer.send(HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        peer.send(b"GET / HTTP/1.1\r\nX: ")
        assert flood(peer, b"y" * 6000, 64 << 20)
    gone.set()


def test_a_body_behind_a_request_that_takes_long_is_waited_for():
    """Uvicorn reads nothing meanwhile, so that it only seems to be slow."""
    service = Service(handshake_timeout=1.0)
    service.register(lambda: time.sleep(2.5), "rest")
    first = b'{"jsonrpc": "2.0", "method": "rest", "id": 1}'
    with service.start("http://127.0.0.1:0") as server, Bytes(server.addresses[0]) as peer:
        peer.send(HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(first), first))
        peer.send(HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(first), first[:5]))
        found = b""
        while b'"result":null' not in found:
            found += peer.sock.recv(1000)
        peer.send(first[5:])
        assert peer.rest().count(b'"result":null') == 1


def test_a_body_that_comes_slowly_is_cut_off(server):
    with Bytes(server.addresses[0]) as peer:
        peer.send(HEAD + b"Content-Length: 100000\r\n\r\n")
        assert drip(peer, b"y" * 100_000)


def test_a_body_that_stops_is_cut_off(server):
    with Bytes(server.addresses[0]) as peer:
        peer.send(WHOLE[:-1])
        assert peer.rest() == b""


def test_a_quick_client_stays(server):
    with Plain(server.addresses[0]) as peer:
        for pause in (0.0, 1.0, 1.0):
            threading.Event().wait(pause)  # longer than any head or body may take
            assert peer.result("double", 2) == 4


def test_a_method_that_takes_long_is_not_a_client_that_stalls():
    service = Service(handshake_timeout=0.6, send_timeout=0.6)
    service.register(lambda: time.sleep(1.5), "rest")
    with service.start("http://127.0.0.1:0") as server, Plain(server.addresses[0]) as peer:
        assert peer.result("rest") is None


def test_who_does_not_read_is_cut_off(server):
    service = server._service
    service.register(lambda: "x" * (20 << 20), "much", where="loop")
    with Bytes(server.addresses[0]) as peer:
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        body = b'{"jsonrpc": "2.0", "method": "much", "id": 1}'
        peer.send(HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        web = server._serving.web
        assert peer.sock.recv(5) == b"HTTP/"
        until(lambda: web.count == 0)
        assert len(peer.rest()) < 1 << 20  # what was on its way is not waited for


def test_hundreds_that_stall_hold_up_nobody(server):
    peers = [Bytes(server.addresses[0]) for _ in range(300)]
    try:
        for peer in peers[::2]:
            peer.send(HEAD)
        for peer in peers[1::2]:
            peer.send(HEAD + b"Content-Length: 1000\r\n\r\n{")
        with Plain(server.addresses[0]) as other:
            for n in range(50):
                assert other.result("double", n) == 2 * n
        for peer in peers:
            assert peer.rest() == b""
    finally:
        for peer in peers:
            peer.sock.close()


@pytest.mark.parametrize(
    "data",
    [
        b"\x00" * 100,
        b"GET\r\n\r\n",
        b"\x94\x00\x01\xa6double\x91\x02",  # MessagePack-RPC
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),  # TLS
        b"POST /jsonrpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"POST /jsonrpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /jsonrpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_nonsense(server, data, caplog):
    caplog.set_level(logging.INFO)
    with Bytes(server.addresses[0]) as peer:
        peer.send(data)
        found = peer.rest()
        assert found == b"" or found.startswith((b"HTTP/1.1 4", b"HTTP/1.1 200"))
    with Plain(server.addresses[0]) as other:
        assert other.result("double", 2) == 4
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_no_websocket_is_opened(server):
    with Bytes(server.addresses[0]) as peer:
        upgrade = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        peer.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + upgrade + b"Sec-WebSocket-Version: 13\r\n\r\n")
        assert peer.sock.recv(15) == b"HTTP/1.1 200 OK"


def test_a_request_that_is_cut_off(server, caplog):
    for many in range(1, len(WHOLE), 7):
        with Bytes(server.addresses[0]) as peer:
            peer.send(WHOLE[:many])
    with Plain(server.addresses[0]) as other:
        assert other.result("double", 2) == 4
    until(lambda: server._serving.web.count <= 1)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_many_requests_in_one_piece(server):
    with Bytes(server.addresses[0]) as peer:
        peer.send(WHOLE * 20 + WHOLE.replace(b"Content-Type", b"Connection: close\r\nContent-Type"))
        found = peer.rest()
        assert found.count(b'"result":4') == 21
        assert found.count(b"HTTP/1.1 200 OK") == 21


def test_bodies_that_come_together_are_bounded():
    service = serving.service_of("loop", max_size=100_000)
    with service.start("http://127.0.0.1:0") as server:
        peers = [Bytes(server.addresses[0]) for _ in range(6)]
        try:
            for peer in peers:
                peer.send(HEAD + b"Content-Length: 100000\r\n\r\n" + bytes(90_000))
            waiting = {peer.sock: peer for peer in peers}
            for _ in range(2):  # the others wait for the rest
                readable, _, _ = select.select(list(waiting), [], [], PATIENCE)
                assert waiting.pop(readable[0]).rest().startswith(b"HTTP/1.1 503")
        finally:
            for peer in peers:
                peer.sock.close()
        with Plain(server.addresses[0]) as other:
            assert other.result("double", 2) == 4


def test_memory_stays_while_large_bodies_are_turned_away(server):
    def resident() -> int:
        with open(f"/proc/{os.getpid()}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    before = resident()
    for _ in range(3):
        with Bytes(server.addresses[0]) as peer:
            peer.send(HEAD + b"Content-Length: 1000000000\r\n\r\n")
            try:
                for _ in range(100):
                    peer.send(bytes(1 << 20))
            except ConnectionError:
                pass
            assert resident() - before < 64 << 20
