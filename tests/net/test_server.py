"""A server's life: what it accepts, what it allows, and how it ends."""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from elsewhere import net
from elsewhere.errors import ConnectError, ConnectionLost, SocketTimeout, Unauthorized
from tests.net import handlers

TCP = "tcp://127.0.0.1:0"


@pytest.fixture
def held():
    """The handler `hold` waits for this."""
    handlers.release.clear()
    yield handlers.release
    handlers.release.set()


@pytest.fixture
def logged(caplog):
    with caplog.at_level(logging.INFO, "elsewhere.net"):
        yield lambda: [record.getMessage() for record in caplog.records if record.name == "elsewhere.net"]


def connected(server, **options):
    return net.connect(server.addresses[0], **options)


def until(condition, seconds=10.0):
    """Look again and again; what it looks at changes on its own."""
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        os.sched_yield()
    assert found
    return found


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
    server = serve("four", f"{kind}://localhost:0", idle_timeout=0.1)
    options = {"tls": net.TLS(ca=certificates.authority)} if kind == "tls" else {}
    with connected(server, **options) as connection:
        connection.sendall(sent)
        assert connection.recv() == b""
    until(lambda: server.statistics().timed_out == 1)
    assert any("has not come within 0.1 s" in line for line in logged())


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
    server = serve("shout", "tls://localhost:0", handshake_timeout=0.2)
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


def test_clients_must_show_certificates_if_the_server_says_so(serve, place, certificates):
    server = serve("shout", "tls://localhost:0", tls=net.TLS(cert=certificates.server, ca=certificates.authority))
    with connected(server, tls=net.TLS(ca=certificates.authority)) as connection:
        try:
            assert (place, connection.recv()) == ("loop", b"")  # asyncio hangs up before it has said why
        except Unauthorized:
            assert place == "threads"
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


# ---- the end ---------------------------------------------------------------------------------------------------------


def test_close_ends_idle_connections_at_once(serve):
    server = serve("shout")
    with connected(server) as connection:
        connection.sendall(b"one\n")
        assert connection.recv_until() == b"ONE\n"
        began = time.monotonic()
        server.close()
        assert time.monotonic() - began < 5  # not the ten seconds of a drain
        assert connection.recv() == b""
    assert server.statistics() == net.Statistics(accepted=1, handled=1)
    with pytest.raises(ConnectError, match="nobody listens there"):
        connected(server)


def test_close_lets_handlers_finish(serve, held):
    server = serve("hold")
    with connected(server) as connection:
        assert connection.recv_until() == b"hello\n"
        closer = threading.Thread(target=server.close, args=(30,))
        closer.start()
        until(lambda: _refused(server))
        assert closer.is_alive()
        held.set()
        assert connection.recv_until() == b"goodbye\n"
        assert connection.recv() == b""
        closer.join(10)
        assert not closer.is_alive()


def _refused(server):
    try:
        connected(server, timeout=5).close()
    except ConnectError:
        return True
    return False


def test_what_has_come_in_part_may_come_whole(serve):
    server = serve("four")
    with connected(server) as connection:
        connection.sendall(b"12")
        until(lambda: _has_read(server, 2))
        closer = threading.Thread(target=server.close, args=(30,))
        closer.start()
        until(lambda: _refused(server))
        connection.sendall(b"34")
        assert connection.recv() == b"four"
        closer.join(10)


def _has_read(server, size):
    """Has the handler's connection that many bytes of an unfinished message?"""
    place = server._running
    if hasattr(place, "_readers"):
        return any(reader.unread == size for reader in list(place._readers))
    return any(len(one._held) == size for one in list(place._open) if isinstance(one, net.Connection))


def test_close_is_bounded(serve, held):
    server = serve("hold")
    with connected(server) as connection:
        assert connection.recv_until() == b"hello\n"
        began = time.monotonic()
        closer = threading.Thread(target=server.close, args=(0.1,))
        closer.start()
        with contextlib.suppress(ConnectionLost):
            assert connection.recv() == b""
        assert time.monotonic() - began < 5
        held.set()
        closer.join(10)
        assert not closer.is_alive()


