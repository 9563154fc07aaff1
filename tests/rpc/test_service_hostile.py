"""Peers that send garbage, cut conversations, or do not read: one connection is lost at most, and memory is bounded."""

from __future__ import annotations

import contextlib
import gc
import os
import random
import socket
import struct
import threading

import msgpack
import pytest

from elsewhere.rpc.serving.session import Session
from tests.contract.work import Gate, until
from tests.rpc import serving
from tests.rpc.raw import HELLO, Raw

pack = msgpack.packb
QUITE = 1.0  # seconds, after which nothing is waited for; a busy machine may need some of them to say it


@pytest.fixture(params=["threads", "loop"])
def where(request):
    return request.param


@pytest.fixture
def start(where):
    servers = []

    def start(**options):
        service = serving.service_of(where, **options)
        servers.append(service.start("tcp://127.0.0.1:0"))
        servers[-1].service = service
        return servers[-1]

    yield start
    for server in servers:
        server.close(0)


@pytest.fixture
def server(start):
    return start()


@pytest.fixture
def address(server):
    return server.addresses[0]


def serves(address):
    """It goes on."""
    with Raw(address) as peer:
        return peer.call("double", 4) == (None, 8)


GARBAGE = {
    "a browser": b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a number": pack(1),
    "nothing": pack(None),
    "a map": pack({"method": "double"}),
    "too short": pack([0, 1]),
    "too long": pack([0, 1, "double", [1], 5]),
    "a kind that is none": pack([3, 1, "double", [1]]),
    "true for a kind": pack([True, 1, "double", [1]]),
    "a msgid of text": pack([0, "1", "double", [1]]),
    "a msgid of nothing": pack([0, None, "double", [1]]),
    "a msgid below 0": pack([0, -1, "double", [1]]),
    "a msgid of 2^32": pack([0, 2**32, "double", [1]]),
    "params that are no array": pack([0, 1, "double", 1]),
    "a method that is none": pack([0, 1, 7, []]),
    "a byte that is never used": b"\xc1",
    "a map with keys that cannot be": b"\x94\x00\x01\xa1d\x91\x81\x90\x01",
    "four billion entries": b"\xdd\xff\xff\xff\xff",
    "four billion entries of a map": b"\x94\x00\x01\xa1d\xdf\xff\xff\xff\xff",
    "a gigabyte of text": b"\x94\x00\x01\xa1d\x91\xdb\x40\x00\x00\x00",
    "a gigabyte of bytes": b"\x94\x00\x01\xa1d\x91\xc6\x40\x00\x00\x00",
    "nested too deeply": b"\x94\x00\x01\xa1d" + b"\x91" * 100_000,
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_garbage_ends_its_connection_and_nothing_behind_it_runs(address, garbage, caplog, tmp_path):
    gate = Gate(tmp_path / "gate")
    gate.open()
    with Raw(address) as peer:
        before = peer.call("double", 1)
        peer.write(garbage + pack([0, 9, "wait_at", [str(gate.folder), "ran"]]))
        assert before == (None, 2)
        assert peer.ended()
    assert not gate.has("came", "ran")
    assert serves(address)
    until(lambda: "the connection is ended: " in caplog.text, "the log")


def test_what_came_before_the_garbage_is_answered(address):
    with Raw(address) as peer:
        peer.write(pack([0, 1, "double", [1]]) + b"\xc1" + pack([0, 2, "double", [2]]))
        assert peer.receive() == [1, 1, None, 2]
        with pytest.raises((EOFError, ConnectionError)):
            peer.receive()


def test_text_that_is_no_utf8_comes_back_as_it_was(address):
    with Raw(address) as peer:
        peer.write(b"\x94\x00\x01\xa4echo\x91\xa2\xff\xfe")
        data = peer.sock.recv(100)
    assert data == b"\x94\x01\x01\xc0\xa2\xff\xfe"


CONVERSATION = b"".join(
    pack(message)
    for message in [
        [0, 1, "rpc.hello", [{**HELLO, "name": "x"}]],
        [0, 2, "double", [2]],
        [2, "echo", ["n"]],
        [0, 3, "rpc.call", ["join", ["a"], {"sep": "-"}, {"timeout": 20}]],
        [0, 4, "echo", [b"x" * 40]],
    ]
)


@pytest.mark.parametrize("fault", ["cut", "reset", "garbage", "half-open"])
def test_every_byte_of_a_conversation(address, fault):
    for at in range(len(CONVERSATION)):
        with Raw(address) as peer:
            peer.write(CONVERSATION[:at])
            if fault == "reset":
                peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif fault == "garbage":
                peer.write(b"\xc1" * 400)  # more than any text that was begun takes
                assert peer.ended()
            elif fault == "half-open":
                peer.sock.shutdown(socket.SHUT_WR)
                assert peer.ended()
    assert serves(address)


def test_conversations_that_stall_hold_up_nobody(address):
    stalled = [Raw(address) for _ in range(len(CONVERSATION))]
    for at, peer in enumerate(stalled):
        peer.write(CONVERSATION[:at])
    assert serves(address)
    for at, peer in enumerate(stalled):
        peer.write(CONVERSATION[at:])
        assert peer.answer(2) == (None, 4)
        assert peer.answer(4) == (None, b"x" * 40)
        peer.close()


def test_byte_by_byte(address):
    with Raw(address) as peer:
        for at in range(len(CONVERSATION)):
            peer.write(CONVERSATION[at : at + 1])
        assert peer.answer(3) == (None, "a")


def test_random_bytes(address):
    chance = random.Random(7)
    for _ in range(200):
        with Raw(address) as peer:
            peer.write(chance.randbytes(chance.randrange(1, 200)))
    assert serves(address)


# ---- limits ----------------------------------------------------------------------------------------------------------


def test_a_message_above_the_limit_is_told_from_its_header(start):
    server = start(max_size=10_000)
    with Raw(server.addresses[0]) as peer:
        assert peer.call("echo", b"x" * 9_000) == (None, b"x" * 9_000)
        peer.write(b"\x94\x00\x01\xa4echo\x91\xc6" + struct.pack(">I", 10_000))
        assert peer.ended()
    assert serves(server.addresses[0])


def test_a_result_above_the_limit_is_an_error(start):
    server = start(max_size=10_000)
    with Raw(server.addresses[0]) as peer:
        error, _ = peer.call("big", 10_000)
        assert "10,000" in error
        assert peer.call("double", 1) == (None, 2)


def test_a_large_message_there_and_back(address):
    data = bytes(range(256)) * 40_000
    with Raw(address) as peer:
        assert peer.call("echo", data) == (None, data)


def test_who_does_not_read_is_dropped_and_holds_up_nobody(start):
    server = start(send_timeout=0.2)
    with Raw(server.addresses[0]) as peer:
        peer.send(*([0, n, "big", [200_000]] for n in range(100)))
        assert serves(server.addresses[0])
        until(lambda: not connections(server))
        assert peer.ended()


def test_who_reads_slowly_is_served_and_nothing_more_is_run_for_it_meanwhile(start):
    server = start(send_timeout=60.0)
    with Raw(server.addresses[0]) as peer:
        asked = [peer.request("big", 400_000) for _ in range(100)]
        assert all(serves(server.addresses[0]) for _ in range(100))  # long enough for all of them
        assert server.service.statistics()["big"].calls < 80  # the system's buffers take some ten megabytes
        assert [peer.answer(msgid)[1] for msgid in asked] == [b"x" * 400_000] * 100


def test_nothing_more_is_read_while_too_many_calls_are_under_way(start, tmp_path):
    gate = Gate(tmp_path / "gate")
    server = start(max_calls=3)
    with Raw(server.addresses[0]) as peer:
        waiting = [peer.request("wait_at", str(gate.folder), str(n)) for n in range(3)]
        for n in range(3):
            gate.wait_for("came", n)
        more = [peer.request("wait_at", str(gate.folder), str(n)) for n in range(3, 9)]
        assert all(serves(server.addresses[0]) for _ in range(100))  # long enough for one more to begin
        assert gate.names("came") == {"0", "1", "2"}
        gate.open()
        assert [peer.answer(msgid) for msgid in [*waiting, *more]] == [(None, str(n)) for n in range(9)]


def test_calls_of_one_msgid_are_as_many_as_they_are(start, tmp_path):
    gate = Gate(tmp_path / "gate")
    server = start(max_calls=3)
    with Raw(server.addresses[0]) as peer:
        peer.send(*([0, 7, "wait_at", [str(gate.folder), str(n)]] for n in range(5)))
        for n in range(3):
            gate.wait_for("came", n)
        assert all(serves(server.addresses[0]) for _ in range(100))  # long enough for one more to begin
        assert gate.names("came") == {"0", "1", "2"}
        gate.open()
        assert sorted(peer.receive() for _ in range(5)) == [[1, 7, None, str(n)] for n in range(5)]


@pytest.mark.parametrize("limit", [-1, 0, float("nan"), float("inf"), 1e300, True, "x", None, [1]], ids=str)
def test_a_time_limit_that_is_none_is_no_limit(address, limit):
    with Raw(address) as peer:
        assert peer.hello(timeout=limit)[0] is None
        assert peer.call("double", 1) == (None, 2)
        assert peer.call("rpc.call", "double", [2], {}, {"timeout": limit}) == (None, 4)


def test_connections_above_the_limit_are_turned_away(start):
    server = start(max_connections=2)
    with Raw(server.addresses[0]) as one, Raw(server.addresses[0]) as two:
        assert one.call("double", 1) == two.call("double", 1) == (None, 2)
        with Raw(server.addresses[0]) as three:
            assert three.ended()
        assert one.call("double", 2) == (None, 4)
    until(lambda: not connections(server))
    assert serves(server.addresses[0])


def test_idle_connections_take_little_memory_and_no_thread(start):
    server = start()
    with Raw(server.addresses[0]) as peer:
        assert peer.call("double", 1) == (None, 2)
        where = peer.sock.getpeername()
    question, before, threads = pack([0, 1, "echo", [b"x" * 3000]]), resident(), threading.active_count()
    peers = []
    try:
        for _ in range(300):
            peers.append(socket.create_connection(where))
            peers[-1].sendall(question)
            answer = peers[-1].recv(3007, socket.MSG_WAITALL)
            assert len(answer) == 3007
        assert threading.active_count() <= threads + 4
        until(lambda: (resident() - before) / 300 < 20_000)  # the test's own ends are in it
    finally:
        for peer in peers:
            peer.close()


def resident():
    gc.collect()
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_an_idle_connection_is_closed_if_that_is_wanted(start):
    server = start(idle_timeout=QUITE)
    with Raw(server.addresses[0]) as peer:
        assert peer.call("double", 1) == (None, 2)
        assert peer.ended()


def test_an_idle_connection_whose_call_runs_is_not_idle(start, tmp_path):
    gate = Gate(tmp_path / "gate")
    server = start(idle_timeout=QUITE)
    with Raw(server.addresses[0]) as peer, Raw(server.addresses[0]) as other:
        long = peer.request("wait_at", str(gate.folder), "it")
        assert other.ended()
        gate.open()
        assert peer.answer(long) == (None, "it")


def test_no_more_descriptors_is_a_pause_and_not_the_end(address, where):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Raw(address) as peer:
        assert peer.call("double", 1) == (None, 2)
        sock = socket.socket()
        last = sock.fileno()
        host, port = peer.sock.getpeername()
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (last + 1, hard))
            sock.connect((host, port))
            assert peer.call("double", 2) == (None, 4)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        with Raw(address, sock=sock) as late:
            assert late.call("double", 3) == (None, 6)


