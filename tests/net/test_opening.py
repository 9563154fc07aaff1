"""The streams of asyncio for an address."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from elsewhere import net
from elsewhere.errors import ConnectError, ConnectionLost, ConnectTimeout, SocketTimeout
from tests.net import handlers
from tests.transport.peers import answering, black_hole, context, echo, listening


@contextlib.asynccontextmanager
async def opened(*given, **options):
    reader, writer = await net.open_connection(*given, **options)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@pytest.mark.parametrize("kind", ["tcp://127.0.0.1:0", "tcp://localhost:0", "tls://localhost:0", "unix:///it"])
def test_there_and_back(serve, certificates, kind):
    server = serve("shout", kind)
    options = {"tls": net.TLS(ca=certificates.authority)} if kind.startswith("tls") else {}

    async def talk():
        async with opened(server.addresses[0], **options) as (reader, writer):
            assert isinstance(reader, asyncio.StreamReader)
            assert isinstance(writer, asyncio.StreamWriter)
            writer.write(b"one\ntwo\nthree\nfour\n")
            await writer.drain()
            assert await reader.readline() == b"ONE\n"
            assert await reader.readexactly(3) == b"TWO"
            assert await reader.readuntil(b"REE\n") == b"\nTHREE\n"
            assert await reader.read(100) == b"FOUR\n"
            if writer.can_write_eof():
                writer.write_eof()
                assert await reader.read() == b""
                assert [line async for line in reader] == []

    asyncio.run(talk())


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_localhost_is_both_families(family):
    async def talk(port):
        async with opened(f"tcp://localhost:{port}") as (reader, writer):
            writer.write(b"hi")
            assert await reader.readexactly(2) == b"hi"

    with answering(echo, family=family) as port:
        asyncio.run(talk(port))


def fails(address, error, match, **options):
    async def talk():
        with pytest.raises(error, match=match) as caught:
            await net.open_connection(address, **options)
        return caught.value

    return asyncio.run(talk())


def test_nobody_listens():
    with listening() as listener:
        port = listener.getsockname()[1]
    for host in ("127.0.0.1", "localhost"):
        error = fails(f"tcp://{host}:{port}", ConnectError, "connection refused: nobody listens there")
        assert (error.address, error.phase) == (f"tcp://{host}:{port}", "connect")


def test_a_name_that_is_not_found():
    assert fails("tcp://no.such.invalid:1", ConnectError, "cannot be resolved").phase == "resolve"


def test_a_unix_socket_that_is_not_there(tmp_path):
    fails(f"unix://{tmp_path}/none", ConnectError, "there is no such socket")


def test_a_black_hole_is_bounded():
    with black_hole() as port:
        error = fails(f"tcp://127.0.0.1:{port}", ConnectTimeout, r"no connection within 0\.2 s", timeout=0.2)
        assert error.phase == "connect"


def test_a_host_whose_first_address_is_a_black_hole(monkeypatch):
    async def talk(*ports):
        places = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port)) for port in ports]

        async def getaddrinfo(*_, **__):
            return places

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
        async with opened("tcp://two.example:1", 30) as (_, writer):
            assert writer.get_extra_info("peername")[1] == ports[1]

    with black_hole() as hole, answering(echo) as port:
        asyncio.run(talk(hole, port))


def test_tls_to_a_plain_server_that_waits():
    with listening() as listener:
        address = f"tls://127.0.0.1:{listener.getsockname()[1]}"
        error = fails(address, ConnectTimeout, r"no TLS handshake within 0\.2 s: is it a tls:// server", timeout=0.2)
        assert error.phase == "handshake"


def test_a_certificate_that_is_not_believed(certificates):
    with answering(echo, tls=context(certificates.server)) as port:
        error = fails(f"tls://localhost:{port}", ConnectError, r"its certificate is not believed: .*TLS\(ca=")
        assert error.phase == "handshake"


def test_what_is_wrong_is_said_at_once(certificates):
    fails("localhost:1", ValueError, "did you mean tcp://localhost:1")
    fails("udp://localhost:1", ValueError, "may begin with tcp://, tls:// or unix://")
    fails("tcp://localhost:1", ValueError, "is without TLS", tls=net.TLS())
    fails("tcp://localhost:1", TypeError, "a number of seconds", timeout="1")
    with listening() as listener:
        address = f"tls://127.0.0.1:{listener.getsockname()[1]}"
        fails(address, FileNotFoundError, "none.pem' cannot be read", tls=net.TLS(ca="/none.pem"))


def test_cancelling_leaves_nothing():
    async def talk(port):
        task = asyncio.create_task(net.open_connection(f"tcp://127.0.0.1:{port}"))
        for _ in range(100_000):
            if len(asyncio.all_tasks()) == 3:  # it has begun to connect
                break
            await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 3
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with black_hole() as port:
        asyncio.run(talk(port))


def test_waits_are_bounded():
    async def talk(port):
        async with opened(f"tcp://127.0.0.1:{port}", 0.5) as (reader, writer):
            for wait in (reader.read(1), reader.readexactly(2), reader.readline(), reader.read()):
                with pytest.raises(SocketTimeout, match=r"within 0\.5 s") as caught:
                    await wait
                assert caught.value.phase == "recv"
            with pytest.raises(SocketTimeout, match="the far side has not read"):
                while True:
                    writer.write(b"x" * 65536)
                    await writer.drain()
            writer.transport.abort()

    with listening() as listener:
        asyncio.run(talk(listener.getsockname()[1]))


def test_a_reset_is_ours():
    async def talk(address):
        async with opened(address) as (reader, writer):
            writer.write(b"go\n")
            with pytest.raises(ConnectionLost, match="has reset the connection") as caught:
                await reader.read(1)
            assert caught.value.address == str(address)
            with pytest.raises(ConnectionLost):
                await writer.drain()

    with net.Server(handlers.reset, "tcp://127.0.0.1:0") as server:
        asyncio.run(talk(server.addresses[0]))
