"""A client and a peer that is well: what is called, what is sent, what is said."""

from __future__ import annotations

import copy
import pickle
import threading

import pytest

from elsewhere import ArgumentError, ConnectError, MessageTooLarge, MethodNotFound, RemoteError, Retry, connect
from elsewhere.transport.tls import TLS
from tests.rpc.peers import Peer, polite


@pytest.fixture
def peer():
    with Peer() as peer:
        yield peer


@pytest.fixture
def client(peer):
    with connect(peer.address) as client:
        yield client


@pytest.fixture
def ours():
    with Peer(ours=True) as peer:
        yield peer


class TestCalls:
    def test_call_and_attribute_are_the_same(self, client, peer):
        assert (client.call("double", 7), client.double(8)) == (14, 16)
        assert peer.executed == [("double", 7), ("double", 8)]

    def test_dotted_names_follow_attributes(self, client):
        assert client.a.b.c("x") == "x"
        assert repr(client.a.b.c) == f"<method 'a.b.c' at {client.address}>"

    def test_names_of_the_client_itself_are_reached_by_call(self, client):
        assert client.call("call", 1) == 1
        assert client.call("submit", 2) == 2

    @pytest.mark.parametrize(
        "value", [None, True, 0, -(2**63), 2**64 - 1, 1.5, "é", b"\x00\xff", [1, [2]], {"a": {1: None}}]
    )
    def test_values_travel(self, client, value):
        assert client.echo(value) == value
        assert type(client.echo(value)) is type(value)

    def test_text_that_is_no_utf_8_travels_byte_for_byte(self, client):
        assert client.echo("a\udcff") == "a\udcff"

    def test_notifications_get_no_answer(self, client, peer):
        client.notify("note", 1, "two")
        assert client.double(1) == 2
        assert peer.heard == [[2, "note", [1, "two"]]]

    def test_over_a_unix_socket(self, tmp_path):
        with Peer(path=str(tmp_path / "s")) as peer, connect(peer.address) as client:
            assert client.double(3) == 6

    @pytest.mark.parametrize("size", [10_000, 300_000, 10_000_000])
    def test_large_values_both_ways(self, client, size):
        value = bytes(range(256)) * (size // 256)
        assert client.echo(value) == value
        assert client.submit("echo", value).result() == value

    def test_the_old_specification(self):
        with Peer() as peer, connect(peer.address, old_raw=True) as client:
            assert client.echo(b"\xff\xfe") == b"\xff\xfe"
            assert client.echo("text") == "text"


class TestErrors:
    @pytest.mark.parametrize(
        ("error", "text"),
        [
            ("bad", "bad"),
            (b"bad", "bad"),
            ([0, "Vim:E121"], "Vim:E121"),
            ({"code": 5}, "{'code': 5}"),
            (1, "1"),
            (True, "True"),
        ],
    )
    def test_any_error_of_a_peer_is_told_with_text_and_data(self, client, error, text):
        with pytest.raises(RemoteError) as caught:
            client.fail(error)
        assert (caught.value.text, caught.value.data) == (text, error)
        assert str(caught.value) == f"fail at {client.address}: {text}"

    def test_kinds_of_our_own_services(self, client):
        for kind, cls in {"method": MethodNotFound, "arguments": ArgumentError, "error": RemoteError}.items():
            with pytest.raises(cls, match="what"):
                client.fail({"kind": kind, "type": "builtins.ValueError", "message": "what"})
        with pytest.raises(RemoteError) as caught:
            client.fail({"kind": "error", "type": "a.B", "message": "m", "traceback": "File 1", "data": [1]})
        assert (caught.value.type_name, caught.value.traceback, caught.value.data) == ("a.B", "File 1", [1])

    def test_what_cannot_be_packed_is_said_and_nothing_is_sent(self, client, peer):
        client.double(1)
        for wrong in (object(), 2**64, {1, 2}):
            for call in (client.call, client.submit, client.notify):
                with pytest.raises((TypeError, OverflowError)):
                    call("double", wrong)
        assert client.double(2) == 4
        assert peer.executed == [("double", 1), ("double", 2)]

    def test_what_is_above_the_limit_is_not_sent(self):
        with Peer() as peer, connect(peer.address, max_size=1000) as client:
            client.double(1)
            with pytest.raises(MessageTooLarge, match="1,000"):
                client.echo(b"x" * 1000)
            assert client.double(2) == 4
            assert peer.executed == [("double", 1), ("double", 2)]

    @pytest.mark.parametrize("method", ["", 5, None, b"double"])
    def test_what_is_no_name_of_a_method(self, client, method):
        for call in (client.call, client.submit, client.notify):
            with pytest.raises((TypeError, ValueError), match="name of a method"):
                call(method)


class TestKeywords:
    def test_travel_to_our_own_services(self, ours):
        with connect(ours.address) as client:
            assert client.args(1, b=2) == [[1], {"b": 2}]
            assert client.submit("args", b=3).result() == [[], {"b": 3}]

    def test_a_plain_peer_gets_nothing(self, client, peer):
        for first in (True, False):
            with pytest.raises(TypeError, match=r"keywords \(b, c\).*plain MessagePack-RPC"):
                client.args(1, b=2, c=3)
            with pytest.raises(TypeError, match="keywords"):
                client.submit("args", b=2).result()
            if first:
                assert client.double(1) == 2
        assert peer.executed == [("double", 1)]

    def test_a_submit_that_has_to_know_waits_for_the_greeting_without_blocking(self, ours):
        with connect(ours.address) as client:
            future = client.submit("args", n=1)
            assert future.result() == [[], {"n": 1}]


class TestGreeting:
    def test_is_sent_before_the_first_call_and_says_who_calls(self, ours):
        with connect(ours.address, timeout=7, name="me") as client:
            client.double(1)
            told = {"version": 1, "features": ["call", "cancel", "methods"], "name": "me", "timeout": 7.0}
            assert ours.greetings == [told]

    def test_nothing_is_sent_before_the_first_call(self):
        seen: list[bytes] = []

        def mood(conversation):
            seen.append(conversation.sock.recv(65536))

        with Peer(mood) as peer:
            connect(peer.address).close()
            peer.stop()
            assert seen in ([b""], [])

    def test_plain_peers_are_asked_once_even_over_several_connections(self):
        names: list[str] = []

        def mood(conversation):
            for message in conversation.messages():
                names.append(message[2])
                conversation.error(message, "no") if message[2] == "rpc.hello" else conversation.answer(message, 1)
                if message[2] == "last":
                    return

        with Peer(mood) as peer, connect(peer.address) as client:
            client.first()
            client.last()
            client.options(idempotent=True).first()  # it may be sent before the end of the connection is seen
            assert names == ["rpc.hello", "first", "last", "first"]

    def test_a_limit_of_its_own_travels_to_our_services(self, ours):
        with connect(ours.address) as client:
            assert client.options(timeout=3).double(2) == 4
            assert ours.told == {"timeout": 3.0}
            ours.told = None
            assert client.options(timeout=10).double(2) == 4
            assert ours.told is None

    def test_methods(self, ours, client):
        with pytest.raises(MethodNotFound, match="plain MessagePack-RPC"):
            client.methods()
        with connect(ours.address) as other, pytest.raises(RemoteError, match=r"rpc\.methods"):
            other.methods()


class TestBatch:
    def test_results_are_in_order(self, client, peer):
        with client.batch() as batch:
            one = batch.double(1)
            batch.notify("note")
            two = batch.call("a.b.c", 2)
            three = batch.a.b.c(3)
            assert peer.executed == []
            assert repr(batch) == f"<Batch for {client.address}: 4 calls collected>"
        assert batch.results() == [2, 2, 3]
        assert (one.result(), two.result(), three.result()) == (2, 2, 3)
        assert peer.heard == [[2, "note", []]]

    def test_is_one_write(self):
        with Peer() as peer, connect(peer.address) as client:
            client.double(1)
            stream, writes = client._link.conn.stream, []
            send = stream.send
            stream.send = lambda data: (writes.append(bytes(data).count(b"double")), send(data))[1]
            with client.batch() as batch:
                for number in range(1000):
                    batch.double(number)
            assert batch.results() == list(range(0, 2000, 2))
            assert writes == [1000]

    def test_an_error_comes_when_all_are_over_and_holds_the_rest(self, client):
        with client.batch() as batch:
            batch.double(1)
            batch.fail("bad")
            batch.double(2)
        with pytest.raises(RemoteError, match="bad") as caught:
            batch.results()
        assert [caught.value.results[0], caught.value.results[2]] == [2, 4]

    def test_nothing_is_sent_of_a_block_that_raises(self, client, peer):
        with pytest.raises(ZeroDivisionError), client.batch() as batch:
            future = batch.double(1)
            raise ZeroDivisionError
        assert future.cancelled()
        assert client.double(2) == 4
        assert peer.executed == [("double", 2)]

    def test_asking_too_early_or_too_late_is_said(self, client):
        with client.batch() as batch:
            future = batch.double(1)
            with pytest.raises(RuntimeError, match="at the end of its `with` block"):
                future.result()
            with pytest.raises(TypeError):
                batch.double(object())
        with pytest.raises(RuntimeError, match="was sent"):
            batch.double(2)
        assert batch.results() == [2]


class TestArguments:
    @pytest.mark.parametrize(
        ("kwargs", "error"),
        [
            ({"timeout": 0}, ValueError),
            ({"timeout": -1}, ValueError),
            ({"timeout": "1"}, TypeError),
            ({"token": b"x"}, TypeError),
            ({"name": 5}, TypeError),
            ({"retry": -1}, ValueError),
            ({"max_size": 0}, ValueError),
            ({"max_size": 2.5}, ValueError),
            ({"tls": TLS()}, ValueError),
        ],
    )
    def test_wrong_ones_are_said_before_anything_is_done(self, peer, kwargs, error):
        with pytest.raises(error):
            connect(peer.address, **kwargs)
        assert peer.connections == 0

    def test_an_address_without_a_scheme(self):
        with pytest.raises(ValueError, match="did you mean tcp://localhost:6789"):
            connect("localhost:6789")

    def test_nobody_listens(self):
        with Peer() as peer:
            address = peer.address
        with pytest.raises(ConnectError, match="refused") as caught:
            connect(address)
        assert (caught.value.address, caught.value.phase) == (address, "connect")

    def test_options_are_checked(self, client):
        for wrong in ({"timeout": 0}, {"retry": -1}, {"retry": "x"}, {"idempotent": 1}):
            with pytest.raises((TypeError, ValueError)):
                client.options(**wrong)


class TestState:
    def test_repr(self, peer):
        client = connect(peer.address)
        assert repr(client) == f"<Client of {peer.address}: connected>"
        client.double(1)
        assert repr(client) == f"<Client of {peer.address}: connected, plain MessagePack-RPC>"
        client.close()
        assert repr(client) == f"<Client of {peer.address}: closed>"
        assert client.closed

    def test_after_close_a_call_says_so(self, client):
        view = client.options(timeout=1)
        client.close()
        client.close()
        for call in (client.call, view.call, client.notify):
            with pytest.raises(ConnectError, match="is closed"):
                call("double", 1)
        with pytest.raises(ConnectError, match="is closed"):
            client.submit("double", 1).result()

    def test_private_names_are_no_methods(self, client, peer):
        for name in ("_private", "__wrapped__", "_repr_html_"):
            with pytest.raises(AttributeError):
                getattr(client, name)
            with pytest.raises(AttributeError):
                getattr(client.a, name)
        assert peer.executed == []

    def test_cannot_be_pickled_or_copied(self, client):
        for how in (pickle.dumps, copy.copy):
            with pytest.raises(TypeError, match=r"connect\(\) in the other process"):
                how(client)

    def test_a_client_that_is_forgotten_leaves_nothing(self, peer):
        client = connect(peer.address)
        assert client.double(1) == 2
        assert client.submit("double", 2).result() == 4
        del client

    def test_no_thread_is_started_for_plain_calls(self, client):
        for number in range(100):
            client.double(number)
        assert [thread.name for thread in threading.enumerate() if thread.name.startswith("elsewhere")] == []


class TestRetry:
    def test_errors_of_the_method_are_repeated_if_asked(self):
        def mood(conversation):
            for message in conversation.messages():
                if message[2] == "flaky":
                    conversation.peer.executed.append(message[2])
                    if len(conversation.peer.executed) < 3:
                        conversation.error(message, "not yet")
                        continue
                conversation.answer(message, {"features": []} if message[2] == "rpc.hello" else "done")

        for call in (lambda c: c.flaky(), lambda c: c.submit("flaky").result()):
            with Peer(mood) as peer, connect(peer.address) as client:
                with pytest.raises(RemoteError, match="not yet"):
                    call(client)
                peer.executed.clear()
                with pytest.raises(RemoteError, match="not yet"):
                    call(client.options(retry=1))
                peer.executed.clear()
                assert call(client.options(retry=Retry(2, on=RemoteError))) == "done"
                assert len(peer.executed) == 3

    def test_what_would_be_the_same_again_is_not_repeated(self):
        with Peer() as peer, connect(peer.address, retry=3) as client:
            with pytest.raises(MethodNotFound):
                client.fail({"kind": "method", "type": "", "message": ""})
            assert len(peer.executed) == 1


def test_a_peer_that_calls_us_is_told_that_there_is_nothing():
    def mood(conversation):
        message = conversation.request()
        conversation.send(b"\x94\x00\x05\xa3abc\x90" + b"\x93\x02\xa4note\x90")
        conversation.answer(message, 1)
        conversation.peer.heard.append(conversation.next())
        polite(conversation)

    with Peer(mood) as peer, connect(peer.address) as client:
        assert client.anything() == 1
        assert client.double(1) == 2
        assert peer.heard == [[1, 5, "'abc' method not found", None]]
