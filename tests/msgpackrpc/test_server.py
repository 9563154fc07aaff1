"""The server: where it listens, who runs its methods, how it stops, and what strangers cannot do to it."""

from __future__ import annotations

import os
import resource
import signal
import socket
import threading
from contextlib import ExitStack
from typing import Any

import msgpack
import pytest

from elsewhere import msgpackrpc
from elsewhere.msgpackrpc.error import RPCError
from tests.contract.work import until
from tests.msgpackrpc.helpers import BOUND, Raw, Services, client_of, line_of, process, raw_client, serving

AsyncResult = msgpackrpc.server.AsyncResult


def reachable(host, port):
    try:
        socket.create_connection((host, port), BOUND).close()
    except OSError:
        return False
    return True


class TestAddresses:
    def test_the_host_is_honoured(self):
        with serving(Services(), msgpackrpc.Address("127.0.0.2", 0)) as server:
            port = server.at.port
            assert server.addresses == [f"tcp://127.0.0.2:{port}"]
            assert reachable("127.0.0.2", port)
            assert not reachable("127.0.0.1", port)

    def test_localhost_is_both_families(self):
        with serving(Services(), msgpackrpc.Address("localhost", 0)) as server:
            assert reachable("127.0.0.1", server.at.port)
            assert reachable("::1", server.at.port)

    @pytest.mark.parametrize(("family", "four", "six"), [(socket.AF_INET, True, False), (socket.AF_INET6, False, True)])
    def test_one_family(self, family, four, six):
        with serving(Services(), msgpackrpc.Address("localhost", 0, family)) as server:
            assert reachable("127.0.0.1", server.at.port) is four
            assert reachable("::1", server.at.port) is six
            client = msgpackrpc.Client(msgpackrpc.Address("localhost", server.at.port, family))
            assert client.call("double", 4) == 8
            client.close()

    def test_listen_may_be_repeated(self):
        addresses = [msgpackrpc.Address("127.0.0.1", 0), msgpackrpc.Address("127.0.0.2", 0)]
        with serving(Services(), *addresses) as server:
            assert len(server.addresses) == 2
            for url in server.addresses:
                host, _, port = url.removeprefix("tcp://").rpartition(":")
                client = msgpackrpc.Client(msgpackrpc.Address(host, int(port)))
                assert client.call("double", 4) == 8
                client.close()

    @pytest.mark.parametrize("host", ["::1", "127.0.0.1", "localhost"])
    def test_names_and_numbers(self, host):
        with serving(Services(), msgpackrpc.Address(host, 0)) as server:
            client = msgpackrpc.Client(msgpackrpc.Address(host, str(server.at.port)))
            assert client.call("double", 4) == 8
            client.close()

    @pytest.mark.parametrize("host", ["", None, "0.0.0.0"])
    def test_other_machines_are_warned_of(self, host):
        server = msgpackrpc.Server(Services())
        with pytest.warns(RuntimeWarning, match="can be reached from other machines"):
            server.listen(msgpackrpc.Address(host, 0))
        assert server.addresses[0].startswith("tcp://0.0.0.0:")
        server.close()

    def test_an_address_in_use_is_told(self):
        with serving(Services()) as server:
            other = msgpackrpc.Server(Services())
            with pytest.raises(OSError, match="another program has the port"):
                other.listen(server.at)
            assert other.addresses == []


