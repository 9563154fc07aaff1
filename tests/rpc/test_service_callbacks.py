"""A method calls its caller back, on the same connection, while its own call is under way."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from elsewhere import CallTimeout, ConnectionLost, RemoteError, Service
from elsewhere.rpc import caller
from tests.contract.work import until
from tests.rpc.raw import HELLO, Raw

DEEP = 40


def ask(name, *args):
    return caller().call(name, *args)


async def ask_async(name, *args):
    return await caller().submit(name, *args)


def ask_with(name, *args, **kwargs):
    return caller().call(name, *args, **kwargs)


@pytest.fixture(params=["threads", "loop", "loop beside threads"])
def server(request):
    service = Service()
    where, _, beside = request.param.partition(" beside ")
    service.register(ask if where == "threads" else ask_async, "ask")
    if beside:
        service.register(abs, "other", where=beside)
    with service.start("tcp://127.0.0.1:0") as server:
        yield server


@pytest.fixture
def peer(server):
    with Raw(server.addresses[0]) as peer:
        yield peer


def asked(peer):
    """The request that the service has made."""
    kind, msgid, name, params = peer.receive()
    assert kind == 0
    return msgid, name, params


def test_a_call_back(peer):
    peer.send([0, 1, "ask", ["add", 1, 2]])
    msgid, name, params = asked(peer)
    assert (name, params) == ("add", [1, 2])
    peer.send([1, msgid, None, 3])
    assert peer.receive() == [1, 1, None, 3]


def test_its_error_is_a_remote_error(peer):
    peer.send([0, 1, "ask", ["add"]])
    msgid, *_ = asked(peer)
    peer.send([1, msgid, "no", None])
    kind, msgid, error, _ = peer.receive()
    assert (kind, msgid) == (1, 1)
    assert error.endswith("no")


def test_the_ids_of_both_sides_are_two_kinds(peer):
    """A call of ours and one of theirs may have the same number."""
    peer.send([0, 1, "ask", ["add"]])
    msgid, *_ = asked(peer)
    peer.send([0, msgid + 1, "ask", ["sub"]], [1, msgid, None, "one"])
    found = [peer.receive(), peer.receive()]
    assert [1, 1, None, "one"] in found
    inner = next(message for message in found if message[0] == 0)
    peer.send([1, inner[1], None, "two"])
    assert peer.receive() == [1, msgid + 1, None, "two"]


def test_nested_calls_end_the_last_one_first(peer):
    for depth in range(DEEP):
        peer.send([0, depth, "ask", ["deeper", depth]])
        msgid, name, params = asked(peer)
        assert (name, params) == ("deeper", [depth])
        if depth == DEEP - 1:
            last = msgid
    for depth in reversed(range(DEEP)):
        peer.send([1, last, None, depth])
        assert peer.receive() == [1, depth, None, depth]
        last -= 1


def test_the_connection_ends_while_the_method_waits_for_its_caller(server, peer, caplog):
    peer.send([0, 1, "ask", ["add"]])
    asked(peer)
    peer.close()
    service = server._service
    until(lambda: service.statistics()["ask"].errors == 1, "the method's end")


def test_an_answer_that_nobody_asked_for_does_no_harm(peer):
    peer.send([1, 77, None, None], [0, 5, "ask", ["it"]])
    msgid, *_ = asked(peer)
    peer.send([1, msgid, None, 1], [1, msgid, None, 2])
    assert peer.receive() == [1, 5, None, 1]


# ---- what `caller` gives ---------------------------------------------------------------------------------------------


@pytest.fixture
def started():
    servers = []

    def start(*methods, **options):
        service = Service(**options)
        for method in methods:
            service.register(method)
        servers.append(service.start("tcp://127.0.0.1:0"))
        return Raw(servers[-1].addresses[0])

    yield start
    for server in servers:
        server.close(0)


def test_there_is_no_caller_elsewhere():
    with pytest.raises(LookupError, match="no method of a service"):
        caller()


def test_keywords_and_limits_travel_to_one_of_ours_alone(started):
    with started(ask_with) as peer:
        error, _ = peer.call("rpc.call", "ask_with", ["add"], {"x": 1})
        assert "takes no keyword arguments" in error
        peer.send([0, 2000, "rpc.hello", [HELLO]])
        peer.receive()
        peer.send([0, 2001, "rpc.call", ["ask_with", ["add"], {"x": 1}]])
        msgid, name, params = asked(peer)
        assert (name, params[:3]) == ("rpc.call", ["add", [], {"x": 1}])
        assert params[3]["timeout"] > 0
        peer.send([1, msgid, None, 9])
        assert peer.receive() == [1, 2001, None, 9]


def test_one_that_takes_too_long_is_given_up_and_cancelled(started):
    def hasty():
        try:
            caller().options(timeout=0.5).call("never")
        except CallTimeout as error:
            return str(error)

    with started(hasty) as peer:
        peer.hello()
        peer.send([0, 100, "hasty", []])
        msgid, name, _ = asked(peer)
        assert name == "rpc.call"
        found = [peer.receive(), peer.receive()]
        assert [2, "rpc.cancel", [msgid]] in found
        answer = next(message for message in found if message[0] == 1)
        assert "0.5 s" in answer[3]


def test_blocking_on_a_loop_is_an_error_that_names_the_cure(started):
    async def wrong():
        return caller().call("it")

    with started(wrong) as peer:
        assert "await caller().submit" in peer.call("wrong")[0]


def test_who_called(started):
    def who():
        return caller().name, caller().address, caller().gone

    with started(who) as peer:
        peer.hello(name="me")
        port = peer.sock.getsockname()[1]
        assert peer.call("who") == (None, ["me", f"tcp://127.0.0.1:{port}", False])


def test_a_method_can_see_that_nobody_waits(started):
    began, seen = threading.Event(), threading.Event()

    def patient():
        began.set()
        until(lambda: caller().gone)
        seen.set()

    with started(patient) as peer:
        peer.hello()
        for _ in range(100):  # on a busy machine, the time may be over before it begins
            assert peer.call("rpc.call", "patient", [], {}, {"timeout": 0.02})[0]["kind"] == "timeout"
            if began.is_set():
                break
        assert seen.wait(20)


def test_notifying_the_caller(started):
    def progress(n):
        for at in range(n):
            caller().notify("at", at)
        return n

    with started(progress) as peer:
        peer.send([0, 1, "progress", [3]])
        assert [peer.receive() for _ in range(4)] == [[2, "at", [0]], [2, "at", [1]], [2, "at", [2]], [1, 1, None, 3]]


def test_a_peer_that_has_gone_cannot_be_called(started):
    outcome = []

    def late():
        who = caller()
        until(lambda: who.gone)
        try:
            who.call("it")
        except ConnectionLost as error:
            outcome.append(error.phase)

    with started(late) as peer:
        peer.request("late")
    until(lambda: outcome == ["call"])


def test_cancelling_a_future_reaches_the_peer(started):
    async def fickle():
        future = caller().submit("long")
        await asyncio.sleep(0)
        future.cancel()
        try:
            await future
        except asyncio.CancelledError:
            return "cancelled"

    with started(fickle) as peer:
        peer.hello()
        peer.send([0, 100, "fickle", []])
        msgid, *_ = asked(peer)
        found = [peer.receive(), peer.receive()]
        assert [2, "rpc.cancel", [msgid]] in found
        assert [1, 100, None, "cancelled"] in found


def test_more_wait_for_their_callers_than_there_are_threads(started):
    with started(ask, max_threads=2) as peer:
        for n in range(10):
            peer.send([0, n, "ask", ["it", n]])
        waiting = sorted((asked(peer) for _ in range(10)), key=lambda request: request[2])
        peer.send(*([1, msgid, None, params[0]] for msgid, _, params in waiting))
        assert sorted(peer.receive() for _ in range(10)) == [[1, n, None, n] for n in range(10)]


def test_remote_error_has_text_and_data(started):
    seen = []

    def inspect():
        try:
            caller().call("it")
        except RemoteError as error:
            seen.append((error.text, error.data))

    with started(inspect) as peer:
        peer.send([0, 1, "inspect", []])
        msgid, *_ = asked(peer)
        peer.send([1, msgid, [0, "bad"], None])
        assert peer.receive() == [1, 1, None, None]
    assert seen == [("bad", [0, "bad"])]


def test_a_half_closed_peer(started):
    with started(ask) as peer:
        peer.send([0, 1, "ask", ["it"]])
        asked(peer)
        peer.sock.shutdown(socket.SHUT_WR)
        assert peer.receive()[0:2] == [1, 1]  # nobody can answer the call back any more
