"""A server's life: what it accepts, what it allows, and what it does not accept."""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import socket
import threading
import time

import pytest

from elsewhere import net
from elsewhere.errors import ConnectionLost, SocketTimeout, Unauthorized
from tests.net import handlers
from tests.net.helpers import TCP, connected, until


@pytest.fixture
def logged(caplog):
    with caplog.at_level(logging.INFO, "elsewhere.net"):
        yield lambda: [record.getMessage() for record in caplog.records if record.name == "elsewhere.net"]


# ---- what a handler does ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fail", "leave", "other"])
def test_a_handler_that_raises_ends_its_connection_only(serve, logged, name, caplog):
    server = serve(name)
    with connected(server) as first, connected(server) as second:
        for connection in (first, second):
            connection.sendall(b"x")
            with contextlib.suppress(ConnectionLost):
                assert connection.recv() == b""
    assert until(lambda: server.statistics().failed == 2)
    assert server.statistics().open == 0
    assert f"the handler {name}" in logged()[-1]
    assert caplog.records[-1].exc_info


def test_a_client_that_goes_is_no_error(serve, logged):
    server = serve("four")
    with connected(server) as connection:
        connection.sendall(b"12")
    until(lambda: server.statistics().lost == 1)
    assert not any("raised" in line for line in logged())
    with connected(server) as connection:
        connection.sendall(b"1234")
        assert connection.recv() == b"four"


def test_hundreds_of_connections_at_once(serve):
    server = serve("shout", "tcp://localhost:0")
    wrong = []

    def client(number):
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(connected(server, timeout=30)) for _ in range(40)]
            for turn in range(5):
                for at, connection in enumerate(connections):
                    connection.sendall(f"client {number} {at} {turn}\n".encode())
                for at, connection in enumerate(connections):
                    answer = connection.recv_until()
                    if answer != f"CLIENT {number} {at} {turn}\n".encode():
                        wrong.append(answer)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    until(lambda: server.statistics() == net.Statistics(accepted=320, handled=320))


# ---- limits ----------------------------------------------------------------------------------------------------------


def test_more_than_max_connections_wait(serve, held):
    server = serve("hold", max_connections=2)
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(connected(server)) for _ in range(3)]
        assert [connection.recv_until() for connection in connections[:2]] == [b"hello\n"] * 2
        with pytest.raises(SocketTimeout):
            connections[2].recv(timeout=0.1)
        assert server.statistics().open == server.statistics().accepted == 2
        held.set()
        assert [connection.recv_until() for connection in connections] == [b"goodbye\n"] * 2 + [b"hello\n"]
        assert connections[2].recv_until() == b"goodbye\n"
    until(lambda: server.statistics() == net.Statistics(accepted=3, handled=3))


@pytest.mark.parametrize("kind", ["tcp", "tls"])
@pytest.mark.parametrize("sent", [b"", b"12"])
def test_who_says_nothing_is_given_up(serve, logged, certificates, kind, sent):
    server = serve("four", f"{kind}://localhost:0", idle_timeout=0.5)
    options = {"tls": net.TLS(ca=certificates.authority)} if kind == "tls" else {}
    with connected(server, **options) as connection:
        connection.sendall(sent)
        assert connection.recv() == b""
    until(lambda: server.statistics().timed_out == 1)
    assert any("has not come within 0.5 s" in line for line in logged())


def test_who_does_not_read_is_given_up_and_costs_no_memory(serve):
    server = serve("flood", idle_timeout=0.3)
    with connected(server) as connection:
        connection.recv()
        before = _resident()
        until(lambda: server.statistics().timed_out == 1)
        assert _resident() - before < 32 << 20  # what the far side does not read is not gathered here
        with contextlib.suppress(ConnectionLost):
            while connection.recv():
                pass
    until(lambda: server.statistics().open == 0)