def connections(server):
    serving = server._serving
    return len(getattr(serving, "connections", ()) or getattr(serving, "_peers", ()))


# ---- the token -------------------------------------------------------------------------------------------------------


def test_nothing_is_answered_before_the_token(start, tmp_path, caplog):
    gate = Gate(tmp_path / "gate")
    gate.open()
    server = start(token="open sesame")
    with Raw(server.addresses[0]) as peer:
        for name in ["double", "rpc.methods", "zzz"]:
            error, result = peer.call(name, 1)
            assert "wants a token" in error
            assert result is None
        peer.send([2, "wait_at", [str(gate.folder), "ran"]])
        assert peer.hello(token="open sesam")[0]["kind"] == "token"
        assert peer.call("rpc.call", "double", [1], {})[0]["kind"] == "token"
        assert peer.hello(token="open sesame")[0] is None
        assert peer.call("double", 1) == (None, 2)
    assert not gate.has("came", "ran")
    assert "sesam" not in caplog.text + repr(server) + repr(server.service)


def test_who_guesses_is_cut_off(start):
    server = start(token="open sesame", handshake_timeout=600)
    with Raw(server.addresses[0]) as peer:
        for guess in ["a", 7, None]:
            assert peer.hello(token=guess)[0]["kind"] == "token"
        assert peer.ended()