class TestRunning:
    def test_all_methods_run_in_the_thread_that_started_it_one_by_one(self):
        services = Services()
        with serving(services) as server, client_of(server) as one, client_of(server) as other:
            futures = [client.call_async("double", n) for n in range(50) for client in (one, other)]
            assert all(future.get() is not None for future in futures)
            assert len(services.threads) == 1
            assert threading.get_ident() not in services.threads

    def test_stop_before_start_lets_start_return(self):
        server = msgpackrpc.Server(Services())
        server.stop()
        server.start()

    def test_start_while_it_runs_is_an_error(self):
        with serving(Services()) as server, pytest.raises(RuntimeError, match="running already"):
            server.start()

    def test_a_method_may_stop_it_and_its_answer_arrives(self):
        class Stops:
            def stop(self):
                server.stop()
                return "stopped"

        server = msgpackrpc.Server(Stops())
        server.listen(msgpackrpc.Address("127.0.0.1", 0))
        thread = threading.Thread(target=server.start)
        thread.start()
        client = msgpackrpc.Client(
            msgpackrpc.Address("127.0.0.1", int(server.addresses[0].rpartition(":")[2])), unpack_encoding="utf-8"
        )
        assert client.call("stop") == "stopped"
        thread.join(BOUND)
        assert not thread.is_alive()
        client.close()
        server.close()

    def test_it_may_start_again_and_its_connections_have_stayed(self):
        server: Any = msgpackrpc.Server(Services())
        server.listen(msgpackrpc.Address("127.0.0.1", 0))
        server.at = msgpackrpc.Address("127.0.0.1", int(server.addresses[0].rpartition(":")[2]))
        with client_of(server) as client:
            for _ in range(3):
                future = client.call_async("double", 2)
                thread = threading.Thread(target=server.start)
                thread.start()
                assert future.get() == 4
                server.stop()
                thread.join(BOUND)
                assert not thread.is_alive()
            assert len(server._listeners[0]._peers) == 1
        server.close()

    def test_close_ends_the_connections_from_another_thread(self):
        with serving(Services()) as server, raw_client(server.at) as raw:
            raw.send([0, 1, "double", [1]])
            assert raw.take() == [1, 1, None, 2]
            server.close()
            with pytest.raises(EOFError):
                raw.take()
            assert not reachable(*server.at.unpack())

    def test_two_servers_may_share_a_loop(self):
        loop = msgpackrpc.Loop()
        other = msgpackrpc.Server(Services(), loop=loop)
        other.listen(msgpackrpc.Address("127.0.0.1", 0))
        with serving(Services(), loop=loop) as server, client_of(server) as client:
            other.at = msgpackrpc.Address("127.0.0.1", int(other.addresses[0].rpartition(":")[2]))
            with client_of(other) as second:
                assert (client.call("double", 1), second.call("double", 2)) == (2, 4)
        other.close()

    def test_periodic_callbacks_run_while_it_runs(self, caplog):
        ticks = threading.Semaphore(0)
        loop = msgpackrpc.Loop()
        loop.attach_periodic_callback(lambda: (ticks.release(), 1 / 0), 1)
        with serving(Services(), loop=loop):
            for _ in range(3):
                assert ticks.acquire(timeout=BOUND)
            loop.dettach_periodic_callback()
        assert "ZeroDivisionError" in caplog.text
        with pytest.raises(ValueError, match="positive"):
            loop.attach_periodic_callback(print, 0)

    def test_the_loop_of_a_thread(self):
        loop = msgpackrpc.Loop()
        assert msgpackrpc.Loop.instance() is loop
        others: list[object] = []
        threads = [threading.Thread(target=lambda: others.append(msgpackrpc.Loop.instance())) for _ in range(2)]
        for thread in threads:
            thread.start()
            thread.join(BOUND)
        assert others[0] is others[1] is not loop


STOPPED = """
import elsewhere.msgpackrpc as msgpackrpc, signal, sys
class Services:
    def leave(self): sys.exit(5)
server = msgpackrpc.Server(Services())
server.listen(msgpackrpc.Address("127.0.0.1", 0))
signal.signal(signal.SIGTERM, lambda *_: (server.stop(), server.close()))
print(server.addresses[0].rpartition(":")[2], flush=True)
try:
    server.start()
except KeyboardInterrupt:
    print("interrupted")
print("ended", flush=True)
"""


@pytest.mark.parametrize(
    ("signum", "says"), [(signal.SIGTERM, "ended"), (signal.SIGINT, "interrupted"), (signal.SIGKILL, "")]
)
def test_signals_end_an_idle_server(signum, says):
    with process(STOPPED) as child:
        at = msgpackrpc.Address("127.0.0.1", int(line_of(child)))
        with raw_client(at) as raw:
            raw.send([0, 1, "zzz", []])
            assert raw.take()[2] == "'zzz' method not found"  # it serves
            child.send_signal(signum)
            assert line_of(child) == says
            with pytest.raises((EOFError, ConnectionError)):
                raw.take()


def test_sys_exit_in_a_method_ends_the_program():
    with process(STOPPED) as child:
        with raw_client(msgpackrpc.Address("127.0.0.1", int(line_of(child)))) as raw:
            raw.send([0, 1, "leave", []])
            with pytest.raises((EOFError, ConnectionError)):
                raw.take()
        assert child.wait(BOUND) == 5


