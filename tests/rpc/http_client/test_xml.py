"""XML-RPC to servers of the standard library."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import socket
import socketserver
import ssl
import threading
from xmlrpc.server import SimpleXMLRPCDispatcher, SimpleXMLRPCRequestHandler, SimpleXMLRPCServer

import pytest

from elsewhere import ConnectError, MethodNotFound, ProtocolError, RemoteError, Unauthorized, connect
from elsewhere.transport.tls import TLS
from tests.rpc.http_client.peers import HttpPeer

VALUES = [
    None, True, 0, -(2**31), 2**31 - 1, 1.5, -0.0, "", "é\n\t<&>]]>", b"\x00\xff", [1, [2, []]], {"a": {"": None}},
    dt.datetime(2026, 11, 25, 19, 30, 1),  # noqa: DTZ001 - XML-RPC's have none
]  # fmt: skip


def double(n):
    """Twice the number."""
    return 2 * n


def fail(text):
    raise ValueError(text)


class Dispatcher(SimpleXMLRPCDispatcher):
    def system_methodSignature(self, method_name):
        return [["int", "int"]] if method_name == "double" else "signatures not supported"


class KeptAlive(SimpleXMLRPCRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.server.connections += 1

    def do_POST(self):
        self.server.heads.append(self.headers)
        wanted = self.server.wanted
        if wanted is not None and self.headers.get("authorization") != wanted:
            self.send_error(401)
            return
        super().do_POST()


class KeptAliveUnix(KeptAlive):
    disable_nagle_algorithm = False


class Server(Dispatcher, socketserver.ThreadingMixIn, SimpleXMLRPCServer):
    daemon_threads = False
    connections = 0
    wanted: str | None = None

    def _dispatch(self, method, params):
        if not method.startswith("system."):
            self.executed.append((method, *params))
        return super()._dispatch(method, params)


class Bare(Server):
    """As Supervisor, whose outcomes are no arrays."""

    def system_multicall(self, call_list):
        return [one[0] if isinstance(one, list) else one for one in super().system_multicall(call_list)]

    def system_methodSignature(self, method_name):
        return ["int", "string"]

    def system_methodHelp(self, method_name):
        return f" Help.\n\n        {super().system_methodHelp(method_name)}\n        "


class Serial(Dispatcher, SimpleXMLRPCServer):
    """Serves one connection to its end before it looks at the next."""

    connections = 0
    wanted: str | None = None


class UnixServer(Server):
    address_family = socket.AF_UNIX

    def server_bind(self):
        socketserver.TCPServer.server_bind(self)


@contextlib.contextmanager
def serving(kind=Server, where=("127.0.0.1", 0), *, introspection=True, multicall=True, handler=KeptAlive, tls=None):
    server = kind(where, handler, logRequests=False, allow_none=True, use_builtin_types=True, bind_and_activate=False)
    server.executed, server.heads = [], []
    for fn in (double, fail):
        server.register_function(fn)
    server.register_function(lambda value: value, "echo")
    server.register_function(lambda value: value, "a.b.c")
    if introspection:
        server.register_introspection_functions()
    if multicall:
        server.register_multicall_functions()
    server.server_bind()
    server.server_activate()
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def url_of(server, path="/RPC2"):
    return f"http://127.0.0.1:{server.server_address[1]}{path}"


@pytest.fixture
def server():
    with serving() as server:
        yield server


@pytest.fixture
def client(server):
    with connect(url_of(server)) as client:
        yield client


class TestCalls:
    def test_in_every_way(self, client, server):
        assert (client.double(1), client.call("double", 2), client.a.b.c("x")) == (2, 4, "x")
        assert [client.submit("double", number).result() for number in range(5)] == [0, 2, 4, 6, 8]
        assert server.executed[:2] == [("double", 1), ("double", 2)]

    @pytest.mark.parametrize("value", VALUES)
    def test_values_travel(self, client, value):
        assert client.echo(value) == value
        assert type(client.echo(value)) is type(value)

    @pytest.mark.parametrize("size", [100_000, 5_000_000])
    def test_large_values_both_ways(self, client, size):
        value = bytes(range(256)) * (size // 256)
        assert client.echo(value) == value
        assert client.submit("echo", value).result() == value

    def test_one_connection_is_enough(self, client, server):
        for number in range(20):
            client.double(number)
        assert server.connections == 1

    def test_what_is_posted(self, client, server):
        client.double(1)
        head = server.heads[0]
        assert head["content-type"] == "text/xml"
        assert head["host"] == f"127.0.0.1:{server.server_address[1]}"

    def test_a_notification_is_a_call_whose_outcome_nobody_wants(self, client, server):
        client.notify("double", 1)
        client.notify("fail", "bad")
        client.notify("nope")
        assert client.double(2) == 4
        assert server.executed[0] == ("double", 1)

    def test_a_server_of_http_1_0(self):
        with serving(handler=SimpleXMLRPCRequestHandler) as server, connect(url_of(server)) as client:
            assert [client.double(number) for number in range(5)] == [0, 2, 4, 6, 8]
            assert [client.submit("double", number).result() for number in range(5)] == [0, 2, 4, 6, 8]

    def test_a_server_of_one_connection_at_a_time(self):
        with serving(Serial) as server, connect(url_of(server)) as client:
            assert client.double(1) == 2
            futures = [client.submit("double", number) for number in range(20)]
            assert [future.result() for future in futures] == [2 * number for number in range(20)]
            with connect(url_of(server)) as other:
                client.close()
                assert other.double(2) == 4

    @pytest.mark.parametrize("scheme", ["", "xmlrpc+"])
    def test_the_path_or_the_scheme_tells_what_is_spoken(self, server, scheme):
        with connect(f"{scheme}{url_of(server, '/RPC2')}") as client:
            assert client.double(1) == 2
        with connect(f"xmlrpc+{url_of(server, '/')}") as client:
            assert client.double(1) == 2

    def test_over_a_unix_socket(self, tmp_path):
        with (
            serving(UnixServer, str(tmp_path / "s"), handler=KeptAliveUnix),
            connect(f"xmlrpc+unix://{tmp_path}/s") as client,
        ):
            assert client.double(3) == 6

    def test_over_tls(self, certificates):
        with serving(tls=certificates.server) as server:
            url = url_of(server).replace("http://", "https://")
            with connect(url, tls=TLS(ca=certificates.authority)) as client:
                assert client.double(3) == 6
                assert client.echo(b"x" * 3_000_000) == b"x" * 3_000_000
                assert [client.submit("double", number).result() for number in range(5)] == [0, 2, 4, 6, 8]
            with pytest.raises(ConnectError, match="certificate is not believed"):
                connect(url, tls=TLS(ca=certificates.stranger))


class TestErrors:
    def test_a_fault(self, client):
        with pytest.raises(RemoteError, match=r"fail at http.*: <class 'ValueError'>:bad") as caught:
            client.fail("bad")
        assert caught.value.data == {"code": 1, "message": "<class 'ValueError'>:bad"}
        with pytest.raises(RemoteError, match="ValueError"):
            client.submit("fail", "bad").result()

    def test_no_such_method(self, client):
        with pytest.raises(MethodNotFound, match="nope at http"):
            client.nope()

    @pytest.mark.parametrize(
        ("value", "error", "text"),
        [
            (object(), TypeError, "XML-RPC carries"),
            (2**63, OverflowError, "64 bits"),
            ("\0", ValueError, "XML cannot hold"),
            ("\ud800", ValueError, "XML cannot hold"),
        ],
    )
    def test_what_cannot_be_sent_is_said_where_it_was_passed(self, client, server, value, error, text):
        for call in (client.call, client.submit, client.notify, client.batch().call):
            with pytest.raises(error, match=text):
                call("echo", value)
        assert client.double(2) == 4
        assert server.executed == [("double", 2)]

    def test_there_are_no_keywords(self, client, server):
        with pytest.raises(TypeError, match=r"keywords \(n\).*positional"):
            client.double(n=1)
        with pytest.raises(TypeError, match="keywords"), client.batch() as batch:
            batch.double(n=1)
        assert server.executed == []

    def test_json_to_a_server_of_xml(self, server):
        told = pytest.raises(ProtocolError, match=r"try xmlrpc\+http://127.0.0.1:\d+/RPC2$")
        with connect(url_of(server, "")) as client, told:
            client.double(1)
        with connect(f"jsonrpc+{url_of(server, '/RPC2')}") as client:
            port = server.server_address[1]
            with pytest.raises(ProtocolError, match=rf"It speaks XML-RPC: xmlrpc\+http://127.0.0.1:{port}/RPC2 is"):
                client.double(1)

    @pytest.mark.parametrize(
        ("body", "text"),
        [
            (
                b"<methodResponse><params><param><value><int>x</int></value></param></params></methodResponse>",
                "be read",
            ),
            (b"<!DOCTYPE a [<!ENTITY b 'c'>]><methodResponse/>", "be read: .*line 1"),
            (b"<methodResponse>", "cannot be read: this is no well-formed XML"),
            (b"<methodResponse><fault><value>1</value></fault></methodResponse>", "cannot be read: the fault is no"),
            (b"<html/>", "/RPC2 does not speak XML-RPC: .*If it speaks JSON-RPC, try jsonrpc.http://.*/jsonrpc$"),
            (b"", "/RPC2 does not speak XML-RPC: "),
            (
                b'{"jsonrpc":"2.0","result":1}',
                r"It speaks JSON-RPC: jsonrpc\+http://127.0.0.1:\d+/RPC2 is the address$",
            ),
        ],
    )
    def test_an_answer_that_is_none(self, body, text):
        def mood(conversation):
            for _ in conversation.requests():
                conversation.reply(body, kind="text/xml")

        with HttpPeer(mood) as peer, connect(f"{peer.url}/RPC2", retry=2) as client:
            for call in (lambda: client.double(1), lambda: client.submit("double", 1).result()):
                with pytest.raises(ProtocolError, match=f"double at {client.address}: .*{text}"):
                    call()
            assert len(peer.asked) == 2

    def test_basic_authentication(self, server):
        server.wanted = f"Basic {base64.b64encode(b'me:secret').decode()}"
        with connect(url_of(server), user="me", password="secret") as client:
            assert client.double(1) == 2
        with pytest.raises(Unauthorized, match="401"):
            connect(url_of(server), user="me", password="other")
        assert server.executed == [("double", 1)]


class TestBatch:
    def test_is_one_multicall(self, client, server):
        with client.batch() as batch:
            batch.double(1)
            batch.notify("double", 5)
            batch.echo(b"x")
        assert batch.results() == [2, b"x"]
        assert len(server.heads) == 1
        assert server.executed == [("double", 1), ("double", 5), ("echo", b"x")]

    def test_errors_are_each_call_s_own(self, client):
        with client.batch() as batch:
            one, two, three, four = batch.double(1), batch.fail("bad"), batch.nope(), batch.double(2)
        assert (one.result(), four.result()) == (2, 4)
        with pytest.raises(RemoteError, match=r"fail at .*bad"):
            two.result()
        with pytest.raises(MethodNotFound):
            three.result()

    def test_a_server_without_multicall_gets_each_call_alone(self):
        with serving(multicall=False) as server, connect(url_of(server)) as client:
            with client.batch() as batch:
                for number in range(5):
                    batch.double(number)
            assert batch.results() == [0, 2, 4, 6, 8]
            assert server.executed == [("double", number) for number in range(5)]

    def test_outcomes_that_are_no_arrays_are_not_guessed_at(self):
        with serving(Bare) as server, connect(url_of(server)) as client:
            with client.batch() as batch:
                one, _ = batch.double(1), batch.double(2)
            with pytest.raises(
                ProtocolError, match=r"batch of 2 calls at .*neither an array .* may have run"
            ) as raised:
                one.result()
            assert "does not speak" not in str(raised.value)


class TestMethods:
    @pytest.mark.parametrize("multicall", [True, False])
    def test_are_told_with_signature_and_doc(self, multicall):
        with serving(multicall=multicall) as server, connect(url_of(server)) as client:
            found = {each["name"]: each for each in client.methods()}
        assert found["double"] == {
            "name": "double", "signature": "(int) -> int", "doc": "Twice the number.", "idempotent": False,
        }  # fmt: skip
        assert found["echo"]["signature"] == ""

    def test_are_told_by_a_server_whose_multicall_is_odd(self):
        with serving(Bare) as server, connect(url_of(server)) as client:
            found = {each["name"]: each for each in client.methods()}
        assert found["double"]["doc"] == "Help.\n\nTwice the number."
        assert found["double"]["signature"] == "(string) -> int"

    def test_are_not_told_by_a_server_without_introspection(self):
        told = pytest.raises(MethodNotFound, match="does not tell its methods")
        with serving(introspection=False) as server, connect(url_of(server)) as client, told:
            client.methods()
