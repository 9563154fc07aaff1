"""The way of a call: kept connections, threads, nothing sent twice, limits, and what programs override."""

from __future__ import annotations

import gzip
import http.client
import select
import socket
import ssl
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from elsewhere.sansio.xmlrpc import answer, fault
from elsewhere.xmlrpc.client import (
    Fault,
    ProtocolError,
    ResponseError,
    SafeTransport,
    ServerProxy,
    Transport,
)
from tests.xmlrpc.raw import BOUND, RawServer, Visitor, numbered


def hung_up(proxy: ServerProxy) -> None:
    """Wait until the end of the kept connection has arrived."""
    sock = proxy("transport")._connection[1].sock
    assert select.select([sock], [], [], BOUND)[0]


class TestKept:
    def test_calls_share_a_connection(self):
        with RawServer(numbered) as server, ServerProxy(server.url) as proxy:
            assert [proxy.a(), proxy.b.c(1), proxy.a()] == [1, 1, 1]
        assert [request.connection for request in server.requests] == [1, 1, 1]

    def test_a_fault_and_an_error_page_leave_it_open(self):
        def visit(visitor: Visitor) -> None:
            visitor.request()
            visitor.send(fault(4, "no"))
            visitor.request()
            visitor.send(b"<p>busy</p>" * 100, status="503 Service Unavailable")
            numbered(visitor)

        with RawServer(visit) as server, ServerProxy(server.url) as proxy:
            with pytest.raises(Fault, match="no"):
                proxy.a()
            with pytest.raises(ProtocolError) as raised:
                proxy.a()
            assert raised.value.errcode == 503
            assert proxy.a() == 1

    def test_an_error_page_without_end_does_not(self):
        def visit(visitor: Visitor) -> None:
            visitor.request()
            if visitor.number == 1:
                visitor.sock.sendall(b"HTTP/1.1 500 Oops\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 200_000)
                visitor.request()  # until the client hangs up
            else:
                visitor.answer("well")

        with RawServer(visit) as server, ServerProxy(server.url) as proxy:
            with pytest.raises(ProtocolError):
                proxy.a()
            assert proxy.a() == "well"

    def test_one_that_the_server_has_closed_is_not_used(self):
        def once(visitor: Visitor) -> None:
            visitor.request()
            visitor.answer(visitor.number)

        with RawServer(once) as server, ServerProxy(server.url) as proxy:
            assert proxy.a() == 1
            hung_up(proxy)
            assert proxy.a() == 2
            hung_up(proxy)
        assert len(server.requests) == 2

    def test_one_that_the_program_has_closed_is_not_used(self):
        with RawServer(numbered) as server, ServerProxy(server.url) as proxy:
            assert proxy.a() == 1
            proxy("transport")._connection[1].sock.close()
            assert proxy.a() == 2

    def test_one_that_is_no_socket_is_left_to_the_program(self):
        class Wrapped:
            def __init__(self, sock):
                self._sock = sock
                self.sendall, self.makefile, self.close = sock.sendall, sock.makefile, sock.close

        class Wraps(Transport):
            def _new_connection(self, address, x509):
                connection = http.client.HTTPConnection(address)
                connect = connection.connect

                def wrapped():
                    connect()
                    connection.sock = Wrapped(connection.sock)

                connection.connect = wrapped
                return connection

        with RawServer(numbered) as server, ServerProxy(server.url, transport=Wraps()) as proxy:
            assert [proxy.a(), proxy.a()] == [1, 1]

    def test_threads_have_their_own(self):
        together = threading.Barrier(4)

        def echo(visitor: Visitor) -> None:
            for _ in range(10):
                request = visitor.request()
                if request is None:
                    return
                together.wait(BOUND)  # so that four are under way
                visitor.send(
                    request.body.replace(b"methodCall", b"methodResponse").replace(b"<methodName>a</methodName>", b"")
                )

        def ten(of: int) -> list[Any]:
            return [proxy.a(f"{of}.{n}") for n in range(10)]

        with RawServer(echo) as server, ServerProxy(server.url) as proxy, ThreadPoolExecutor(4) as threads:
            for of, got in enumerate(threads.map(ten, range(4))):
                assert got == [f"{of}.{n}" for n in range(10)]
        assert server.connections == 4

    def test_close_closes_them_and_the_next_call_opens_another(self):
        ended = threading.Semaphore(0)

        def visit(visitor: Visitor) -> None:
            numbered(visitor)
            ended.release()

        with RawServer(visit) as server:
            proxy = ServerProxy(server.url)
            assert proxy.a() == 1
            proxy("close")()
            assert ended.acquire(timeout=BOUND)
            assert proxy("transport")._connection == (None, None)
            assert proxy.a() == 2
            proxy("transport").close()
            assert ended.acquire(timeout=BOUND)

    def test_close_lets_a_call_of_another_thread_end(self):
        came, go, ended = threading.Event(), threading.Event(), threading.Event()

        def visit(visitor: Visitor) -> None:
            visitor.request()
            came.set()
            assert go.wait(BOUND)
            visitor.answer("done")
            assert visitor.request() is None  # it is closed then
            ended.set()

        with RawServer(visit) as server, ThreadPoolExecutor(1) as threads:
            proxy = ServerProxy(server.url)
            call = threads.submit(proxy.a)
            assert came.wait(BOUND)
            proxy("close")()
            go.set()
            assert call.result(BOUND) == "done"
            assert ended.wait(BOUND)

    def test_a_forked_child_opens_its_own(self):
        program = """
import os, sys
from elsewhere.xmlrpc.client import ServerProxy
with ServerProxy(sys.argv[1]) as proxy:
    print(proxy.a(), flush=True)
    pid = os.fork()
    if not pid:
        print(proxy.a(), flush=True)
        proxy("close")()
        os._exit(0)
    os.waitpid(pid, 0)
    print(proxy.a(), flush=True)
"""
        with RawServer(numbered) as server:
            done = subprocess.run(
                [sys.executable, "-c", program, server.url], capture_output=True, text=True, check=True, timeout=BOUND
            )
        assert done.stdout.split() == ["1", "2", "1"]

    def test_a_password_goes_to_its_own_host_only(self):
        transport = Transport()
        with RawServer(numbered) as ours, RawServer(numbered) as other:
            first = ServerProxy(f"http://me:s%20cret@{ours.host}/", transport=transport)
            second = ServerProxy(other.url, transport=transport)
            for proxy in (first, second, first, second):
                proxy.a()
            transport.close()
            assert (ours.connections, other.connections) == (1, 1)
        assert {request.header("Authorization") for request in ours.requests} == {"Basic bWU6cyBjcmV0"}
        assert {request.header("Authorization") for request in other.requests} == {None}

    def test_a_password_is_in_no_text(self):
        def visit(visitor: Visitor) -> None:
            visitor.request()
            visitor.send(b"", status="401 Unauthorized")

        with RawServer(visit) as server, ServerProxy(f"http://me:secret@{server.host}/") as proxy:
            with pytest.raises(ProtocolError) as raised:
                proxy.a()
            assert "secret" not in repr(proxy) + repr(raised.value) + raised.value.url
            assert raised.value.url == f"{server.host}/"


class TestNotTwice:
    """The original sends a call again when the connection breaks, though the server may have run it."""

    @staticmethod
    def drops(at: int) -> Any:
        """Of all requests, this one is read and not answered."""

        def visit(visitor: Visitor) -> None:
            while visitor.request() is not None:
                if len(visitor._server.requests) == at:
                    return
                visitor.answer(len(visitor._server.requests))

        return visit

    @pytest.mark.parametrize("at", [1, 2])
    def test_what_is_lost_is_not_sent_again(self, at):
        with RawServer(self.drops(at)) as server, ServerProxy(server.url) as proxy:
            for _ in range(at - 1):
                proxy.a()
            with pytest.raises(http.client.RemoteDisconnected) as raised:
                proxy.a()
            assert "may have run" in raised.value.__notes__[0]
            assert proxy.a() == at + 1
        assert len(server.requests) == at + 1

    @pytest.mark.parametrize("at", [1, 2])
    def test_but_where_it_does_no_harm_it_is(self, at):
        transport = Transport()
        transport.idempotent = True
        with RawServer(self.drops(at)) as server, ServerProxy(server.url, transport=transport) as proxy:
            assert [proxy.a(), proxy.a()] == ([2, 3] if at == 1 else [1, 3])

    def test_what_could_not_be_sent_whole_is_sent_again(self):
        broken: list[int] = []

        class Connection(http.client.HTTPConnection):
            def endheaders(self, *args: Any, **kwargs: Any) -> None:
                if self.sock is not None and not broken:
                    broken.append(1)
                    self.sock.shutdown(socket.SHUT_WR)  # as if the server had just hung up
                super().endheaders(*args, **kwargs)

        class Broken(Transport):
            def _new_connection(self, address, x509):
                return Connection(address)

        with RawServer(numbered) as server, ServerProxy(server.url, transport=Broken()) as proxy:
            assert proxy.a() == 1
            assert proxy.a() == 2
        assert broken
        assert len(server.requests) == 2

    def test_nobody_there_is_an_error_at_once(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        with pytest.raises(ConnectionRefusedError) as raised:
            ServerProxy(f"http://127.0.0.1:{port}/").a()
        assert not hasattr(raised.value, "__notes__")

    def test_a_timeout_ends_the_wait(self):
        come = threading.Event()

        def visit(visitor: Visitor) -> None:
            if visitor.number == 1:
                visitor.request()
                come.set()
                visitor.request()  # until the client hangs up
            else:
                numbered(visitor)

        transport = Transport(timeout=0.2)
        with RawServer(visit) as server, ServerProxy(server.url, transport=transport) as proxy:
            with pytest.raises(TimeoutError) as raised:
                proxy.a()
            assert come.wait(BOUND)
            assert "may have run" in raised.value.__notes__[0]
            transport._timeout = BOUND
            assert proxy.a() == 2  # not what the first one may still be answered

    @pytest.mark.parametrize("status", ["413 Content Too Large", "200 OK"])
    def test_what_the_server_says_before_it_has_all_is_heard(self, status):
        def visit(visitor: Visitor) -> None:
            if visitor.number == 1:
                visitor.request()
                visitor.answer("first")
                visitor.sock.recv(100)
                visitor.send(answer("early"), status=status)
                visitor.sock.shutdown(socket.SHUT_RD)
            else:
                numbered(visitor)

        with RawServer(visit) as server, ServerProxy(server.url) as proxy:
            assert proxy.a() == "first"
            if status.startswith("200"):
                assert proxy.a(b"x" * (50 << 20)) == "early"
            else:
                with pytest.raises(ProtocolError, match="413"):
                    proxy.a(b"x" * (50 << 20))
            assert proxy.a() == 2
        assert len(server.requests) == 2


class TestLimits:
    @staticmethod
    def refused(proxy: ServerProxy, says: str) -> None:
        with pytest.raises(ResponseError, match=says):
            proxy.a()

    @staticmethod
    def proxy(url: str, most: int = 100_000) -> ServerProxy:
        transport = Transport()
        transport.max_response = most
        return ServerProxy(url, transport=transport)

    def test_a_length_that_is_too_large_is_not_waited_for(self):
        def visit(visitor: Visitor) -> None:
            visitor.request()
            visitor.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            visitor.request()  # until the client hangs up

        with (
            RawServer(visit) as server,
            self.proxy(server.url) as proxy,
            pytest.raises(ResponseError, match=r"100,000 bytes; Transport\.max_response"),
        ):
            proxy.a()

    def test_an_answer_without_length_ends_at_the_limit(self):
        def visit(visitor: Visitor) -> None:
            visitor.request()
            visitor.sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:  # until the client hangs up
                visitor.sock.sendall(b"4000\r\n" + b" " * 0x4000 + b"\r\n")

        with (
            RawServer(visit) as server,
            self.proxy(server.url) as proxy,
            pytest.raises(ResponseError, match="max_response"),
        ):
            proxy.a()

    @pytest.mark.parametrize("member", [1, 20])
    def test_a_bomb_is_unpacked_to_the_limit(self, member):
        bomb = gzip.compress(b" " * (5_000_000 // member)) * member

        def visit(visitor: Visitor) -> None:
            visitor.request()
            visitor.send(bomb, "Content-Encoding: gzip")

        with (
            RawServer(visit) as server,
            self.proxy(server.url) as proxy,
            pytest.raises(ResponseError, match="max_response"),
        ):
            proxy.a()

    @pytest.mark.parametrize("body", [b"no gzip", gzip.compress(answer(1))[:-5], gzip.compress(answer(1)) + b"x"])
    def test_what_is_no_gzip_is_said_so(self, body):
        def visit(visitor: Visitor) -> None:
            visitor.request()
            visitor.send(body, "Content-Encoding: gzip")

        with RawServer(visit) as server, self.proxy(server.url) as proxy:
            self.refused(proxy, "is not")

    def test_gzip_both_ways(self):
        def visit(visitor: Visitor) -> None:
            visitor.request()
            visitor.send(gzip.compress(answer("é" * 1000)), "Content-Encoding: gzip")
            numbered(visitor)

        transport = Transport()
        with RawServer(visit) as server, ServerProxy(server.url, transport=transport) as proxy:
            assert proxy.a() == "é" * 1000
            transport.encode_threshold = 500
            proxy.a("x" * 1000)
            proxy.a("x")
            transport.accept_gzip_encoding = False
            proxy.a()
        packed, plain, refused = server.requests[1:]
        assert packed.header("Content-Encoding") == "gzip"
        assert b"x" * 1000 in gzip.decompress(packed.body)
        assert plain.header("Content-Encoding") is None
        assert plain.header("Accept-Encoding") == "gzip"
        assert refused.header("Accept-Encoding") == "identity"


class TestSecure:
    @pytest.fixture
    def server(self, certificates):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.server)
        with RawServer(numbered, tls=context) as server:
            yield server

    def test_https_with_an_authority_of_ones_own(self, server, certificates):
        context = ssl.create_default_context(cafile=certificates.authority)
        with ServerProxy(server.url, context=context) as proxy:
            assert [proxy.a(), proxy.a()] == [1, 1]
            assert isinstance(proxy("transport"), SafeTransport)

    def test_a_certificate_of_a_stranger_is_refused(self, server):
        with ServerProxy(server.url) as proxy, pytest.raises(ssl.SSLCertVerificationError):
            proxy.a()
        assert not server.requests


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(BOUND)
        self.sock.connect(self._path)


class TestSubclasses:
    """What programs have made of the original's class."""

    def test_a_connection_of_their_own(self):
        class Timed(Transport):
            def make_connection(self, host):
                connection = super().make_connection(host)
                connection.timeout = 7
                return connection

        with RawServer(numbered) as server, ServerProxy(server.url, transport=Timed()) as proxy:
            assert [proxy.a(), proxy.a()] == [1, 1]
            assert proxy("transport")._connection[1].sock.gettimeout() == 7

    def test_one_that_they_keep_as_the_original_does(self, tmp_path):
        class OverUnix(Transport):
            def __init__(self, path):
                super().__init__()
                self.path = path

            def make_connection(self, host):
                if self._connection and host == self._connection[0]:
                    return self._connection[1]
                self._extra_headers = [("X-Mine", "yes")]
                self._connection = host, UnixConnection(self.path)
                return self._connection[1]

        path = str(tmp_path / "s")
        with RawServer(numbered, path) as server, ServerProxy("http://local/", transport=OverUnix(path)) as proxy:
            assert [proxy.a(), proxy.a()] == [1, 1]
        assert [request.header("X-Mine") for request in server.requests] == ["yes", "yes"]

    def test_a_connection_that_they_make_for_each_call(self):
        class Fresh(Transport):
            def make_connection(self, host):
                self.made = http.client.HTTPConnection(host, timeout=BOUND)
                return self.made

            def parse_response(self, response):
                try:
                    return super().parse_response(response)
                finally:
                    self.made.close()

        with RawServer(numbered) as server, ServerProxy(server.url, transport=Fresh()) as proxy:
            assert [proxy.a(), proxy.a()] == [1, 2]

    def test_request_done_wholly_by_themselves(self):
        class Own(Transport):
            def request(self, host, handler, request_body, verbose=False):
                connection = self.make_connection(host)
                connection.request("POST", handler, request_body, {"Content-Type": "text/xml"})
                return self.parse_response(connection.getresponse())

        with RawServer(numbered) as server, ServerProxy(server.url, transport=Own()) as proxy:
            assert [proxy.a(), proxy.a()] == [1, 1]

    def test_headers_and_content(self):
        class Signed(Transport):
            user_agent = "mine/1"

            def send_headers(self, connection, headers):
                super().send_headers(connection, [*headers, ("X-Signed", "yes")])

            def send_content(self, connection, request_body):
                super().send_content(connection, request_body + b"<!-- signed -->")

        transport = Signed(headers=[("X-First", "1")])
        with RawServer(numbered) as server, ServerProxy(server.url, transport=transport) as proxy:
            proxy.a()
        [request] = server.requests
        assert request.header("User-Agent") == "mine/1"
        assert request.header("X-Signed") == "yes"
        assert request.header("X-First") == "1"
        assert request.body.endswith(b"<!-- signed -->")

    def test_a_call_in_the_middle_of_another(self):
        class Asks(Transport):
            inside = False

            def parse_response(self, response):
                if not self.inside:
                    self.inside = True
                    before = self._connection
                    self.other = ServerProxy(server.url, transport=self).a()
                    assert self._connection is before
                return super().parse_response(response)

        with RawServer(numbered) as server, ServerProxy(server.url, transport=Asks()) as proxy:
            assert proxy.a() == 1
            assert proxy("transport").other == 2
            assert proxy.a() in {1, 2}
        assert server.connections == 2

    def test_an_init_that_does_not_call_ours_by_super(self):
        class Old(Transport):
            def __init__(self):
                Transport.__init__(self)
                self._use_datetime = True

        with RawServer(numbered) as server, ServerProxy(server.url, transport=Old()) as proxy:
            assert proxy.a() == 1

    def test_get_host_info(self):
        transport = Transport()
        assert transport.get_host_info("h:1") == ("h:1", [], {})
        assert transport.get_host_info("u:p%40@[::1]:2") == ("[::1]:2", [("Authorization", "Basic dTpwQA==")], {})
        assert transport.get_host_info(("u@h", {"key_file": "k"})) == (
            "h",
            [("Authorization", "Basic dQ==")],
            {"key_file": "k"},
        )

    def test_verbose_shows_what_comes(self, capsys):
        with RawServer(numbered) as server, ServerProxy(server.url, verbose=True) as proxy:
            proxy.a()
        shown = capsys.readouterr().out
        assert "POST /RPC2 HTTP/1.1" in shown
        assert 'body: b"<?xml' in shown
