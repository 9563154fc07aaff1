"""What a client may not do to a server, and what a web page may not make a browser do."""

from __future__ import annotations

import errno
import gzip
import itertools
import socket
import struct
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar
from xmlrpc.client import Fault, ProtocolError

import pytest

from elsewhere.xmlrpc.client import ServerProxy, loads
from elsewhere.xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer
from elsewhere.xmlrpc.server.visits import State, Visits
from tests.xmlrpc.serving import BOUND, body, called, head, posted, raw, rest, simple, url


def add(x: int, y: int) -> int:
    return x + y


class Strict(SimpleXMLRPCRequestHandler):
    """As the usual one, with limits that a test can reach."""

    max_body = 1000
    max_decoded = 2000


class Hasty(Strict):
    """It soon takes a client for too slow, on a busy machine one that is not."""

    timeout = 0.3
    head_timeout = 0.3
    rate = 1 << 20


@pytest.fixture
def strict():
    with simple(add, handler=Strict) as server:
        yield server
        server.RequestHandlerClass = Strict
        assert called(server, "add", 2, 3) == 5  # whatever was done to it


@pytest.fixture
def hasty(strict):
    strict.RequestHandlerClass = Hasty
    return strict


def status(answer: bytes) -> str:
    return answer.partition(b"\r\n")[0].decode()


