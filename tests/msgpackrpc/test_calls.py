"""Calls, futures, encodings: what unchanged programs count on, quirks included."""

from __future__ import annotations

import asyncio
import threading

import msgpack
import pytest

from elsewhere import msgpackrpc
from elsewhere.msgpackrpc.error import RPCError, TransportError
from elsewhere.msgpackrpc.future import Future
from tests.msgpackrpc.helpers import BOUND, RawServer, Services, client_of, raw_client, serving


@pytest.fixture
def services():
    return Services()


@pytest.fixture
def server(services):
    with serving(services, unpack_encoding="utf-8") as server:
        yield server


@pytest.fixture
def client(server):
    with client_of(server) as client:
        yield client


def test_calls_give_results(client):
    assert client.call("double", 4) == 8
    assert client.call(b"double", "a") == "aa"
    assert client.send_request("echo", ["x", 1]).get() == ["x", 1]
    assert client.address.unpack()[0] == "127.0.0.1"


@pytest.mark.parametrize("value", [0, "", False, [], {}, None, 1.5, -1, 2**63, {"a": [1]}, {7: None}])
def test_values_come_back_as_they_were_the_falsy_ones_too(client, value):
    assert client.call("echo", value) == value


def test_many_calls_are_under_way_at_once(client):
    futures = [client.call_async("double", n) for n in range(500)]
    for future in reversed(futures):
        future.join()
    assert [future.result for future in futures] == [2 * n for n in range(500)]
    assert [future.error for future in futures] == [None] * 500
    assert client._transport._link._wire.pending == {}  # nothing of them is kept


def test_a_notification_runs_and_nobody_answers(client, services):
    client.notify("tell", 7)
    assert services.told.wait(BOUND)
    assert services.heard == [7]
    assert client.call("echo", 1) == 1  # and no error of a notification spoils what follows
    client.notify("zzz")
    client.notify("fail", "x")
    assert client.call("echo", 2) == 2


def test_an_error_is_a_plain_rpc_error_with_its_text(client):
    with pytest.raises(RPCError) as caught:
        client.call("fail", "so")
    assert type(caught.value) is RPCError
    assert caught.value.args == ("so",)
    with pytest.raises(RPCError) as caught:
        client.call("zzz", True)
    assert caught.value.args == ("'zzz' method not found",)
    with pytest.raises(RPCError, match="positional argument"):
        client.call("double")


@pytest.mark.parametrize("name", ["_secret", "__class__", "__init__", "mro", "", "a.b"])
def test_what_is_not_public_cannot_be_called(client, name):
    with pytest.raises(RPCError) as caught:
        client.call(name)
    assert caught.value.args == (f"'{name}' method not found",)


def test_a_dispatcher_may_be_a_class():
    class Static:
        @staticmethod
        def double(n):
            return 2 * n

    with serving(Static) as server, client_of(server) as client:
        assert client.call("double", 4) == 8
        with pytest.raises(RPCError, match="'mro' method not found"):
            client.call("mro")


def test_a_result_that_cannot_be_packed_is_an_error_answer(client):
    with pytest.raises(RPCError, match="to_msgpack"):
        client.call("unpackable")
    assert client.call("echo", 1) == 1


def test_an_argument_that_cannot_be_packed_raises_here_and_spoils_nothing(client):
    with pytest.raises(AttributeError, match="to_msgpack"):
        client.call("echo", ["half", object()])
    with pytest.raises(OverflowError):
        client.call("echo", 2**64)
    assert client.call("echo", "whole") == "whole"


@pytest.mark.parametrize(
    ("name", "args"), [(7, []), (None, []), ("echo", 5), ("echo", "text"), ("echo", {"a": 1}), ("echo", None)]
)
def test_what_is_no_method_or_no_arguments_is_told_at_once(client, name, args):
    with pytest.raises(TypeError):
        client.send_request(name, args)


def test_objects_travel_by_their_to_msgpack(client):
    class Point:
        def __init__(self, x, y):
            self.x, self.y = x, y

        def to_msgpack(self):
            return {"x": self.x, "y": self.y}

    assert client.call("echo", [Point(1, Point(2, 3))]) == [{"x": 1, "y": {"x": 2, "y": 3}}]


