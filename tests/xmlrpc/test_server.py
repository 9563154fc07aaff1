"""What servers do for programs that were written for xmlrpc.server: threads, kept connections, their end."""

from __future__ import annotations

import inspect
import os
import socket
import socketserver
import sqlite3
import ssl
import threading
import xmlrpc.client
import xmlrpc.server
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import pytest

import elsewhere.xmlrpc
import elsewhere.xmlrpc.server as ours
from elsewhere.xmlrpc.client import ServerProxy
from tests.xmlrpc.serving import BOUND, HOST, body, called, head, port, posted, raw, rest, serving, simple, url

THEIRS = xmlrpc.server


def who() -> str:
    return str(threading.get_ident())


def test_every_public_name_takes_what_it_took():
    names = [name for name, value in vars(THEIRS).items() if getattr(value, "__module__", "") == "xmlrpc.server"]
    assert "SimpleXMLRPCServer" in names
    for name in names:
        original, mine = getattr(THEIRS, name), getattr(ours, name)
        assert parameters(mine) == parameters(original), name
        if isinstance(original, type):
            assert [one for one in vars(original) if not hasattr(mine, one)] == []


def parameters(function: object) -> list[object]:
    """Of a function or class: names, kinds and defaults, classes by their names."""
    found = inspect.signature(function).parameters.values()  # type: ignore[arg-type]  # all of them can be called
    return [(one.name, one.kind, getattr(one.default, "__name__", one.default)) for one in found]


def test_the_package_has_them_too():
    assert set(ours.__all__) <= set(elsewhere.xmlrpc.__all__)
    assert all(getattr(elsewhere.xmlrpc, name) is getattr(ours, name) for name in ours.__all__)
    assert elsewhere.xmlrpc.server is ours


def test_what_the_original_imports_can_be_taken_from_it():
    assert ours.BaseHTTPRequestHandler is THEIRS.BaseHTTPRequestHandler
    assert ours.pydoc.HTMLDoc
    with pytest.raises(AttributeError, match="nothing_of_it"):
        ours.nothing_of_it  # noqa: B018 - it raises


def test_methods_run_at_the_same_time():
    both = threading.Barrier(2)

    def meet() -> int:
        return both.wait(BOUND)

    with simple(meet) as server, ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(called, server, "meet") for _ in range(2)]
        assert sorted(call.result(BOUND) for call in calls) == [0, 1]


class InTurn(ours.SimpleXMLRPCServer):
    one_at_a_time = True


def test_methods_run_in_turn_if_asked():
    both = threading.Barrier(2)

    def meet() -> bool:
        try:
            both.wait(0.3)
        except threading.BrokenBarrierError:
            return False
        return True

    with simple(meet, kind=InTurn) as server, ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(called, server, "meet") for _ in range(2)]
        assert [call.result(BOUND) for call in calls] == [False, False]


class Counts(ours.SimpleXMLRPCServer):
    accepted = 0

    def get_request(self):
        self.accepted += 1
        return super().get_request()


def test_a_connection_is_kept():
    with simple(who, kind=Counts) as server:
        with xmlrpc.client.ServerProxy(url(server)) as proxy:
            assert len({proxy.who() for _ in range(5)}) == 1
        assert server.accepted == 1


def test_a_connection_of_http_1_0_is_kept_if_asked():
    request = body("who")
    asked = head(Connection="keep-alive", Content_Length=len(request)).replace(b"HTTP/1.1", b"HTTP/1.0") + request
    with simple(who) as server, raw(server, asked) as sock:
        answer = b""
        while b"</methodResponse>" not in answer:
            answer += sock.recv(65536)
        assert b"\r\nConnection: keep-alive\r\n" in answer
        sock.sendall(asked.replace(b"keep-alive", b"close"))
        assert b"\r\nConnection: close\r\n" in rest(sock)


class TestHandleRequest:
    """One connection, one request, in the caller's thread: loops around it were written for that."""

    def test_it_returns_when_it_has_answered(self):
        done = []

        def finish() -> str:
            done.append(True)
            return who()

        with ours.SimpleXMLRPCServer((HOST, 0), logRequests=False) as server, ThreadPoolExecutor(1) as pool:
            server.register_function(finish)
            call = pool.submit(called, server, "finish")
            while not done:
                server.handle_request()
            assert call.result(BOUND) == who()

    def test_a_database_may_stay_in_its_thread(self):
        base = sqlite3.connect(":memory:")

        def count() -> int:
            return int(base.execute("select 6 * 7").fetchone()[0])

        with ours.SimpleXMLRPCServer((HOST, 0), logRequests=False) as server, ThreadPoolExecutor(1) as pool:
            server.register_function(count)
            call = pool.submit(called, server, "count")
            server.handle_request()
            assert call.result(BOUND) == 42
        base.close()

    def test_an_interrupt_is_for_the_program(self):
        def interrupt() -> None:
            raise KeyboardInterrupt

        with ours.SimpleXMLRPCServer((HOST, 0), logRequests=False) as server:
            server.register_function(interrupt)
            request = body("interrupt")
            with raw(server, head(Content_Length=len(request)) + request) as sock:
                with pytest.raises(KeyboardInterrupt):
                    server.handle_request()
                assert rest(sock) == b""

    def test_it_works_after_serve_forever(self):
        server = ours.SimpleXMLRPCServer((HOST, 0), logRequests=False)
        server.register_function(who)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        with ServerProxy(url(server)) as proxy:
            proxy.who()
        server.shutdown()
        thread.join(BOUND)
        with server, ThreadPoolExecutor(1) as pool:
            call = pool.submit(called, server, "who")
            server.handle_request()
            assert call.result(BOUND) == who()