class TestSizes:
    def test_a_body_that_is_announced_too_large_is_not_read(self, strict):
        with raw(strict, head(Content_Length=1 << 30)) as sock:
            assert status(rest(sock)).startswith("HTTP/1.1 413 The body has 1073741824 bytes and may have 1000")

    def test_one_who_sends_it_all_the_same_hears_why(self, strict):
        """Many clients read no answer before they have sent everything, and lose it if they cannot."""
        with raw(strict, head(Content_Length=1 << 30)) as sock:
            answer = sock.recv(65536)
            assert answer.startswith(b"HTTP/1.1 413 ")
            for _ in range(16):
                sock.sendall(bytes(32 << 10))
            sock.shutdown(socket.SHUT_WR)
            assert (answer + rest(sock)).endswith(b"</html>\n")

    def test_it_is_not_asked_for_either(self, strict):
        with raw(strict, head(Content_Length=1 << 30, Expect="100-continue")) as sock:
            assert status(rest(sock)).startswith("HTTP/1.1 413 ")

    def test_one_that_fits_is_asked_for(self, strict):
        request = body("add", 2, 3)
        with raw(strict, head(Content_Length=len(request), Expect="100-continue", Connection="close")) as sock:
            assert sock.recv(1024) == b"HTTP/1.1 100 Continue\r\n\r\n"
            sock.sendall(request)
            assert status(rest(sock)) == "HTTP/1.1 200 OK"

    @pytest.mark.parametrize("length", ["", "-1", "+5", "1_0", "0x10", "five", "9" * 30, "0" * 30 + "9"])
    def test_lengths_that_are_none(self, strict, length):
        with raw(strict, head(Content_Length=length)) as sock:
            assert status(rest(sock)).split()[1] in {"400", "413"}

    @pytest.mark.parametrize("line", [b"Content-Length : 5", b"no header", b" folded"])
    def test_lines_that_are_no_headers(self, strict, line):
        """Whoever takes them for some, such as a proxy, finds another end of the request."""
        with raw(strict, b"POST /RPC2 HTTP/1.1\r\n" + line + b"\r\nContent-Type: text/xml\r\n\r\n12345") as sock:
            assert status(rest(sock)) == "HTTP/1.1 400 A line among the headers is none"

    def test_two_lengths(self, strict):
        request = head(Content_Length=5).replace(b"\r\n\r\n", b"\r\nContent-Length: 6\r\n\r\n")
        with raw(strict, request) as sock:
            assert status(rest(sock)) == "HTTP/1.1 400 Content-Length is not one number"

    def test_a_body_whose_end_nobody_knows(self, strict):
        with raw(strict, head()) as sock:
            assert status(rest(sock)).startswith("HTTP/1.1 411 ")
        request = body("add", 2, 3)
        for lengths in ({}, {"Content_Length": len(request)}):  # two ways to find the end are two ends
            with raw(strict, head(Transfer_Encoding="chunked", **lengths) + request) as sock:
                assert status(rest(sock)).startswith("HTTP/1.1 411 ")

    def test_a_head_without_end(self, strict):
        with raw(strict, b"POST / HTTP/1.1\r\n" + b"X: y\r\n" * 90 + b"X: " + b"y" * 65000 + b"\r\n") as sock:
            sock.sendall(2 * (b"X: " + b"y" * 65000 + b"\r\n") + b"\r\n")
            assert status(rest(sock)).startswith("HTTP/1.1 431 ")

    def test_a_bomb(self, strict):
        with posted(strict, gzip.compress(bytes(100_000)), Content_Encoding="gzip") as answer:
            assert answer.status == 400

    @pytest.mark.parametrize("data", [b"no gzip", b"\x1f\x8b\x08\x00", gzip.compress(b"x" * 100)[:-9]])
    def test_what_is_no_gzip(self, strict, data):
        with posted(strict, data, Content_Encoding="gzip") as answer:
            assert answer.status == 400

    def test_an_encoding_that_is_not_known(self, strict):
        with posted(strict, b"x", Content_Encoding="br\xff") as answer:
            assert answer.status == 501

    def test_gzip_both_ways(self, strict):
        request = gzip.compress(body("echo", "x" * 1500))
        strict.register_function(lambda text: text, "echo")
        with posted(strict, request, Content_Encoding="gzip", Accept_Encoding="br;q=, gzip;q=1.0.0, gzip") as answer:
            assert answer.getheader("Content-Encoding") == "gzip"
            assert loads(gzip.decompress(answer.read())) == (("x" * 1500,), None)

    @pytest.mark.parametrize(
        "request_body",
        [
            b"<!DOCTYPE x [<!ENTITY a 'add'>]><methodCall><methodName>&a;</methodName></methodCall>",
            b"<methodCall><methodName>add</methodName><params><param>" + b"<value><array><data>" * 40,
            b"<methodCall>",
            b"",
            b"\xff\xfe\x00",
            b"<methodResponse><params><param><value>1</value></param></params></methodResponse>",
        ],
    )
    def test_what_is_no_call_is_a_fault(self, strict, request_body):
        with posted(strict, request_body) as answer, pytest.raises(Fault):
            loads(answer.read())


class TestTime:
    def test_one_who_says_nothing(self, hasty):
        with raw(hasty) as sock:
            assert rest(sock) == b""

    def test_one_who_does_not_end_the_head(self):
        class Patient(Hasty):
            timeout = None

        with simple(handler=Patient) as server, raw(server, b"POST /RPC2 HTTP/1.1\r\nHost:") as sock:
            assert rest(sock) == b""

    def test_one_who_goes_on_slowly(self, hasty):
        """Each byte comes in time, and all together do not."""
        with raw(hasty, b"POST /RPC2 HTTP/1.1\r\n") as sock:
            sock.settimeout(0.02)
            for _ in itertools.repeat(None, 500):
                try:
                    sock.sendall(b"x")
                    assert sock.recv(1) == b""
                    break
                except TimeoutError:
                    continue
                except OSError:
                    break
            else:
                pytest.fail("it was heard for 10 seconds")

    def test_one_who_does_not_end_the_body(self, hasty):
        with raw(hasty, head(Content_Length=900) + b"<methodCall>") as sock:
            assert rest(sock) == b""

    def test_one_who_does_not_read_the_answer(self):
        ended = threading.Event()

        class Watched(Hasty):
            rate = 64 << 20

            def finish(self):
                super().finish()
                ended.set()

        with simple(handler=Watched) as server:
            server.register_function(lambda: "x" * (32 << 20), "much")
            request = body("much")
            with raw(server, head(Content_Length=len(request)) + request):
                assert ended.wait(BOUND)

    @pytest.mark.parametrize("reset", [False, True])
    def test_one_who_goes_away_is_no_news(self, reset):
        class Tells(SimpleXMLRPCServer):
            errors: ClassVar[list[object]] = []

            def handle_error(self, request, client_address):
                self.errors.append(sys.exception())

        request = body("add", 1, 2)
        with simple(add, kind=Tells) as server:
            for data in (b"", b"PO", head(Content_Length=900) + b"<", head(Content_Length=len(request)) + request):
                with raw(server, data) as sock:
                    while len(server._visits) != 1:  # it was accepted
                        pass
                    if reset:
                        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                while len(server._visits):
                    pass
        assert Tells.errors == []


