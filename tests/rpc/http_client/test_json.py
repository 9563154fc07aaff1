"""JSON-RPC to a peer that is well: what is called, what is sent, what is said."""

from __future__ import annotations

import json
import pickle
import threading

import pytest

from elsewhere import (
    ArgumentError,
    CallTimeout,
    ConnectError,
    MessageTooLarge,
    MethodNotFound,
    NeverStarted,
    RemoteError,
    Retry,
    Service,
    Unauthorized,
    connect,
)
from elsewhere.transport.tls import TLS
from tests.rpc.http_client.peers import OURS, HttpPeer, execute, polite


@pytest.fixture
def peer():
    with HttpPeer() as peer:
        yield peer


@pytest.fixture
def client(peer):
    with connect(peer.address) as client:
        yield client


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

    def test_keywords_travel_by_name(self, client, peer):
        assert client.args(a=1, b=[2]) == {"a": 1, "b": [2]}
        assert client.submit("args", b=3).result() == {"b": 3}
        with pytest.raises(TypeError, match="by position or by name, not both"):
            client.args(1, b=2)
        assert len(peer.executed) == 2

    @pytest.mark.parametrize(
        "value", [None, True, 0, -(2**70), 1.5, "é\0\ud800", "x" * 3_000_000, [1, [2]], {"a": {"b": None}}]
    )
    def test_values_travel(self, client, value):
        assert client.echo(value) == value
        assert type(client.echo(value)) is type(value)

    def test_one_connection_is_enough(self, client, peer):
        for number in range(20):
            client.double(number)
        assert peer.connections == 1

    def test_threads_have_a_connection_each(self, client, peer):
        results: dict[int, list[int]] = {}

        def work(number):
            results[number] = [client.double(number * 1000 + each) for each in range(20)]

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert results == {number: [2 * (number * 1000 + each) for each in range(20)] for number in range(8)}
        assert peer.connections < 40

    def test_notifications_have_no_id(self, client, peer):
        client.notify("note", 1, "two")
        assert peer.asked[0].json == {"jsonrpc": "2.0", "method": "note", "params": [1, "two"]}
        assert client.double(1) == 2
        assert peer.connections == 1

    def test_over_a_unix_socket(self, tmp_path):
        with HttpPeer(path=str(tmp_path / "s")) as peer, connect(peer.address) as client:
            assert client.double(3) == 6
            assert peer.asked[0].headers["host"] == "localhost"

    def test_no_thread_is_started_for_plain_calls(self, client):
        for number in range(10):
            client.double(number)
        assert [thread.name for thread in threading.enumerate() if thread.name.startswith("elsewhere")] == []


class TestHead:
    def test_what_is_said_of_a_call(self, peer):
        with connect(f"{peer.url}/some/path?key=1", name="me (ü)\n", timeout=5) as client:
            client.double(1)
        asked = peer.asked[0]
        assert asked.line == "POST /some/path?key=1 HTTP/1.1"
        headers = dict(asked.headers)
        assert 4 < float(headers.pop("elsewhere-timeout")) <= 5
        assert headers == {
            "host": peer.url.removeprefix("http://"),
            "user-agent": "elsewhere (me %28%C3%BC%29%0A)",
            "content-type": "application/json",
            "accept": "application/json",
            "accept-encoding": "identity",
            "content-length": str(len(asked.body)),
        }

    def test_without_a_limit_none_is_told(self, peer):
        with connect(peer.address, timeout=None) as client:
            assert client.double(1) == 2
        assert "elsewhere-timeout" not in peer.asked[0].headers

    @pytest.mark.parametrize(
        ("path", "line"),
        [("", "/jsonrpc"), ("/", "/jsonrpc"), ("/api/", "/api/jsonrpc"), ("/api", "/api")],
    )
    def test_which_path_is_posted_to(self, peer, path, line):
        with connect(peer.url + path) as client:
            client.double(1)
        assert peer.asked[0].line == f"POST {line} HTTP/1.1"

    def test_a_scheme_can_force_any_path(self, peer):
        with connect(f"jsonrpc+{peer.url}/RPC2") as client:
            assert client.double(1) == 2
        assert peer.asked[0].line == "POST /RPC2 HTTP/1.1"