class TestEncodings:
    @pytest.mark.parametrize("of_server", [None, "utf-8"])
    def test_without_one_every_str_arrives_as_bytes(self, of_server):
        with (
            serving(Services(), unpack_encoding=of_server) as server,
            client_of(server, unpack_encoding=None) as client,
        ):
            assert client.call("echo", {"ä": ["b", b"\xff"]}) == {"ä".encode(): [b"b", b"\xff"]}
            with pytest.raises(RPCError) as caught:
                client.call("zzz")
            assert caught.value.args == (b"'zzz' method not found",)

    def test_what_is_no_utf_8_arrives_as_bytes_and_the_next_call_is_well(self, client):
        assert client.call("echo", [b"\x00\xff", b"abc", {b"\xfe": "ä"}]) == [b"\x00\xff", "abc", {b"\xfe": "ä"}]
        assert client.call("echo", "next") == "next"

    def test_bin_of_a_new_peer_is_bytes_and_its_str_is_a_str(self):
        with RawServer() as server:
            client = msgpackrpc.Client(server.at, timeout=BOUND, unpack_encoding="utf-8")
            future = client.call_async("get")
            peer = server.accept()
            _, msgid, *_ = peer.take()
            peer.send([1, msgid, None, [b"abc", "abc", "\udcff"]], unicode_errors="surrogateescape")
            assert future.get() == [b"abc", "abc", b"\xff"]
            client.close()

    def test_what_goes_out_is_the_old_raw(self, server):
        with RawServer() as peer:
            client = msgpackrpc.Client(peer.at, timeout=BOUND)
            client.notify("m", "a" * 40, b"\x00\xff")
            raw = peer.accept()
            expected = b"\x93\x02\xa1m\x92\xda\x00\x28" + b"a" * 40 + b"\xa2\x00\xff"
            assert raw.sock.recv(4096) == expected
            client.close()
        with raw_client(server.at) as raw:
            raw.send([0, 1, "echo", ["a" * 40]])  # str8, as new peers send it
            assert raw.sock.recv(4096) == b"\x94\x01\x01\xc0\xda\x00\x28" + b"a" * 40

    def test_another_encoding(self):
        with (
            serving(Services(), pack_encoding="latin-1", unpack_encoding="latin-1") as server,
            client_of(server, pack_encoding="latin-1", unpack_encoding="latin-1") as client,
        ):
            assert client.call("echo", {"ä": ["ö", 1]}) == {"ä": ["ö", 1]}
            with raw_client(server.at) as raw:
                raw.send([0, 1, "echo", [b"\xe4"]], use_bin_type=False)
                assert raw.sock.recv(4096) == b"\x94\x01\x01\xc0\xa1\xe4"
            with pytest.raises(UnicodeEncodeError):
                client.call("echo", "€")

    def test_none_packs_no_str_as_with_the_original(self, server):
        with client_of(server, pack_encoding=None) as client:
            assert client.call("double", 1) == 2
            with pytest.raises(TypeError, match="no encoding is specified"):
                client.call("echo", "a")

    def test_ext_types_pass(self, client):
        assert client.call("echo", msgpack.ExtType(5, b"x")) == msgpack.ExtType(5, b"x")