class TestAsyncResult:
    def test_from_another_thread_and_before_the_method_returns(self):
        class Later:
            def before(self, value):
                result = AsyncResult()
                result.set_result(value)
                return result

            def after(self, value):
                result = AsyncResult()
                waiting.append(threading.Thread(target=lambda: (returned.wait(BOUND), result.set_result(value))))
                waiting[-1].start()
                return result

            def error(self):
                result = AsyncResult()
                threading.Thread(target=result.set_error, args=("so",)).start()
                return result

            def wrong(self):
                result = AsyncResult()
                wrong.append(result)
                return result

        def fails(result):
            with pytest.raises(AttributeError, match="to_msgpack"):
                result.set_result(object())
            result.set_result("ignored")

        waiting: list[threading.Thread] = []
        wrong: list[Any] = []
        returned = threading.Event()
        with serving(Later()) as server, client_of(server) as client:
            assert client.call("before", [1]) == [1]
            future = client.call_async("after", 2)
            assert client.call("before", 3) == 3  # the server goes on meanwhile
            returned.set()
            assert future.get() == 2
            with pytest.raises(RPCError, match="so"):
                client.call("error")
            future = client.call_async("wrong")
            assert client.call("before", 4) == 4
            fails(*wrong)
            with pytest.raises(RPCError, match="to_msgpack"):
                future.get()
            for thread in waiting:
                thread.join(BOUND)

    def test_of_a_client_that_has_gone(self):
        services = Services()
        with serving(services) as server:
            with raw_client(server.at) as raw:
                raw.send([0, 1, "never", []], [0, 2, "double", [1]])
                assert raw.take() == [1, 2, None, 2]
                raw.reset()
            with client_of(server) as client:
                assert client.call("double", 1) == 2
                services.held[0].set_result(7)  # nothing happens
                assert client.call("double", 2) == 4

    def test_of_a_notification(self):
        services = Services()
        with serving(services) as server, client_of(server) as client:
            client.notify("never")
            assert client.call("double", 1) == 2
            services.held[0].set_result(7)


class TestSubclasses:
    def test_dispatch_may_be_overridden(self):
        class Own(msgpackrpc.Server):
            def dispatch(self, method, param, responder):
                responder.set_result([method, param])

        server = Own(None)
        server.listen(msgpackrpc.Address("127.0.0.1", 0))
        thread = threading.Thread(target=server.start)
        thread.start()
        at = msgpackrpc.Address("127.0.0.1", int(server.addresses[0].rpartition(":")[2]))
        client = msgpackrpc.Client(at, unpack_encoding="utf-8")
        assert client.call("any", 1) == ["any", [1]]
        server.stop()
        thread.join(BOUND)
        client.close()
        server.close()

    def test_an_on_request_that_raises_ends_its_connection_alone(self, caplog):
        class Own(msgpackrpc.Server):
            def on_request(self, sendable, msgid, method, param):
                if method == "bad":
                    raise ValueError("own")
                sendable.send_message([1, msgid, None, "well"])

        server = Own(None)
        server.listen(msgpackrpc.Address("127.0.0.1", 0))
        at = msgpackrpc.Address("127.0.0.1", int(server.addresses[0].rpartition(":")[2]))
        thread = threading.Thread(target=server.start)
        thread.start()
        with raw_client(at) as bad, raw_client(at) as good:
            bad.send([0, 1, "bad", []])
            with pytest.raises(EOFError):
                bad.take()
            good.send([0, 1, "x", []])
            assert good.take() == [1, 1, None, "well"]
        server.stop()
        thread.join(BOUND)
        server.close()
        assert "ValueError: own" in caplog.text


HOSTILE = {
    "a browser": b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n" + msgpack.packb([2, "tell", ["after"]]),
    "an array of five": msgpack.packb([0, 1, "tell", ["x"], None]) + msgpack.packb([2, "tell", ["after"]]),
    "an unknown type": msgpack.packb([3, 1, "tell", ["x"]]) + msgpack.packb([2, "tell", ["after"]]),
    "a msgid of 2^32": msgpack.packb([0, 2**32, "tell", ["x"]]) + msgpack.packb([2, "tell", ["after"]]),
    "a msgid that is a str": msgpack.packb([0, "1", "tell", ["x"]]),
    "params that are no array": msgpack.packb([0, 1, "tell", "x"]),
    "a method that is a number": msgpack.packb([0, 1, 7, []]),
    "no MessagePack": b"\xc1",
    "an unhashable key": b"\x94\x00\x01\xa4tell\x91\x81\x91\x01\x01",
    "an array that claims 2^32": b"\x94\x00\x01\xa4tell\xdd\xff\xff\xff\xff",
    "a bin that claims 4 GiB": b"\x94\x00\x01\xa4tell\x91\xc6\xff\xff\xff\xff",
    "deep nesting": b"\x94\x00\x01\xa4tell" + b"\x91" * 100_000,
}


