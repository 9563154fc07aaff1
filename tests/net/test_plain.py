"""Ours and other programs, both ways: the standard library's servers and clients, and the openssl program."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import socketserver
import ssl
import subprocess
import threading
import urllib.request

import pytest

from elsewhere import net
from tests.ports import free_port
from tests.require import require


@contextlib.contextmanager
def running(server):
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        with server:
            yield server
            server.shutdown()
    finally:
        thread.join(10)


class Line(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line.upper())


class Whole(socketserver.BaseRequestHandler):
    def handle(self):
        data, sock = self.request
        sock.sendto(data.upper(), self.client_address)


def test_our_client_and_socketserver(tmp_path):
    for make, place, address in (
        (socketserver.TCPServer, ("127.0.0.1", 0), "tcp://127.0.0.1:{port}"),
        (socketserver.UnixStreamServer, str(tmp_path / "it"), f"unix://{tmp_path}/it"),
    ):
        with running(make(place, Line)) as server:
            port = server.server_address[1] if isinstance(place, tuple) else 0
            with net.connect(address.format(port=port)) as connection:
                connection.sendall(b"one\ntwo\n")
                assert connection.recv_exactly(8) == b"ONE\nTWO\n"


def test_our_datagrams_and_socketserver():
    plain = socketserver.UDPServer(("127.0.0.1", 0), Whole)
    with running(plain), net.connect(f"udp://127.0.0.1:{plain.server_address[1]}") as client:
        assert client.request(b"hello") == b"HELLO"


def test_our_client_speaks_to_a_web_server(tmp_path):
    (tmp_path / "page.txt").write_text("a page\n" * 1000)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *given):
            super().__init__(*given, directory=tmp_path)

        def log_message(self, *_):
            pass

    plain = http.server.HTTPServer(("127.0.0.1", 0), Quiet)
    with running(plain), net.connect(f"tcp://127.0.0.1:{plain.server_address[1]}") as connection:
        connection.sendall(b"GET /page.txt HTTP/1.0\r\n\r\n")
        head = connection.recv_until(b"\r\n\r\n").lower().splitlines()
        size = next(int(line.split()[1]) for line in head if line.startswith(b"content-length"))
        assert connection.recv_exactly(size) == b"a page\n" * 1000
        assert connection.recv() == b""


def page(connection):
    connection.recv_until(b"\r\n\r\n")
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")


async def page_on_loop(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")


@pytest.mark.parametrize("kind", ["http", "https"])
def test_a_web_client_speaks_to_our_server(place, certificates, kind):
    scheme, tls = ("tls", net.TLS(cert=certificates.server)) if kind == "https" else ("tcp", None)
    handler = page if place == "threads" else page_on_loop
    context = ssl.create_default_context(cafile=certificates.authority)
    with net.Server(handler, f"{scheme}://localhost:0", tls=tls) as server:
        url = f"{kind}://localhost:{server.addresses[0].port}/"
        with urllib.request.urlopen(url, timeout=10, context=context if kind == "https" else None) as answer:
            assert answer.read() == b"hello"


def test_a_tls_server_of_asyncio(certificates):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.server)
    found = []

    async def shout(reader, writer):
        async for line in reader:
            writer.write(line.upper())
        writer.close()

    async def main():
        server = await asyncio.start_server(shout, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        await asyncio.to_thread(ask, port)
        server.close()
        await server.wait_closed()

    def ask(port):
        with net.connect(f"tls://localhost:{port}", tls=net.TLS(ca=certificates.authority)) as connection:
            for _ in range(3):
                connection.sendall(b"x" * 20_000 + b"\n")
                found.append(connection.recv_exactly(20_001))

    asyncio.run(main())
    assert found == [b"X" * 20_000 + b"\n"] * 3


def test_the_openssl_program_as_a_client(serve, certificates):
    openssl = require(program="openssl", install="apt install openssl")
    server = serve("shout", "tls://localhost:0")
    words = [openssl, "s_client", "-connect", f"127.0.0.1:{server.addresses[0].port}", "-quiet", "-verify_return_error"]
    words += ["-CAfile", str(certificates.authority), "-verify_hostname", "localhost"]
    run = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with run:
        run.stdin.write(b"hello openssl\n")
        run.stdin.flush()
        assert run.stdout.readline() == b"HELLO OPENSSL\n"
        run.terminate()


def test_the_openssl_program_as_a_server(certificates):
    openssl = require(program="openssl", install="apt install openssl")
    port = free_port()
    words = [
        openssl,
        "s_server",
        "-accept",
        f"127.0.0.1:{port}",
        "-cert",
        str(certificates.server),
        "-rev",
        "-naccept",
        "1",
    ]
    run = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with run:
        while b"ACCEPT" not in run.stdout.readline():
            assert run.poll() is None
        with net.connect(f"tls://localhost:{port}", tls=net.TLS(ca=certificates.authority)) as connection:
            connection.sendall(b"reversed\n")
            assert connection.recv_until(b"\n") == b"desrever\n"
        run.wait(20)
