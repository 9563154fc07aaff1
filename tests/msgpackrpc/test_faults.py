"""Peers that are late, gone, stopped, or no peers at all: no hang, and an error that says which."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time

import msgpack
import pytest

from elsewhere import msgpackrpc
from elsewhere.errors import ConnectError, ConnectionLost
from elsewhere.msgpackrpc.error import TimeoutError as Late
from elsewhere.msgpackrpc.error import TransportError
from tests.msgpackrpc.helpers import BOUND, RawServer, Services, client_of, line_of, process, serving
from tests.ports import free_port

SERVER = """
import elsewhere.msgpackrpc as msgpackrpc, threading
class Services:
    def double(self, n): return 2 * n
    def never(self): return msgpackrpc.server.AsyncResult()
server = msgpackrpc.Server(Services())
server.listen(msgpackrpc.Address("127.0.0.1", 0))
print(server.addresses[0].rpartition(":")[2], flush=True)
server.start()
"""


@pytest.fixture
def raw():
    with RawServer() as server:
        yield server


def unused():
    return msgpackrpc.Address("127.0.0.1", free_port())


def answered(peer, result=None):
    """Answer the next request."""
    kind, msgid, _method, params = peer.take()
    assert kind == 0
    peer.send([1, msgid, None, params if result is None else result])


def test_a_refused_connection_is_a_transport_error_after_the_tries():
    client = msgpackrpc.Client(unused(), reconnect_limit=3)
    with pytest.raises(TransportError) as caught:
        client.call("x")
    assert caught.value.args == ("Retry connection over the limit",)
    assert isinstance(caught.value.__cause__, ConnectError)
    future = client.call_async("x")  # nothing is raised here
    with pytest.raises(TransportError, match=r"^Retry connection over the limit$"):
        future.get()
    with pytest.raises(TransportError, match=r"^Retry connection over the limit$"):
        client.notify("x")


def test_a_name_that_is_not_found_is_a_transport_error():
    client = msgpackrpc.Client(msgpackrpc.Address("no-such-host.invalid", 1), timeout=BOUND)
    with pytest.raises(TransportError) as caught:
        client.call("x")
    assert "no-such-host.invalid" in str(caught.value.__cause__)


def test_a_timeout_is_a_number_of_seconds_and_may_be_a_fraction(raw):
    client = msgpackrpc.Client(raw.at, timeout=0.2)

    def waited():
        started = time.monotonic()
        with pytest.raises(Late) as caught:
            client.call("x")
        assert caught.value.args == ("Request timed out",)
        return time.monotonic() - started

    assert waited() >= 0.2
    assert any(waited() < 1 for _ in range(20))  # the original looks once a second: 1.2 and more, each time
    client.close()


def test_an_answer_that_comes_too_late_is_not_taken_for_another(raw):
    client = msgpackrpc.Client(raw.at, timeout=BOUND, unpack_encoding="utf-8")
    client.notify("x")  # it is connected
    peer = raw.accept()
    peer.take()
    client._timeout = 0.2
    with pytest.raises(Late):
        client.call("x", "old")
    late = peer.take()
    client._timeout = BOUND
    future = client.call_async("x", "new")
    peer.send([1, late[1], None, "old"])
    answered(peer)
    assert future.get() == ["new"]
    client.close()


@pytest.mark.parametrize("timeout", [0, None, BOUND])
def test_the_end_of_the_connection_fails_what_is_under_way_at_once(raw, timeout):
    client = msgpackrpc.Client(raw.at, timeout=timeout)
    futures = [client.call_async("x"), client.call_async("y")]
    raw.accept().sock.close()
    started = time.monotonic()
    for future in futures:
        with pytest.raises(TransportError) as caught:
            future.get()
        assert isinstance(caught.value.__cause__, ConnectionLost)
    assert time.monotonic() - started < BOUND / 2
    client.close()


@pytest.mark.parametrize(
    "sends", [b"HTTP/1.1 400 Bad Request\r\n", b"\xc1", b"\x93\x01\x00\xc0", b"\x94\x01\xa1x\xc0\xc0"]
)
def test_what_is_no_message_ends_the_connection_with_its_reason(raw, sends):
    client = msgpackrpc.Client(raw.at, timeout=0)
    future = client.call_async("x")
    raw.accept().sock.sendall(sends)
    with pytest.raises(TransportError, match=r"no peer of MessagePack-RPC"):
        future.get()
    client.close()


@pytest.mark.parametrize("how", ["cut", "reset", "garbage", "half-open", "stalled"])
def test_an_answer_may_break_off_at_any_byte(how):
    answer = msgpack.packb([1, 1, None, {"key": [1, "text", b"bytes", 2.5]}])
    for cut in range(len(answer)):
        with RawServer() as server:
            client = msgpackrpc.Client(server.at, timeout=0.2 if how == "stalled" else 0, unpack_encoding="utf-8")
            future = client.call_async("x")
            peer = server.accept()
            peer.take()
            peer.sock.sendall(answer[:cut])
            if how == "cut":
                peer.sock.close()
            elif how == "reset":
                peer.reset()
            elif how == "garbage":
                peer.sock.sendall(b"\xc1" * 200)
            elif how == "half-open":
                peer.sock.shutdown(socket.SHUT_WR)
            future.join()
            if how != "garbage" or future.error is not None:  # the last number may be garbage, and still one
                assert type(future.error) is (Late if how == "stalled" else TransportError)
            client.close()
            client = msgpackrpc.Client(server.at, timeout=BOUND, unpack_encoding="utf-8")
            future = client.call_async("x")
            answered(server.accept(), "well")
            assert future.get() == "well"
            client.close()


def test_a_client_connects_again_to_a_server_that_was_started_anew(raw):
    client = msgpackrpc.Client(raw.at, timeout=BOUND, unpack_encoding="utf-8")
    for _ in range(3):
        future = client.call_async("x", 1)
        peer = raw.accept()
        answered(peer)
        assert future.get() == [1]
        peer.sock.close()  # while nothing is under way: the next call is not lost
    client.close()


def test_a_connection_that_ended_while_nobody_waited_for_a_call_is_not_used_for_the_next(raw):
    client = msgpackrpc.Client(raw.at, timeout=BOUND, unpack_encoding="utf-8")
    forgotten = client.call_async("x", 1)
    peer = raw.accept()
    peer.take()
    peer.sock.close()
    future = client.call_async("x", 2)
    answered(raw.accept())
    assert future.get() == [2]
    assert isinstance(forgotten.error, TransportError)
    client.close()


def test_a_call_is_never_sent_twice(raw):
    client = msgpackrpc.Client(raw.at, timeout=BOUND)
    for how in ("cut", "reset"):
        future = client.call_async("transfer_money", 100)
        peer = raw.accept()
        peer.take()
        peer.sock.close() if how == "cut" else peer.reset()
        with pytest.raises(TransportError):
            future.get()
    client.close()
    raw.sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        raw.accept()


def test_a_request_of_the_far_side_is_refused_and_a_notification_ignored(raw):
    client = msgpackrpc.Client(raw.at, timeout=BOUND, unpack_encoding="utf-8")
    future = client.call_async("x", 1)
    peer = raw.accept()
    request = peer.take()
    peer.send([2, "event", []], [0, 9, "call_me", []], [1, request[1], None, "ok"])
    assert future.get() == "ok"
    assert peer.take() == [1, 9, "'call_me' method not found", None]
    client.close()


def test_closing_fails_what_other_threads_wait_for(raw):
    client = msgpackrpc.Client(raw.at, timeout=0)
    futures = [client.call_async("x") for _ in range(3)]
    threads = [threading.Thread(target=future.join) for future in futures]
    for thread in threads:
        thread.start()
    client.close()
    for thread in threads:
        thread.join(BOUND)
    assert all(isinstance(future.error, TransportError) for future in futures)


def test_closing_ends_a_call_that_is_being_sent(raw):
    client = msgpackrpc.Client(raw.at, timeout=0)
    errors: list[object] = []

    def send():
        future = client.call_async("x", b"a" * 50_000_000)
        future.join()
        errors.append(future.error)

    thread = threading.Thread(target=send)
    thread.start()
    peer = raw.accept()
    taken = 0
    while taken < 100_000:
        taken += len(peer.sock.recv(4096))
    client.close()
    thread.join(BOUND)
    assert [type(error) for error in errors] == [TransportError]


@pytest.mark.parametrize("calls", [50, pytest.param(1000, marks=pytest.mark.slow)])
def test_32_threads_share_a_client(calls):
    wrong: list[object] = []

    def work(client, first):
        for n in range(first, first + calls):
            if client.call("double", n) != 2 * n:
                wrong.append(n)

    with serving(Services()) as server, client_of(server) as client:
        threads = [threading.Thread(target=work, args=(client, 1000 * n)) for n in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(BOUND)
        assert not any(thread.is_alive() for thread in threads)
    assert wrong == []


def test_threads_whose_calls_end_at_different_times_read_for_each_other(raw):
    client = msgpackrpc.Client(raw.at, timeout=BOUND, unpack_encoding="utf-8")
    futures = [client.call_async("x", n) for n in range(4)]
    peer = raw.accept()
    requests = [peer.take() for _ in futures]
    order: list[int] = []
    threads = [
        threading.Thread(target=lambda future=future, n=n: (future.join(), order.append(n)))
        for n, future in enumerate(futures)
    ]
    for thread in threads:
        thread.start()
    for n in (2, 0, 3, 1):
        peer.send([1, requests[n][1], None, n])
        threads[n].join(BOUND)
        assert order[-1] == n
    client.close()


def test_both_sides_may_send_more_than_the_sockets_hold(raw):
    """A client that sends without reading, to a server that answers before it reads on."""
    client = msgpackrpc.Client(raw.at, timeout=BOUND, unpack_encoding="utf-8")
    client.notify("hello")
    peer = raw.accept()
    peer.take()

    def echo():
        for _ in range(100):
            answered(peer)

    thread = threading.Thread(target=echo)
    thread.start()
    futures = [client.call_async("x", "a" * 500_000) for _ in range(100)]
    assert all(future.get() == ["a" * 500_000] for future in futures)
    thread.join(BOUND)
    client.close()


def test_a_server_that_takes_nothing_is_a_timeout(raw):
    client = msgpackrpc.Client(raw.at, timeout=0.3)
    other = client.call_async("x")
    future = client.call_async("x", b"a" * 50_000_000)
    with pytest.raises(Late):
        future.get()
    with pytest.raises((Late, TransportError)):  # half a message is out: nothing more can be sent
        other.get()
    client.close()


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGSTOP])
def test_a_server_that_is_killed_or_stopped_in_a_call(signum):
    with process(SERVER) as child:
        at = msgpackrpc.Address("127.0.0.1", int(line_of(child)))
        client = msgpackrpc.Client(at, timeout=BOUND)
        assert client.call("double", 4) == 8
        client._timeout = 1.0
        future = client.call_async("never")
        os.kill(child.pid, signum)
        with pytest.raises(TransportError if signum == signal.SIGKILL else Late):
            future.get()
        client.close()


def test_a_forked_child_has_a_connection_of_its_own():
    with serving(Services(), unpack_encoding="utf-8") as server, client_of(server) as client:
        assert client.call("double", 1) == 2
        pending = client.call_async("never")
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                good = client.call("double", 2) == 4
                pending.join()
                good = good and isinstance(pending.error, TransportError)
                client.close()
                os.write(writing, b"good" if good else b"bad")
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        os.close(writing)
        with open(reading, "rb") as pipe:
            assert pipe.read() == b"good"
        assert client.call("double", 3) == 6  # the child has not spoiled it


def test_a_forked_child_leaves_what_a_thread_of_its_parent_reads():
    services = Services()
    with serving(services, unpack_encoding="utf-8") as server, client_of(server) as client:
        pending = client.call_async("never")
        thread = threading.Thread(target=pending.join)
        thread.start()
        while not client._transport._link._reading:
            os.sched_yield()
        pid = os.fork()
        if not pid:
            try:
                code = 0 if client.call("double", 2) == 4 else 1
                client.close()
            except BaseException:
                code = 2
            os._exit(code)
        assert os.waitpid(pid, 0)[1] == 0
        services.held[0].set_result("mine")
        assert pending.get() == "mine"
        thread.join(BOUND)


def test_a_client_that_is_forgotten_closes_its_connection(raw):
    msgpackrpc.Client(raw.at, timeout=BOUND).notify("x")
    peer = raw.accept()
    peer.take()
    with pytest.raises(EOFError):
        peer.take()


INTERRUPTED = """
import elsewhere.msgpackrpc as msgpackrpc, signal, sys
client = msgpackrpc.Client(msgpackrpc.Address("127.0.0.1", int(sys.argv[1])), timeout=0, unpack_encoding="utf-8")
future = client.call_async("never")
print("waiting", client.call("echo", 1), flush=True)
try:
    future.join()