def test_who_has_guessed_too_often_is_refused_the_right_one_too(start):
    server = start(token="open sesame", handshake_timeout=600)
    with Raw(server.addresses[0]) as peer:
        peer.send(*([0, n, "rpc.hello", [{**HELLO, "token": guess}]] for n, guess in enumerate("abc")))
        peer.send([0, 3, "rpc.hello", [{**HELLO, "token": "open sesame"}]], [0, 4, "double", [1]])
        answers = []
        with contextlib.suppress(EOFError, ConnectionError):  # it is cut off in a moment
            while True:
                answers.append(peer.receive())
        assert [answer[1] for answer in answers[:3]] == [0, 1, 2]
        assert all(answer[2]["kind"] == "token" for answer in answers)


def test_who_sends_no_token_is_cut_off(start):
    server = start(token=b"\x00\xff", handshake_timeout=QUITE)
    with Raw(server.addresses[0]) as peer, Raw(server.addresses[0]) as other:
        assert other.hello(token=b"\x00\xff")[0] is None
        assert peer.ended()
        assert other.call("double", 1) == (None, 2)


def test_a_connection_that_has_gone_is_kept_by_no_time_limit(start):
    server = start(idle_timeout=3600, handshake_timeout=3600, token="x")
    with Raw(server.addresses[0]) as peer:
        assert peer.hello(token="x")[0] is None
        assert sessions(server) == 1
    until(lambda: gc.collect() >= 0 and not sessions(server), "the connection to be forgotten")


def sessions(server):
    """How many are in memory."""
    return sum(type(each) is Session and each.engine is server._engine for each in gc.get_objects())
