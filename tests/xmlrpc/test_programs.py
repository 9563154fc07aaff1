"""Whole programs that were written for xmlrpc.server, run by ``python -m elsewhere.xmlrpc``; and recipes of the web."""

from __future__ import annotations

import base64
import contextlib
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from xmlrpc.client import ProtocolError

import pytest

from elsewhere.xmlrpc.client import MultiCall, ServerProxy
from elsewhere.xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer
from tests.xmlrpc.serving import BOUND, HOST, port, serving, simple, url

# The example of Python's documentation, but for the port, and that it says so.
EXAMPLE = """
import datetime
import sys
from xmlrpc.server import SimpleXMLRPCServer

class ExampleService:
    def getData(self):
        return '42'

    class currentTime:
        @staticmethod
        def getCurrentTime():
            return datetime.datetime.now()

with SimpleXMLRPCServer(("localhost", 0)) as server:
    server.register_function(pow)
    server.register_function(lambda x,y: x+y, 'add')
    server.register_instance(ExampleService(), allow_dotted_names=True)
    server.register_multicall_functions()
    print(server.server_address[1], flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print("Keyboard interrupt received, exiting.")
        sys.exit(0)
"""

# Methods that talk of what they do, one of which takes long.
TALKS = """
from xmlrpc.server import SimpleXMLRPCServer

def wait():
    print("begun", flush=True)
    return input()

with SimpleXMLRPCServer(("localhost", 0), logRequests=False) as server:
    server.register_function(wait)
    print(server.server_address[1], flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@contextlib.contextmanager
def program(text: str, folder) -> Iterator[subprocess.Popen[str]]:
    """A program that runs, and has its port as `port`."""
    script = folder / "program.py"
    script.write_text(text)
    command = [sys.executable, "-W", "error", "-m", "elsewhere.xmlrpc", str(script)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


def ended(running: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = running.communicate(timeout=BOUND)
    return running.returncode, out, err


def test_the_example_of_the_documentation(tmp_path):
    with program(EXAMPLE, tmp_path) as running:
        assert running.stdout
        with ServerProxy(f"http://localhost:{int(running.stdout.readline())}") as proxy:
            assert proxy.pow(2, 9) == 512
            assert proxy.getData() == "42"
            assert proxy.currentTime.getCurrentTime().value[8] == "T"
            multi = MultiCall(proxy)
            multi.getData()
            multi.add(1, 2)
            assert list(multi()) == ["42", 3]
        running.send_signal(signal.SIGINT)
        status, out, err = ended(running)
    assert (status, out) == (0, "Keyboard interrupt received, exiting.\n")
    assert [line.partition('"')[2] for line in err.splitlines()] == ['POST /RPC2 HTTP/1.1" 200 -'] * 4


def test_a_method_that_runs_outlives_an_interrupt(tmp_path):
    with program(TALKS, tmp_path) as running, ThreadPoolExecutor(1) as pool:
        assert running.stdout
        assert running.stdin
        proxy = ServerProxy(f"http://localhost:{int(running.stdout.readline())}")
        call = pool.submit(proxy.wait)
        assert running.stdout.readline() == "begun\n"
        running.send_signal(signal.SIGINT)
        running.stdin.write("at last\n")
        running.stdin.flush()
        assert call.result(BOUND) == "at last"
        proxy("close")()
        assert ended(running) == (0, "interrupted\n", "")


class Verifying(SimpleXMLRPCRequestHandler):
    """A recipe: passwords."""

    def parse_request(self):
        if not SimpleXMLRPCRequestHandler.parse_request(self):
            return False
        if self.headers.get("Authorization") == "Basic " + base64.b64encode(b"me:secret").decode():
            return True
        self.send_error(401, "Authentication failed")
        return False


def test_passwords():
    with simple(pow, handler=Verifying) as server:
        for password, expected in (("secret", 8), ("wrong", None)):
            with ServerProxy(f"http://me:{password}@{HOST}:{port(server)}/") as proxy:
                if expected:
                    assert proxy.pow(2, 3) == expected
                else:
                    with pytest.raises(ProtocolError, match="401 Authentication failed"):
                        proxy.pow(2, 3)


class Older(SimpleXMLRPCRequestHandler):
    """A recipe: files of its own making, and no word to ours."""

    def setup(self):
        self.connection = self.request
        self.rfile = self.request.makefile("rb", self.rbufsize)
        self.wfile = self.request.makefile("wb", self.wbufsize)


class Wrapping(SimpleXMLRPCRequestHandler):
    """A recipe: TLS for each connection by itself."""

    context: ssl.SSLContext

    def setup(self):
        self.connection = self.context.wrap_socket(self.request, server_side=True)
        self.rfile = self.connection.makefile("rb", self.rbufsize)
        self.wfile = self.connection.makefile("wb", self.wbufsize)

    def finish(self):
        super().finish()
        self.connection.close()


def test_a_handler_that_makes_its_own_files():
    with simple(pow, handler=Older) as server, ServerProxy(url(server)) as proxy:
        assert [proxy.pow(2, n) for n in range(3)] == [1, 2, 4]


def test_a_handler_that_encrypts(certificates):
    Wrapping.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    Wrapping.context.load_cert_chain(certificates.server)
    trusting = ssl.create_default_context(cafile=certificates.authority)
    with (
        simple(pow, handler=Wrapping) as server,
        ServerProxy(f"https://localhost:{port(server)}/", context=trusting) as proxy,
    ):
        assert [proxy.pow(2, n) for n in range(3)] == [1, 2, 4]


class Quits(SimpleXMLRPCServer):
    """A recipe: a loop of its own."""

    quits = False

    def serve_forever(self, poll_interval=0.5):
        while not self.quits:
            self.handle_request()


def test_a_loop_of_its_own():
    server = Quits((HOST, 0), logRequests=False)

    @server.register_function
    def leave() -> bool:
        server.quits = True
        return True

    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    with ServerProxy(url(server)) as proxy:
        assert proxy.leave() is True
    thread.join(BOUND)
    assert not thread.is_alive()
    server.server_close()


def test_a_server_may_serve_again():
    with SimpleXMLRPCServer((HOST, 0), logRequests=False) as server:
        server.register_function(pow)
        for _ in range(2):
            thread = threading.Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            with ServerProxy(url(server)) as proxy:
                assert proxy.pow(2, 2) == 4
            server.shutdown()
            thread.join(BOUND)


def test_a_log_has_a_line_for_each_request_and_each_error(capfd):
    server = SimpleXMLRPCServer((HOST, 0))
    server.register_function(pow)
    with serving(server), ServerProxy(url(server)) as proxy:
        proxy.pow(2, 2)
        with pytest.raises(ProtocolError), ServerProxy(url(server) + "/nowhere") as lost:
            lost.pow(2, 2)
    lines = capfd.readouterr().err.splitlines()
    assert [line.rpartition("] ")[2] for line in lines] == [
        '"POST /RPC2 HTTP/1.1" 200 -',
        '"POST /RPC2/nowhere HTTP/1.1" 404 -',
    ]