def test_close_twice_and_from_two_threads(serve):
    server = serve("shout")
    with connected(server):
        threads = [threading.Thread(target=server.close) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    server.close()
    assert "closed" in repr(server)
    with pytest.raises(RuntimeError, match="was started before"):
        server.start()


def test_a_handler_may_close_its_server(place):
    def stop(connection):
        server.close()
        connection.sendall(b"done")

    async def stop_on_loop(reader, writer):
        server.close()
        writer.write(b"done")
        await writer.drain()

    server = net.Server(stop if place == "threads" else stop_on_loop, TCP)
    with server, connected(server) as connection:
        assert connection.recv() == b"done"
        until(lambda: "closed" in repr(server))
    assert server.statistics() == net.Statistics(accepted=1, handled=1)


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


PROGRAM = """
import logging, sys, threading
from elsewhere import net
from tests.net import handlers

def listen():
    for line in sys.stdin:
        handlers.release.set()

threading.Thread(target=listen, daemon=True).start()
place, address, name = sys.argv[1:]
log = logging.getLogger("elsewhere.net")  # says where it listens, and signals are heard from then on
log.addHandler(logging.StreamHandler(sys.stdout))
log.setLevel(logging.INFO)
server = net.Server(getattr(handlers, name if place == "threads" else f"{name}_on_loop"), address)
ended = server.serve_forever(drain=30)
left = [thread.name for thread in threading.enumerate() if "elsewhere" in thread.name]
print(ended.name, server.statistics().handled, len(left), flush=True)
"""


@contextlib.contextmanager
def program(place, address=TCP, name="hold"):
    words = [sys.executable, "-c", PROGRAM, place, address, name]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(words, text=True, **pipes) as run:
        try:
            yield run, run.stdout.readline().removeprefix("listening at ").strip()
        finally:
            run.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_finishes_what_runs(place, number, tmp_path):
    address = f"unix://{tmp_path}/it"
    with program(place, address) as (run, _), net.connect(address) as connection:
        assert connection.recv_until() == b"hello\n"
        run.send_signal(number)
        until(lambda: not (tmp_path / "it").exists())
        assert run.poll() is None
        run.stdin.write("release\n")
        run.stdin.flush()
        assert connection.recv_until() == b"goodbye\n"
        assert connection.recv() == b""
        out, err = run.communicate(timeout=20)
        assert (out.split(), err) == ([number.name, "1", "0"], "")
        assert run.returncode == 0


def test_a_second_signal_does_not_wait(place, tmp_path):
    address = f"unix://{tmp_path}/it"
    with program(place, address) as (run, _), net.connect(address) as connection:
        assert connection.recv_until() == b"hello\n"
        run.send_signal(signal.SIGTERM)
        until(lambda: not (tmp_path / "it").exists())
        run.send_signal(signal.SIGTERM)
        with contextlib.suppress(ConnectionLost):
            assert connection.recv() == b""
        out, _ = run.communicate(timeout=20)
        assert "\nSIGTERM 0 " in f"\n{out}"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_server_that_is_idle(place, number):
    with program(place, name="shout") as (run, address), net.connect(address) as connection:
        connection.sendall(b"x\n")
        assert connection.recv_until() == b"X\n"
        began = time.monotonic()
        run.send_signal(number)
        assert connection.recv() == b""
        out, err = run.communicate(timeout=20)
        assert time.monotonic() - began < 10
        assert (out.split(), err, run.returncode) == ([number.name, "1", "0"], "", 0)


def test_a_killed_server_is_noticed_at_once_and_replaced(place, tmp_path):
    address = f"unix://{tmp_path}/it"
    with program(place, address) as (run, _), net.connect(address) as connection:
        assert connection.recv_until() == b"hello\n"
        run.kill()
        run.wait()
        began = time.monotonic()
        assert connection.recv() == b""
        assert time.monotonic() - began < 1
    with program(place, address), net.connect(address) as connection:
        assert connection.recv_until() == b"hello\n"


def test_serve_forever_ends_with_close(serve, place):
    server = net.Server(handlers.shout if place == "threads" else handlers.shout_on_loop, TCP)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(server.serve_forever()))
    thread.start()
    until(lambda: "open" in repr(server))
    server.close()
    thread.join(10)
    assert answers == [None]
    assert server.serve_forever() is None


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
    ((handlers.shout, "http://127.0.0.1:0"), {}, ValueError, "no scheme that is known"),
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