class TestWhoCalls:
    @staticmethod
    def guarded(wanted):
        def mood(conversation):
            for asked in conversation.requests():
                if asked.headers.get("authorization") == wanted:
                    execute(conversation, asked)
                else:
                    conversation.reply("this service wants another token\n", "401 Unauthorized", "text/plain")

        return mood

    def test_a_bearer(self):
        with HttpPeer(self.guarded("Bearer hunter2")) as peer:
            with connect(peer.address, token="hunter2") as client:
                assert client.double(1) == 2
                assert "hunter2" not in repr(client)
            with pytest.raises(Unauthorized, match=r"401 Unauthorized: this service wants another token") as caught:
                connect(peer.address, token="hunter3")
            assert "hunter3" not in str(caught.value)
            assert peer.executed == [("double", 1)]

    def test_a_user_and_a_password(self):
        with HttpPeer(self.guarded("Basic w7xzZXI6cMOkc3M6d29yZA==")) as peer:
            with connect(peer.address, user="üser", password="päss:word") as client:
                assert client.double(1) == 2
            with pytest.raises(Unauthorized):
                connect(peer.address, user="üser", password="")

    def test_without_any_the_first_call_says_so(self):
        with HttpPeer(self.guarded("Bearer hunter2")) as peer, connect(peer.address, retry=3) as client:
            for call in (client.call, client.notify, lambda name, value: client.submit(name, value).result()):
                with pytest.raises(Unauthorized, match="double at http"):
                    call("double", 1)
            assert len(peer.asked) == 3

    @pytest.mark.parametrize(
        ("kwargs", "text"),
        [
            ({"token": "two words"}, "no header"),
            ({"token": "a\r\nb"}, "no header"),
            ({"token": ""}, "none at all"),
            ({"token": "a", "user": "u", "password": "p"}, "give one of them"),
            ({"user": "u"}, "go together"),
            ({"password": "p"}, "go together"),
            ({"user": "a:b", "password": "p"}, "no colon"),
            ({"user": "a", "password": "p\n"}, "control characters"),
        ],
    )
    def test_what_no_header_holds_is_said_at_once(self, peer, kwargs, text):
        with pytest.raises(ValueError, match=text):
            connect(peer.address, **kwargs)
        assert peer.connections == 0


class TestErrors:
    @pytest.mark.parametrize(
        ("error", "kind", "text"),
        [
            ({"code": -32000, "message": "bad"}, RemoteError, "bad"),
            ({"code": -32601, "message": "no such"}, MethodNotFound, "no such"),
            ({"code": -32602, "message": "no int"}, ArgumentError, "no int"),
            ({"code": -32004, "message": "busy"}, RemoteError, "busy"),  # of another make: it means who knows what
            ({"code": 1, "message": "bad", "data": [1]}, RemoteError, "bad"),
            ("bad", RemoteError, "bad"),
        ],
    )
    def test_of_a_peer_of_another_make(self, client, peer, error, kind, text):
        with pytest.raises(RemoteError, match=f"^fail at {client.address}: {text}$") as caught:
            client.fail(error)
        assert type(caught.value) is kind
        assert caught.value.text == text
        if isinstance(error, dict):
            assert caught.value.data == error
        assert len(peer.executed) == 1

    def test_kinds_of_our_own_services(self):
        with HttpPeer(ours=True) as peer, connect(peer.address) as client:
            told = {"kind": "error", "type": "a.B", "traceback": "File 1", "data": [1]}
            with pytest.raises(RemoteError, match=r"a\.B: what") as caught:
                client.fail({"code": -32000, "message": "what", "data": told})
            assert (caught.value.type_name, caught.value.traceback, caught.value.data) == ("a.B", "File 1", [1])
            for kind, cls in {"method": MethodNotFound, "arguments": ArgumentError, "timeout": CallTimeout}.items():
                with pytest.raises(cls, match="what"):
                    client.fail({"code": 0, "message": "what", "data": {"kind": kind, "type": ""}})
            with pytest.raises(NeverStarted, match="busy"):
                client.fail({"code": -32004, "message": "busy"})

    def test_a_status_of_failure_with_an_error_in_it(self):
        def mood(conversation):
            for asked in conversation.requests():
                error = {"code": -8, "message": "out of range"}
                body = json.dumps({"result": None, "error": error, "id": asked.json["id"]})
                conversation.reply(body, "500 Internal Server Error")

        with HttpPeer(mood) as peer, connect(peer.address) as client:
            with pytest.raises(RemoteError, match="out of range") as caught:
                client.getblock(5)
            assert caught.value.data["code"] == -8

    @pytest.mark.parametrize("wrong", [object(), b"bytes", {1, 2}, float("nan"), {"a": [b""]}])
    def test_what_cannot_be_sent_is_said_where_it_was_passed(self, client, peer, wrong):
        for call in (client.call, client.submit, client.notify, client.batch().call):
            with pytest.raises((TypeError, ValueError), match=r"double: .*JSON carries"):
                call("double", wrong)
        assert client.double(2) == 4
        assert peer.executed == [("double", 2)]

    def test_what_is_above_the_limit_is_not_sent(self, peer):
        with connect(peer.address, max_size=1000) as client:
            with pytest.raises(MessageTooLarge, match="1,000"):
                client.echo("x" * 1000)
            assert client.double(2) == 4
            assert peer.executed == [("double", 2)]

    @pytest.mark.parametrize("method", ["", 5, None, b"double"])
    def test_what_is_no_name_of_a_method(self, client, method):
        for call in (client.call, client.submit, client.notify):
            with pytest.raises((TypeError, ValueError), match="name of a method"):
                call(method)