class TestConnections:
    def test_for_one_more_the_one_goes_that_has_waited_longest(self):
        class Small(SimpleXMLRPCServer):
            max_connections = 3

        with simple(add, kind=Small) as server, raw(server) as oldest, raw(server) as second, raw(server) as third:
            assert called(server, "add", 2, 2) == 4
            assert rest(oldest) == b""
            for sock in (second, third):
                sock.setblocking(False)
                with pytest.raises(BlockingIOError):
                    sock.recv(1)

    def test_one_goes_that_is_slow_with_its_request(self):
        class Single(SimpleXMLRPCServer):
            max_connections = 1

        with simple(add, kind=Single) as server:
            for data in (b"POST", head(Content_Length=900) + b"<methodCall>"):
                with raw(server, data) as slow:
                    assert called(server, "add", 2, 2) == 4
                    assert rest(slow) == b""

    def test_one_whose_method_runs_stays_and_the_next_waits(self):
        begun, go_on = threading.Event(), threading.Event()

        class Single(SimpleXMLRPCServer):
            max_connections = 1

        def long() -> str:
            begun.set()
            go_on.wait(BOUND)
            return "done"

        request = body("long")
        with (
            simple(add, long, kind=Single) as server,
            ThreadPoolExecutor(1) as pool,
            raw(server, head(Content_Length=len(request)) + request) as first,
        ):
            assert begun.wait(BOUND)
            second = pool.submit(called, server, "add", 2, 2)
            while not server._visits._changed._waiters:  # it was accepted, and waits for a place
                assert not second.done()
            go_on.set()
            assert second.result(BOUND) == 4  # though the first has not hung up
            assert b"done" in rest(first)

    def test_only_one_goes_for_one_that_comes(self):
        visits = Visits(2)
        pairs = [socket.socketpair() for _ in range(2)]
        for ours, _ in pairs:
            visits.enter(ours)
        with visits._changed:
            visits._make_room()
            visits._make_room()  # something else has changed, and the first has not gone yet
        assert [visits.enter(ours).ended for ours, _ in pairs] == [True, False]
        for sock in itertools.chain(*pairs):
            sock.close()

    def test_one_that_was_told_to_end_runs_no_method(self):
        visits = Visits(1)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            visit = visits.enter(ours)
            assert visit.go(State.READS)
            with visits._changed:
                visits._make_room()
            assert not visit.go(State.WORKS)
            assert theirs.recv(1) == b""

    def test_as_the_server_stops_a_request_is_still_read_and_answered(self):
        read = threading.Event()

        class Watched(SimpleXMLRPCRequestHandler):
            def is_rpc_path_valid(self):
                read.set()
                return super().is_rpc_path_valid()

        request = body("add", 2, 3)
        with simple(add, handler=Watched) as server, raw(server, head(Content_Length=len(request))) as sock:
            assert read.wait(BOUND)  # the head, and not the body
            server._visits.stop()
            sock.sendall(request)
            answer = rest(sock)
            assert b"<int>5</int>" in answer
            assert b"\r\nConnection: close\r\n" in answer

    def test_without_descriptors_it_rests(self):
        class Scarce:
            """A listener whose system has no more descriptors."""

            def __init__(self, sock):
                self.sock, self.refused = sock, 0

            def accept(self):
                if self.refused == 3:
                    return self.sock.accept()
                self.refused += 1
                raise OSError(errno.EMFILE, "too many open files")

            def __getattr__(self, name):
                return getattr(self.sock, name)

        with simple(add) as server:
            server.socket = Scarce(server.socket)
            began = time.monotonic()
            assert called(server, "add", 2, 2) == 4
            assert time.monotonic() - began > 0.4