class TestTheEnd:
    def test_a_method_may_shut_the_server_down(self):
        server = ours.SimpleXMLRPCServer((HOST, 0), logRequests=False)

        @server.register_function
        def stop() -> str:
            server.shutdown()
            return "stopped"

        with server, ThreadPoolExecutor(1) as pool:
            call = pool.submit(called, server, "stop")
            server.serve_forever(0.02)
            assert call.result(BOUND) == "stopped"

    def test_a_method_may_close_it(self):
        server = ours.SimpleXMLRPCServer((HOST, 0), logRequests=False)

        @server.register_function
        def close() -> str:
            server.shutdown()
            server.server_close()
            return "closed"

        with ThreadPoolExecutor(1) as pool:
            call = pool.submit(called, server, "close")
            server.serve_forever(0.02)
            assert call.result(BOUND) == "closed"

    def test_what_runs_is_answered_and_what_waits_is_not_waited_for(self):
        begun, go_on = threading.Event(), threading.Event()

        def long() -> str:
            begun.set()
            go_on.wait(BOUND)
            return "done"

        with ThreadPoolExecutor(1) as pool:
            with simple(long) as server, raw(server) as idle:
                call = pool.submit(called, server, "long")
                assert begun.wait(BOUND)
                stopping = threading.Thread(target=server.shutdown)
                stopping.start()
                assert rest(idle) == b""  # closed while the other goes on
                assert not call.done()
                go_on.set()
                stopping.join(BOUND)
            assert call.result(BOUND) == "done"

    def test_an_interrupt_leaves_alone_what_another_thread_has_begun(self):
        begun, go_on = threading.Event(), threading.Event()

        class Interrupted(ours.SimpleXMLRPCServer):
            def process_request(self, request, client_address):
                super().process_request(request, client_address)
                assert begun.wait(BOUND)
                raise KeyboardInterrupt

        def long() -> str:
            begun.set()
            go_on.wait(BOUND)
            return "done"

        with Interrupted((HOST, 0), logRequests=False) as server, ThreadPoolExecutor(2) as pool:
            server.register_function(long)
            serves = pool.submit(server.serve_forever, 0.02)
            call = pool.submit(called, server, "long")
            while server._server_thread or not begun.is_set():  # until it waits for the method
                pass
            go_on.set()
            assert call.result(BOUND) == "done"
            with pytest.raises(KeyboardInterrupt):
                serves.result(BOUND)

    def test_one_that_waits_for_a_place_does_not_hold_it_up(self):
        begun, go_on = threading.Event(), threading.Event()

        class Single(ours.SimpleXMLRPCServer):
            max_connections = 1

        def long() -> str:
            begun.set()
            go_on.wait(BOUND)
            return "done"

        with ThreadPoolExecutor(2) as pool, simple(long, kind=Single) as server:
            call = pool.submit(called, server, "long")
            assert begun.wait(BOUND)
            with raw(server) as second:
                while not server._visits._changed._waiters:
                    pass
                stopping = pool.submit(server.shutdown)
                assert rest(second) == b""
                assert not call.done()
            go_on.set()
            assert call.result(BOUND) == "done"
            stopping.result(BOUND)

    def test_what_does_not_end_is_cut_off(self, caplog):
        go_on, begun = threading.Event(), threading.Event()

        class Impatient(ours.SimpleXMLRPCServer):
            shutdown_timeout = 0.05

        def stuck() -> str:
            begun.set()
            go_on.wait(BOUND)
            return "late"

        request = body("stuck")
        with simple(stuck, kind=Impatient) as server, raw(server, head(Content_Length=len(request)) + request) as sock:
            assert begun.wait(BOUND)
            server.shutdown()
            assert rest(sock) == b""
        assert "1 connections were cut off" in caplog.text
        go_on.set()

    def test_an_exception_ends_it_in_order(self):
        class Trouble(ours.SimpleXMLRPCServer):
            def service_actions(self):
                if self.wanted:
                    raise ZeroDivisionError

            wanted = False

        with Trouble((HOST, 0), logRequests=False) as server, ThreadPoolExecutor(1) as pool:
            serves = pool.submit(server.serve_forever, 0.02)
            with raw(server) as idle:
                server.wanted = True
                with pytest.raises(ZeroDivisionError):
                    serves.result(BOUND)
                assert rest(idle) == b""