class TestMethods:
    def test_our_own_tell_them(self):
        with HttpPeer(ours=True) as peer, connect(peer.address) as client:
            assert [each["name"] for each in client.methods()] == ["safe", "double"]

    def test_others_do_not(self, client):
        with pytest.raises(MethodNotFound, match="does not tell its methods"):
            client.methods()


class TestBatch:
    def test_is_one_request_and_one_answer(self, client, peer):
        with client.batch() as batch:
            one = batch.double(1)
            batch.notify("note")
            two = batch.call("a.b.c", 2)
            three = batch.a.b.c(3)
            four = batch.args(a=4)
            assert peer.executed == []
            assert repr(batch) == f"<Batch for {client.address}: 5 calls collected>"
        assert batch.results() == [2, 2, 3, {"a": 4}]
        assert (one.result(), two.result(), three.result(), four.result()) == (2, 2, 3, {"a": 4})
        assert len(peer.asked) == 1
        assert peer.executed[1] == ("note",)

    def test_of_many_calls_goes_in_parts(self, client, peer):
        with client.batch() as batch:
            for number in range(2500):
                batch.double(number)
        assert batch.results() == [2 * number for number in range(2500)]
        assert sorted(len(asked.json) for asked in peer.asked) == [500, 1000, 1000]

    def test_of_large_calls_goes_in_parts(self, peer):
        with connect(peer.address, max_size=10_000) as client:
            with client.batch() as batch:
                for _ in range(8):
                    batch.echo("x" * 3000)
            assert batch.results() == ["x" * 3000] * 8
        assert all(len(asked.body) <= 10_000 for asked in peer.asked)

    def test_of_one_call_is_a_call(self, client, peer):
        with client.batch() as batch:
            batch.double(1)
        assert batch.results() == [2]
        assert isinstance(peer.asked[0].json, dict)

    def test_of_none_is_nothing(self, client, peer):
        with client.batch() as batch:
            pass
        assert batch.results() == []
        assert peer.asked == []

    def test_of_notifications_has_gone_when_the_block_ends(self, client, peer):
        with client.batch() as batch:
            batch.notify("one")
            batch.notify("two")
        assert peer.executed == [("one",), ("two",)]

    def test_an_error_comes_when_all_are_over_and_holds_the_rest(self, client):
        with client.batch() as batch:
            batch.double(1)
            batch.fail({"code": 5, "message": "bad"})
            batch.double(2)
        with pytest.raises(RemoteError, match=r"fail at .*: bad") as caught:
            batch.results()
        assert [caught.value.results[0], caught.value.results[2]] == [2, 4]

    def test_a_peer_that_takes_none(self):
        def mood(conversation):
            for _ in conversation.requests():
                error = {"code": -32600, "message": "no batches"}
                conversation.reply(json.dumps({"jsonrpc": "2.0", "error": error, "id": None}))

        with HttpPeer(mood) as peer, connect(peer.address) as client:
            with client.batch() as batch:
                one, two = batch.double(1), batch.double(2)
            for future in (one, two):
                with pytest.raises(RemoteError, match="no batches"):
                    future.result()

    def test_a_peer_that_forgets_one(self):
        def mood(conversation):
            for asked in conversation.requests():
                conversation.reply(json.dumps([{"jsonrpc": "2.0", "result": 7, "id": asked.json[1]["id"]}]))

        with HttpPeer(mood) as peer, connect(peer.address) as client:
            with client.batch() as batch:
                one, two = batch.double(1), batch.double(2)
            assert two.result() == 7
            with pytest.raises(RemoteError, match="does not tell of this call"):
                one.result()