class TestBrowsers:
    CALL = body("add", 2, 3)

    def test_what_programs_send_is_served(self, strict):
        for kind in ("text/xml", "TEXT/XML; charset=utf-8", "application/xml", "application/rpc+xml", ""):
            with posted(strict, self.CALL, Content_Type=kind, Host="a.name.behind.a.proxy") as answer:
                assert (kind, answer.status) == (kind, 200)

    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "xml"])
    def test_what_a_form_sends_is_not(self, strict, kind):
        with posted(strict, self.CALL, Content_Type=kind) as answer:
            assert answer.status == 415
            assert kind in answer.reason

    def test_nor_what_a_script_sends_without_a_type(self, strict):
        port = strict.server_address[1]
        with posted(strict, self.CALL, Content_Type="", Origin=f"http://127.0.0.1:{port}") as answer:
            assert answer.status == 415

    def test_its_own_page_may_call(self, strict):
        port = strict.server_address[1]
        for host in ("localhost", "127.0.0.1", "sub.localhost"):
            with posted(strict, self.CALL, Host=f"{host}:{port}", Origin=f"http://{host}:{port}") as answer:
                assert answer.status == 200
        with posted(strict, self.CALL, Host="localhost", Origin="http://localhost:80") as answer:
            assert answer.status == 200

    @pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:1", "http://[", "file://"])
    def test_a_page_of_others_may_not(self, strict, origin):
        with posted(strict, self.CALL, Origin=origin) as answer:
            assert answer.status == 403
            assert "allowed_origins" in answer.reason

    def test_a_name_that_was_made_to_lead_here(self, strict):
        port = strict.server_address[1]
        evil = f"evil.example:{port}"
        with posted(strict, self.CALL, Host=evil, Origin=f"http://{evil}") as answer:
            assert answer.status == 403
            assert "allowed_hosts" in answer.reason

    def test_what_is_allowed(self):
        class Open(SimpleXMLRPCRequestHandler):
            allowed_hosts = ("api.example",)
            allowed_origins = ("https://app.example",)
            xml_only = False

        with simple(add, handler=Open) as server:
            for host, origin, expected in (
                ("api.example", "https://app.example", 200),
                ("API.example", "http://api.example", 200),
                ("localhost", "https://app.example", 403),
                ("api.example", "https://other.example", 403),
            ):
                with posted(server, self.CALL, Host=host, Origin=origin, Content_Type="text/plain") as answer:
                    assert (host, origin, answer.status) == (host, origin, expected)

    def test_a_line_break_does_not_come_back(self, strict):
        with raw(strict, head(Content_Length=0, Content_Type="a\x0bSet-Cookie: b\xe9")) as sock:
            answer = rest(sock)
            assert b"415" in answer
            assert b"\x0b" not in answer.partition(b"\r\n")[0]


def test_paths(strict):
    with posted(strict, b"", "/elsewhere") as answer:
        assert (answer.status, answer.read()) == (404, b"No such page")
    with ServerProxy(url(strict).replace("RPC2", "x")) as proxy, pytest.raises(ProtocolError, match="404"):
        proxy.add(1, 2)
