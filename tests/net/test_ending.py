"""How a server ends: by a call, by a signal, by SIGKILL; and what becomes of what it was doing."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from elsewhere import net
from elsewhere.errors import ConnectError, ConnectionLost, SocketTimeout
from tests.net import handlers
from tests.net.helpers import TCP, connected, until


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


def test_close_lets_answers_to_datagrams_out(place, held):
    handlers.seen.clear()
    handler = handlers.reply_held if place == "threads" else handlers.reply_held_on_loop
    server = net.Server(handler, "udp://127.0.0.1:0").start()
    with connected(server) as client:
        client.send(b"asked")
        until(lambda: handlers.seen)
        closer = threading.Thread(target=server.close, args=(30,))
        closer.start()
        until(lambda: place == "loop" or server._running._crew.stopping.is_set)
        held.set()
        assert client.recv() == b"ASKED"
        closer.join(10)
        assert not closer.is_alive()


def test_close_does_not_wait_for_a_handshake(serve):
    server = serve("shout", "tls://localhost:0", handshake_timeout=30)
    with socket.create_connection(("127.0.0.1", server.addresses[0].port), 10) as silent:
        until(lambda: server.statistics().open == 1)
        began = time.monotonic()
        server.close(20)
        assert time.monotonic() - began < 10
        with contextlib.suppress(ConnectionResetError):
            assert silent.recv(1) == b""
    assert server.statistics() == net.Statistics(accepted=1, refused=1)


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


def test_a_handler_that_notices_nothing_is_left_behind(serve, held, caplog):
    server = serve("stuck")
    with connected(server) as connection:
        assert connection.recv_until() == b"hello\n"
        began = time.monotonic()
        server.close(0.1)
        assert time.monotonic() - began < 20  # the handler waits for 30
        assert "left behind, as it did not end (1 times): the handler stuck" in caplog.text
        assert _refused(server)
        held.set()


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
        assert connection.recv(timeout=5) == b""  # the end of the file, or it would be late
    with program(place, address), net.connect(address) as connection:
        assert connection.recv_until() == b"hello\n"


def test_a_stopped_server_is_waited_for_no_longer_than_asked(place):
    with program(place, name="shout") as (run, address), net.connect(address) as connection:
        run.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, run.pid, os.WSTOPPED)  # all of its threads have
        connection.sendall(b"asleep?\n")
        with pytest.raises(SocketTimeout):
            connection.recv(timeout=0.1)
        with net.connect(address, timeout=5) as another, pytest.raises(SocketTimeout):  # the system accepts for it
            another.recv(timeout=0.1)
        run.send_signal(signal.SIGCONT)
        assert connection.recv_until() == b"ASLEEP?\n"


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