class TestArguments:
    @pytest.mark.parametrize(
        ("kwargs", "text"),
        [
            ({"timeout": 0}, "timeout"),
            ({"retry": -1}, "retries"),
            ({"max_size": 0}, "max_size"),
            ({"tls": TLS()}, "tls:// or https://"),
            ({"service": Service()}, "nobody can call back"),
            ({"old_raw": True}, "not for HTTP"),
        ],
    )
    def test_wrong_ones_are_said_before_anything_is_done(self, peer, kwargs, text):
        with pytest.raises(ValueError, match=text):
            connect(peer.address, **kwargs)
        assert peer.connections == 0

    def test_those_of_http_are_not_for_other_addresses(self):
        with pytest.raises(ValueError, match="for addresses of HTTP"):
            connect("tcp://127.0.0.1:1", user="u", password="p")

    def test_nobody_listens(self):
        with HttpPeer() as peer:
            address = peer.address
        with pytest.raises(ConnectError, match="refused") as caught:
            connect(address)
        assert (caught.value.address, caught.value.phase) == (address, "connect")


class TestState:
    def test_repr(self, peer):
        client = connect(peer.address)
        client.double(1)
        assert repr(client) == f"<Client of {peer.address}: JSON-RPC at /jsonrpc>"
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
        with pytest.raises(ConnectError, match="was closed"):
            client.submit("double", 1).result()

    def test_cannot_be_pickled(self, client):
        with pytest.raises(TypeError, match=r"connect\(\) in the other process"):
            pickle.dumps(client)

    def test_a_client_that_is_forgotten_leaves_nothing(self, peer):
        client = connect(peer.address)
        assert client.double(1) == 2
        assert client.submit("double", 2).result() == 4
        del client


class TestRetry:
    def test_errors_of_the_method_are_repeated_if_asked(self):
        def mood(conversation):
            for asked in conversation.requests():
                conversation.peer.executed.append((asked.json["method"],))
                if len(conversation.peer.executed) < 3:
                    error = {"code": 1, "message": "not yet"}
                    conversation.reply(json.dumps({"jsonrpc": "2.0", "error": error, "id": asked.json["id"]}))
                else:
                    conversation.answer(asked, "done")

        for call in (lambda c: c.flaky(), lambda c: c.submit("flaky").result()):
            with HttpPeer(mood) as peer, connect(peer.address) as client:
                with pytest.raises(RemoteError, match="not yet"):
                    call(client)
                peer.executed.clear()
                with pytest.raises(RemoteError, match="not yet"):
                    call(client.options(retry=1))
                peer.executed.clear()
                assert call(client.options(retry=Retry(2, on=RemoteError))) == "done"
                assert len(peer.executed) == 3

    def test_a_service_of_ours_that_is_busy_is_asked_again(self):
        def mood(conversation):
            for asked in conversation.requests():
                if len(conversation.peer.asked) == 1:
                    conversation.reply("not now\n", "503 Service Unavailable", "text/plain", extra=OURS)
                else:
                    execute(conversation, asked)

        with HttpPeer(mood) as peer, connect(peer.address) as client:
            assert client.double(1) == 2
            assert len(peer.asked) == 2


def test_the_moods_are_well():
    with HttpPeer(polite) as peer, connect(peer.address) as client:
        client.double(1)
    assert peer.errors == []