@pytest.mark.parametrize("sends", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_message_ends_its_connection_and_nothing_else(sends, caplog):
    services = Services()
    with serving(services) as server, client_of(server) as client, raw_client(server.at) as raw:
        raw.sock.sendall(sends)
        with pytest.raises((EOFError, ConnectionError)):
            raw.take()
        assert client.call("double", 4) == 8
        assert services.heard == []
    assert "a connection was ended" in caplog.text


def test_requests_may_be_cut_anywhere():
    request = msgpack.packb([0, 7, "echo", [{"key": ["ä" * 3, b"\x00" * 40]}]])
    with serving(Services(), unpack_encoding="utf-8") as server, raw_client(server.at) as raw:
        raw.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for cut in range(1, len(request)):
            raw.sock.sendall(request[:cut])
            raw.sock.sendall(request[cut:])
            assert raw.take() == [1, 7, None, {"key": ["äää", "\x00" * 40]}]


@pytest.mark.parametrize("how", ["cut", "reset", "garbage", "half-open", "stalled"])
def test_a_client_may_go_at_any_byte(how):
    request = msgpack.packb([0, 7, "echo", ["text"]])
    with serving(Services()) as server, ExitStack() as stack, client_of(server) as client:
        for cut in range(len(request) + 1):
            raw = stack.enter_context(raw_client(server.at))
            raw.sock.sendall(request[:cut])
            if how == "reset":
                raw.reset()
            elif how == "cut":
                raw.sock.close()
            elif how == "garbage":
                raw.sock.sendall(b"\xc1" * 200)
            elif how == "half-open":
                raw.sock.shutdown(socket.SHUT_WR)
            assert client.call("double", cut) == 2 * cut


def test_a_client_that_says_no_more_gets_its_answers():
    with serving(Services()) as server, raw_client(server.at) as raw:
        raw.send(*[[0, n, "echo", ["a" * 100_000]] for n in range(50)])
        raw.sock.shutdown(socket.SHUT_WR)
        assert [raw.take()[1] for _ in range(50)] == [*range(50)]
        with pytest.raises(EOFError):
            raw.take()


def test_a_client_that_says_no_more_gets_the_answers_that_wait_here():
    with serving(Services()) as server, raw_client(server.at) as raw, client_of(server) as client:
        asked, waiting = 0, False
        while not waiting:  # until the kernel holds all that it takes
            raw.send([0, asked, "large", [100_000]])
            asked += 1
            assert client.call("double", 4) == 8
            waiting = any(peer._waiting for peer in server._listeners[0]._peers)
        raw.sock.shutdown(socket.SHUT_WR)
        for _ in range(3):
            assert client.call("double", 4) == 8
        assert [raw.take()[1] for _ in range(asked)] == [*range(asked)]
        with pytest.raises(EOFError):
            raw.take()


def test_a_client_that_takes_none_of_its_large_answers_costs_bounded_memory_and_gets_them_in_the_end():
    with serving(Services()) as server, raw_client(server.at) as raw, client_of(server) as client:
        raw.send(*[[0, n, "large", [200_000]] for n in range(200)])  # 40 MB, asked for in one piece
        raw.sock.shutdown(socket.SHUT_WR)
        assert client.call("double", 4) == 8
        until(lambda: any(peer._waiting for peer in server._listeners[0]._peers), "the answers")
        (peer,) = [peer for peer in server._listeners[0]._peers if peer._waiting]
        assert peer._waiting < 2_000_000
        assert [raw.take()[1] for _ in range(200)] == [*range(200)]
        with pytest.raises(EOFError):
            raw.take()


def test_a_client_that_takes_nothing_costs_bounded_memory_and_delays_nobody():
    services = Services()
    with serving(services) as server, client_of(server) as client, raw_client(server.at) as raw:
        requests = b"".join(msgpack.packb([0, n, "echo", ["a" * 100_000]]) for n in range(300))  # 30 MB
        sender = threading.Thread(target=raw.sock.sendall, args=(requests,))
        sender.start()
        for n in range(100):
            assert client.call("double", n) == 2 * n
        until(lambda: any(peer._waiting for peer in server._listeners[0]._peers), "the answers")
        (peer,) = [peer for peer in server._listeners[0]._peers if peer._waiting]
        assert peer._waiting < 2_000_000
        assert [raw.take()[1] for _ in range(300)] == [*range(300)]
        sender.join(BOUND)


def test_without_descriptors_it_waits_and_serves_on():
    with serving(Services()) as server, client_of(server) as client:
        assert client.call("double", 1) == 2
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        waiting = socket.socket()
        highest = max(int(fd) for fd in os.listdir("/proc/self/fd"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, before[1]))
        filling = []
        try:
            while True:
                try:
                    filling.append(os.dup(0))
                except OSError:
                    break
            waiting.settimeout(BOUND)
            waiting.connect(server.at.unpack())  # by the kernel; nobody can accept it
            for _ in range(10):
                assert client.call("double", 4) == 8
            until(lambda: len(server._loop._watched) == 1, "the pause")  # that client, and no listener
            assert client.call("double", 4) == 8
        finally:
            for fd in filling:
                os.close(fd)
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        raw = Raw(waiting)
        raw.send([0, 1, "double", [4]])
        assert raw.take() == [1, 1, None, 8]
        waiting.close()