def _resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01"])
def test_a_handshake_is_bounded(serve, logged, certificates, sent):
    server = serve("shout", "tls://localhost:0", handshake_timeout=1.0)  # the good one's, too
    with socket.create_connection(("127.0.0.1", server.addresses[0].port), 10) as sock:
        sock.sendall(sent)
        with contextlib.suppress(ConnectionResetError):
            while sock.recv(100):  # an alert, perhaps
                pass
    until(lambda: server.statistics().refused == 1)
    assert any("failed before it had begun" in line for line in logged())
    with connected(server, tls=net.TLS(ca=certificates.authority)) as connection:
        connection.sendall(b"well\n")
        assert connection.recv_until() == b"WELL\n"


def test_a_handshake_holds_up_nobody(serve, certificates):
    server = serve("shout", "tls://localhost:0", handshake_timeout=30)
    silent = socket.create_connection(("127.0.0.1", server.addresses[0].port))
    with silent, connected(server, tls=net.TLS(ca=certificates.authority)) as connection:
        connection.sendall(b"well\n")
        assert connection.recv_until() == b"WELL\n"


@pytest.mark.parametrize("shown", [None, "foreign", "expired"])
def test_clients_must_show_certificates_if_the_server_says_so(serve, certificates, shown):
    server = serve("shout", "tls://localhost:0", tls=net.TLS(cert=certificates.server, ca=certificates.authority))
    mine = net.TLS(ca=certificates.authority, cert=getattr(certificates, shown) if shown else None)
    with (
        connected(server, tls=mine) as connection,
        pytest.raises(Unauthorized, match="does not accept this side's certificate"),
    ):
        connection.recv()
    until(lambda: server.statistics().refused == 1)


def test_out_of_descriptors_accepting_waits_and_does_not_spin(serve, logged):
    server = serve("shout")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    sock = socket.socket()
    spare = [os.dup(0)]
    while spare[-1] < max(int(name) for name in os.listdir("/proc/self/fd")) - 1:
        spare.append(os.dup(0))  # all numbers below are taken
    resource.setrlimit(resource.RLIMIT_NOFILE, (spare[-1] + 1, hard))
    try:
        sock.connect(("127.0.0.1", server.addresses[0].port))
        sock.sendall(b"patient\n")
        until(lambda: any("nothing can be accepted just now" in line for line in logged()))
        before = time.process_time()
        sock.settimeout(0.7)
        with pytest.raises(TimeoutError):
            sock.recv(1)
        assert time.process_time() - before < 0.2
        assert sum("nothing can be accepted" in line for line in logged()) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in spare:
            os.close(fd)
    sock.settimeout(20)
    assert sock.recv(100) == b"PATIENT\n"
    sock.close()


# ---- its states ------------------------------------------------------------------------------------------------------


def test_states(serve):
    server = net.Server(handlers.shout, TCP)
    assert repr(server) == "<Server tcp://127.0.0.1:0 not started>"
    with server:
        assert repr(server) == f"<Server {server.addresses[0]} open>"
        assert server.addresses[0].port
        with pytest.raises(RuntimeError, match="was started before"):
            server.start()
    assert repr(server) == f"<Server {server.addresses[0]} closed>"
    net.Server(handlers.shout, TCP).close()


def test_several_addresses(tmp_path, place):
    handler = handlers.shout if place == "threads" else handlers.shout_on_loop
    with net.Server(handler, "tcp://localhost:0", TCP, f"unix://{tmp_path}/it") as server:
        for address in server.addresses:
            with net.connect(address) as connection:
                connection.sendall(b"x\n")
                assert connection.recv_until() == b"X\n"