class TestFutures:
    def test_a_result_handler_gets_the_result_and_get_gives_none(self, client):
        found: list[object] = []
        future = client.call_async("double", 4)
        future.attach_result_handler(found.append)
        assert future.get() is None
        assert found == [8]

    def test_an_error_handler_gets_the_error_and_nothing_is_raised(self, client):
        found: list[object] = []
        future = client.call_async("fail", "so")
        future.attach_error_handler(found.append)
        assert future.get() is None
        assert found == ["so"]
        assert future.error == "so"

    def test_a_callback_gets_the_future_though_nobody_waits(self, client):
        called: list[Future] = []
        done = threading.Event()
        future = client.call_async("double", 4)
        future.attach_callback(lambda future: (called.append(future), done.set()))
        assert done.wait(BOUND)
        assert called == [future]
        assert future.result == 8

    def test_join_returns_after_the_callback(self, client):
        for n in range(50):
            called: list[int] = []
            future = client.call_async("double", n)
            future.attach_callback(lambda future, called=called: called.append(future.get()))
            future.join()
            assert called == [2 * n]

    def test_a_callback_of_a_call_that_is_over_is_called_at_once(self, client):
        future = client.call_async("double", 4)
        future.join()
        called: list[Future] = []
        future.attach_callback(called.append)
        assert called == [future]

    def test_the_last_of_several_callbacks_is_called(self, client):
        called: list[str] = []
        future = client.call_async("double", 4)
        future.attach_callback(lambda future: called.append("first"))
        future.attach_callback(lambda future: called.append("last"))
        future.join()
        assert called[-1] == "last"

    def test_a_callback_may_call_with_the_same_client(self, client):
        found: list[object] = []
        future = client.call_async("double", 1)
        future.attach_callback(lambda future: found.append(client.call("double", future.result)))
        future.join()
        assert found == [4]

    def test_a_callback_that_raises_is_logged_and_join_returns(self, client, caplog):
        future = client.call_async("double", 1)
        future.attach_callback(lambda future: 1 / 0)
        future.join()
        assert future.get() == 2
        assert "ZeroDivisionError" in caplog.text

    def test_callbacks_come_when_the_connection_ends(self):
        with RawServer() as server:
            client = msgpackrpc.Client(server.at, timeout=0)
            future = client.call_async("x")
            seen = threading.Event()
            future.attach_callback(lambda future: seen.set())
            server.accept().sock.close()
            assert seen.wait(BOUND)
            assert isinstance(future.error, TransportError)
            client.close()

    def test_a_future_of_ones_own(self):
        future = Future(None, 0)
        waiting = threading.Thread(target=future.join)
        waiting.start()
        future.set_result([])
        waiting.join(BOUND)
        assert future.get() == []
        future = Future(None, 0, lambda future: calls.append(future.error))
        calls: list[object] = []
        future.set_error("so")
        assert calls == ["so"]
        with pytest.raises(RPCError, match="so"):
            future.get()


def test_a_client_closes_at_the_end_of_with(server):
    with msgpackrpc.Client.open(server.at) as client:
        assert client.call("double", 1) == 2
    with pytest.raises(TransportError, match="this client was closed"):
        client.call("double", 1)
    client.close()


def test_calls_work_inside_a_running_event_loop(client):
    async def program():
        return client.call("double", 4)

    assert asyncio.run(program()) == 8


def test_the_loop_of_a_client_waits_for_one_answer(server):
    loop = msgpackrpc.Loop()
    with client_of(server, loop=loop) as client:
        found: list[object] = []
        future = client.call_async("double", 4)
        future.attach_callback(lambda future: found.append(future.result))
        loop.start()
        assert found == [8]
        future = client.call_async("double", 5)
        loop.start()
        assert future.result == 10


def test_the_loop_of_a_client_does_not_wait_for_an_answer_that_has_come(server):
    loop = msgpackrpc.Loop()
    with client_of(server, loop=loop) as client:
        came = threading.Event()
        future = client.call_async("double", 4)
        future.attach_callback(lambda future: came.set())
        assert came.wait(BOUND)
        future.join()
        loop.start()


def test_the_loop_of_a_client_does_not_wait_for_what_another_thread_has_read():
    loop = msgpackrpc.Loop()
    future = msgpackrpc.Future(loop, None)
    future.set_result(8)
    loop.start()
    future = msgpackrpc.Future(loop, None)
    future.set_result(9)
    future.join()  # was waited for, so the loop is run for something else
    runs = threading.Thread(target=loop.start)
    runs.start()
    runs.join(0.1)
    assert runs.is_alive()
    loop.stop()
    runs.join(BOUND)
    assert not runs.is_alive()


def test_a_client_on_the_loop_of_a_server_does_not_stop_it(server):
    with client_of(server, loop=server._loop) as client:
        for n in range(20):
            assert client.call("double", n) == 2 * n
        future = client.call_async("double", 4)
        future.attach_callback(lambda future: None)
        future.join()
        assert client.call("double", 5) == 10