class TestMixtures:
    """What recipes of the web make of the classes."""

    def test_threading(self):
        class Threaded(socketserver.ThreadingMixIn, Counts):
            pass

        with simple(who, kind=Threaded) as server, ServerProxy(url(server)) as proxy:
            proxy.who()
            proxy.who()
            assert server.accepted == 1  # kept, and does not delay the server's end

    def test_threading_without_serve_forever(self):
        class Threaded(socketserver.ThreadingMixIn, ours.SimpleXMLRPCServer):
            pass

        with Threaded((HOST, 0), logRequests=False) as server:
            server.register_function(who)
            request = body("who")
            with raw(server, head(Content_Length=len(request)) + request) as sock:
                server.handle_request()
                assert rest(sock).startswith(b"HTTP/1.0 200 OK")  # it ends, and nobody has to wait for its thread

    @pytest.mark.skipif(not hasattr(socketserver, "ForkingMixIn"), reason="there is no fork here")
    @pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
    def test_forking(self):
        class Forking(socketserver.ForkingMixIn, ours.SimpleXMLRPCServer):
            pass

        with simple(os.getpid, kind=Forking) as server, ServerProxy(url(server)) as proxy:
            assert len({proxy.getpid(), proxy.getpid(), os.getpid()}) == 3

    def test_a_unix_socket(self, tmp_path, capfd):
        class Handler(ours.SimpleXMLRPCRequestHandler):
            rpc_paths = ()

        class Unix(ours.SimpleXMLRPCServer):
            address_family = socket.AF_UNIX

        class Of(HTTPConnection):
            def connect(self):
                self.sock = socket.socket(socket.AF_UNIX)
                self.sock.settimeout(BOUND)
                self.sock.connect(self.host)

        path = str(tmp_path / "socket")
        server = Unix(path, Handler)
        server.register_function(pow)
        with serving(server):
            client = Of(path)
            for _ in range(2):
                client.request("POST", "/RPC2", body("pow", 2, 5), {"Content-Type": "text/xml", "Host": "x"})
                assert b"32" in client.getresponse().read()
            client.close()
        assert capfd.readouterr().err.startswith("unix - - [")

    def test_the_handler_on_a_server_of_socketserver(self):
        class Plain(socketserver.TCPServer, ours.SimpleXMLRPCDispatcher):
            logRequests = False

            def __init__(self, address):
                ours.SimpleXMLRPCDispatcher.__init__(self)
                socketserver.TCPServer.__init__(self, address, ours.SimpleXMLRPCRequestHandler)

        server = Plain((HOST, 0))
        server.register_function(who)
        with serving(server):
            first, second = ServerProxy(url(server)), ServerProxy(url(server))
            assert first.who() == second.who()  # the one thread is not kept by the first
            first("close")()
            second("close")()

    def test_tls_whose_handshake_delays_nobody(self, certificates):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.server)
        server = ours.SimpleXMLRPCServer((HOST, 0), logRequests=False)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.register_function(pow)
        trusting = ssl.create_default_context(cafile=certificates.authority)
        with (
            serving(server),
            raw(server),  # says nothing
            ServerProxy(f"https://localhost:{port(server)}/RPC2", context=trusting) as proxy,
        ):
            assert [proxy.pow(2, n) for n in range(3)] == [1, 2, 4]

    def test_a_dispatch_of_the_handler(self):
        class Handler(ours.SimpleXMLRPCRequestHandler):
            def _dispatch(self, method, params):
                return [method, *params]

        with simple(handler=Handler) as server, ServerProxy(url(server)) as proxy:
            assert proxy.anything(1, 2) == ["anything", 1, 2]

    def test_a_subclass_that_answers_in_the_way_of_http_1_0(self):
        class Handler(ours.SimpleXMLRPCRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"as long as it is")

        with simple(handler=Handler) as server, posted(server, b"", "/", "GET") as answer:
            assert answer.getheader("Connection") == "close"
            assert answer.read() == b"as long as it is"

    def test_a_subclass_that_does_not_read_the_body(self):
        class Handler(ours.SimpleXMLRPCRequestHandler):
            def do_PUT(self):
                self.send_response(204)
                self.end_headers()

            def do_DELETE(self):
                raise AssertionError("a body was taken for a request")

        inner = head("/", "DELETE")
        request = body("who")
        with simple(who, handler=Handler) as server:
            with raw(server, head("/", "PUT", Content_Length=len(inner)) + inner) as sock:
                assert sock.recv(65536).startswith(b"HTTP/1.1 204")
                sock.sendall(head(Connection="close", Content_Length=len(request)) + request)
                assert rest(sock).startswith(b"HTTP/1.1 200")
            large = 1 << 20
            with raw(server, head("/", "PUT", Content_Length=large) + inner.ljust(1000, b"x")) as sock:
                assert b"Connection: close" in rest(sock)


def test_beyond_loopback_it_warns():
    server = ours.SimpleXMLRPCServer(("0.0.0.0", 0), bind_and_activate=False)
    with server, pytest.raises(RuntimeWarning, match=r"can be reached from other machines.*elsewhere\.Service"):
        server.server_activate()