def test_a_start_that_fails_leaves_nothing(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = net.Server(handlers.shout, f"unix://{tmp_path}/it", f"tcp://127.0.0.1:{port}")
        with pytest.raises(OSError, match="another program has the port"):
            server.start()
    assert not (tmp_path / "it").exists()


def test_threads_are_few_when_little_goes_on(serve, place):
    server = serve("shout")
    before = threading.active_count()
    for _ in range(100):
        with connected(server) as connection:
            connection.sendall(b"x\n")
            connection.recv_until()
    until(lambda: server.statistics().open == 0)
    until(lambda: threading.active_count() <= before + 5)


def test_no_address_keeps_another_waiting():
    """With one connection at a time, and two addresses at which many wait."""
    order = []

    def four(connection):
        connection.recv_exactly(4)
        order.append(connection.address)
        connection.sendall(b"four")

    with net.Server(four, TCP, TCP, max_connections=1) as server, contextlib.ExitStack() as stack:
        first = connected(server)  # it holds the one place, until all others wait
        waiting = [stack.enter_context(net.connect(server.addresses[number % 2])) for number in range(20)]
        for connection in waiting:
            connection.sendall(b"1234")
        first.close()
        assert [connection.recv(timeout=30) for connection in waiting] == [b"four"] * 20
        assert [order.count(address) for address in server.addresses] == [10, 10]
        assert set(order[:6]) == set(server.addresses)


# ---- what is wrong is said at once -----------------------------------------------------------------------------------


async def _one(data):
    return data


WRONG = [
    ((handlers.shout,), {}, TypeError, "needs an address"),
    ((None, TCP), {}, TypeError, "a handler is a function"),
    ((lambda: None, TCP), {}, TypeError, r"called as handler\(connection\)"),
    ((_one, TCP), {}, TypeError, r"called as handler\(reader, writer\)"),
    ((handlers.shout, TCP), {"where": "loop"}, TypeError, "is no coroutine function"),
    ((handlers.shout, TCP), {"where": "processes"}, ValueError, "'threads' or 'loop'"),
    ((lambda a, b, c: None, "udp://127.0.0.1:0"), {}, TypeError, r"handler\(data, sender\) or handler\(data\)"),
    ((lambda: None, "udp://127.0.0.1:0"), {}, TypeError, r"handler\(data, sender\) or handler\(data\)"),
    ((handlers.shout, TCP, "udp://127.0.0.1:0"), {}, ValueError, "need a Server of their own"),
    ((handlers.shout, "tcp://0.0.0.0:0"), {}, ValueError, "insecure=True"),
    ((handlers.shout, "tls://127.0.0.1:0"), {}, ValueError, "needs a certificate"),
    ((handlers.shout, TCP), {"tls": net.TLS(cert="x")}, ValueError, "and there is none"),
    ((handlers.shout, "http://127.0.0.1:0"), {}, ValueError, "of no use here"),
    ((handlers.shout, TCP), {"max_connections": 0}, ValueError, "max_connections is 1 or more"),
    ((handlers.shout, TCP), {"idle_timeout": 0}, ValueError, "idle_timeout is more than 0"),
    ((handlers.shout, TCP), {"handshake_timeout": -1}, ValueError, "handshake_timeout is more than 0"),
    ((handlers.shout, TCP), {"max_size": 1.5}, TypeError, "max_size is a whole number"),
]


@pytest.mark.parametrize(("given", "options", "error", "text"), WRONG)
def test_what_is_wrong_with_a_server(given, options, error, text):
    with pytest.raises(error, match=text):
        net.Server(*given, **options)


def test_handlers_of_datagrams_are_told_apart():
    from functools import partial

    from elsewhere.net.serving.handlers import Handler

    class Callable:
        async def __call__(self, data):
            return data

    cases = {
        (lambda data: data): (False, False),
        (lambda data, sender: data): (False, True),
        (lambda data, verbose=False: data): (False, False),
        (lambda data=b"": data): (False, False),
        (lambda *args: args): (False, True),
        partial(lambda prefix, data: data, b"x"): (False, False),
        bytes.upper: (False, False),
        Callable(): (True, False),
        handlers.reply_to_later: (True, True),
    }
    found = {one: Handler.of(one, datagrams=True, where="threads") for one in cases}
    assert {one: (handler.coroutine, handler.with_sender) for one, handler in found.items()} == cases