except KeyboardInterrupt:
    print("interrupted", client.call("double", 4), flush=True)
"""


def test_ctrl_c_ends_the_waiting_and_not_the_client():
    with serving(Services()) as server, process(INTERRUPTED, str(server.at.port)) as child:
        assert line_of(child) == "waiting 1"
        while line_of_state(child.pid) != "S":
            os.sched_yield()
        child.send_signal(signal.SIGINT)
        assert line_of(child) == "interrupted 8"


ALARMED = """
import elsewhere.msgpackrpc as msgpackrpc, signal, sys
client = msgpackrpc.Client(msgpackrpc.Address("127.0.0.1", int(sys.argv[1])), timeout=0, unpack_encoding="utf-8")
def alarm(*_):
    raise TimeoutError("the program's own")
signal.signal(signal.SIGALRM, alarm)
future = client.call_async("never")
assert client.call("double", 1) == 2
try:
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    future.join()
except TimeoutError as error:
    print(error, client.call("double", 4), future.error, flush=True)
"""


def test_what_a_signal_handler_raises_is_not_taken_for_the_connection_s_error():
    with serving(Services()) as server, process(ALARMED, str(server.at.port)) as child:
        assert line_of(child) == "the program's own 8 None"


SIGNALLED_SENDING = """
import elsewhere.msgpackrpc as msgpackrpc, signal, sys
client = msgpackrpc.Client(msgpackrpc.Address("127.0.0.1", int(sys.argv[1])), timeout=0)
def stop(*_):
    raise TimeoutError("the program's own")
signal.signal(signal.SIGUSR1, stop)
other = client.call_async("x")
try:
    client.call("x", b"a" * 50_000_000)
except TimeoutError as error:
    other.join()
    print(error, type(other.error).__name__, flush=True)
"""


def test_what_a_signal_handler_raises_while_a_call_is_sent_is_raised(raw):
    """Half a call is out then, so the connection cannot be used again."""
    with process(SIGNALLED_SENDING, str(raw.at.port)) as child:
        peer = raw.accept()
        taken = 0
        while taken < 100_000:
            taken += len(peer.sock.recv(4096))
        child.send_signal(signal.SIGUSR1)
        assert line_of(child) == "the program's own TransportError"


def line_of_state(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]
