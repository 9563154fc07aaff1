"""The stream below a connection: who waits, for how long, and how it ends, with TLS and without."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import socket
import ssl
import threading
import time

import pytest

from elsewhere.errors import ConnectionLost, SocketTimeout
from elsewhere.transport.secure import SecureStream
from elsewhere.transport.stream import OUT, Stream, milliseconds, stream_of
from tests.transport.peers import context, reset

BIG = random.Random(5).randbytes(3_000_000)


@pytest.fixture(params=["plain", "tls"])
def pair(request, certificates):
    """Two ends of a connection, both of them streams."""
    with contextlib.ExitStack() as stack:
        near, far = _sockets()
        if request.param == "tls":
            near, far = _encrypted(near, far, certificates)
        ends = [stream_of(near, "near"), stream_of(far, "far")]
        assert [type(end) for end in ends] == [SecureStream if request.param == "tls" else Stream] * 2
        for end in ends:
            stack.callback(end.close)
        yield ends


def _sockets() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        return near, listener.accept()[0]


def _encrypted(near, far, certificates):
    client = ssl.create_default_context(cafile=certificates.authority)
    found = []
    thread = threading.Thread(
        target=lambda: found.append(context(certificates.server).wrap_socket(far, server_side=True))
    )
    thread.start()
    secure = client.wrap_socket(near, server_hostname="localhost")
    thread.join()
    return secure, found[0]


@contextlib.contextmanager
def thread_of(function, *args, **options):
    """Run it meanwhile; what it raises is raised at the end."""
    raised = []

    def run():
        try:
            function(*args, **options)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        thread.join(30)
        assert not thread.is_alive()
    if raised:
        raise raised[0]


def read(stream: Stream, size: int) -> bytes:
    parts = []
    while size and (part := stream.recv(min(size, 65536), 30)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def test_there_and_back(pair):
    near, far = pair
    near.sendall(b"hello")
    assert far.recv(100, 5) == b"hello"
    far.sendall(bytearray(b"hi"))
    far.sendall(memoryview(b"  there")[2:])
    assert read(near, 7) == b"hithere"


def test_empty_data_is_nothing(pair):
    near, far = pair
    near.sendall(b"")
    assert near.send(b"") == 0
    near.sendall(b"x")
    assert far.recv(10, 5) == b"x"


def test_both_directions_at_once_do_not_wait_for_each_other(pair):
    near, far = pair
    with thread_of(near.sendall, BIG), thread_of(far.sendall, BIG):
        got = []
        with thread_of(lambda: got.append(read(near, len(BIG)))):
            assert hashlib.sha256(read(far, len(BIG))).digest() == hashlib.sha256(BIG).digest()
        assert got == [BIG]


def test_a_reader_that_waits_does_not_hold_up_a_writer(pair):
    near, far = pair
    got = []
    with thread_of(lambda: got.append(near.recv(10, 30))):
        near.sendall(b"asked")
        assert far.recv(10, 5) == b"asked"
        far.sendall(b"answered")
    assert got == [b"answered"]


def test_small_writes_of_many_threads_stay_whole(pair):
    near, far = pair
    with contextlib.ExitStack() as stack:
        for letter in b"abcdef":
            stack.enter_context(
                thread_of(lambda letter=letter: [near.sendall(bytes([letter]) * 999) for _ in range(50)])
            )
        data = read(far, 6 * 50 * 999)
    pieces = [data[at : at + 999] for at in range(0, len(data), 999)]
    assert sorted(pieces) == sorted(bytes([letter]) * 999 for letter in b"abcdef" for _ in range(50))


def test_a_second_reader_is_told(pair):
    near, far = pair
    refused = []

    def second():
        while not near._reading.locked():
            os.sched_yield()
        try:
            near.recv(1, 30)
        except RuntimeError as error:
            refused.append(str(error))
        far.sendall(b"x")

    with thread_of(second):
        assert near.recv(1, 30) == b"x"
    assert refused == ["near: another thread reads from this connection; one may at a time"]


def test_a_read_is_bounded_and_loses_nothing(pair):
    near, far = pair
    for timeout in (0, 0.02):
        began = time.monotonic()
        with pytest.raises(
            SocketTimeout, match=f"near: what is waited for has not come within {timeout:g} s"
        ) as caught:
            near.recv(1, timeout)
        assert timeout <= time.monotonic() - began < 5
        assert (caught.value.address, caught.value.phase) == ("near", "recv")
    far.sendall(b"late")
    assert read(near, 4) == b"late"


def test_a_write_is_bounded_and_says_how_far_it_came(pair):
    near, far = pair
    data = BIG * 5
    with pytest.raises(SocketTimeout, match=r"near: [\d,]+ of 15,000,000 bytes went within 0\.5 s") as caught:
        near.sendall(data, 0.5)
    went = int(str(caught.value).split()[1].replace(",", ""))
    assert 0 < went < len(data)
    assert caught.value.phase == "send"
    with thread_of(near.sendall, data[went:], 30):  # the stream goes on where it was
        assert hashlib.sha256(read(far, len(data))).digest() == hashlib.sha256(data).digest()


def test_waiting_for_a_turn_to_write_is_bounded(pair):
    near, far = pair
    with contextlib.suppress(ConnectionLost), thread_of(near.sendall, BIG * 5, 30):
        while not near._writing.locked():
            os.sched_yield()
        with pytest.raises(SocketTimeout, match="0 of 1 bytes went"):
            near.sendall(b"x", 0.02)
        far.close()


def test_send_sends_a_part(pair):
    near, far = pair
    data = BIG * 5
    sent = near.send(data, 5)
    assert 0 < sent < len(data)
    assert hashlib.sha256(read(far, sent)).digest() == hashlib.sha256(data[:sent]).digest()


def test_the_end_of_the_file(pair):
    near, far = pair
    far.sendall(b"last words")
    far.close()
    assert near.recv(100, 5) == b"last words"
    assert [near.recv(100, 5) for _ in range(3)] == [b"", b"", b""]
    assert near.ended


def test_half_an_end():
    near, far = (stream_of(sock, name) for sock, name in zip(_sockets(), ("near", "far"), strict=True))
    near.sendall(b"question")
    near.shutdown()
    assert read(far, 100) == b"question"
    far.sendall(BIG[:200_000])
    far.shutdown()
    assert read(near, 300_000) == BIG[:200_000]
    with pytest.raises(ConnectionLost, match="near: this side has said that it sends no more"):
        near.sendall(b"more")
    near.shutdown()
    near.close()
    far.close()


def test_tls_has_no_half_an_end(certificates):
    near, far = (stream_of(sock, "it") for sock in _encrypted(*_sockets(), certificates))
    with pytest.raises(TypeError, match=r"send a length, or a separator, or close\(\)"):
        near.shutdown()
    near.sendall(b"goes on")
    assert read(far, 7) == b"goes on"
    near.close()
    far.close()


def test_a_reset(pair):
    near, far = pair
    reset(far._sock)
    with pytest.raises(ConnectionLost, match=r"near: the far side has (reset|closed) the connection") as caught:
        while near.recv(10, 5):
            pass
        near.sendall(BIG)
    assert isinstance(caught.value, ConnectionError)


def test_writing_to_who_has_gone(pair):
    near, far = pair
    far.close()
    with pytest.raises(ConnectionLost, match=r"near: the far side has (reset|closed) the connection") as caught:
        while True:
            near.sendall(b"x" * 1000, 5)
    assert caught.value.phase == "send"


@pytest.mark.parametrize("how", ["recv", "sendall"])
def test_close_wakes_who_waits(pair, how):
    near, _ = pair
    waits = threading.Event()

    def close():
        waits.wait()
        lock = near._reading if how == "recv" else near._writing
        while not lock.locked():
            os.sched_yield()
        near.close()

    with thread_of(close):
        waits.set()
        with pytest.raises(ConnectionLost, match="near: closed on this side"):
            near.recv(1) if how == "recv" else near.sendall(BIG * 5)
    assert near.fileno() == -1


def test_after_close(pair):
    near, _ = pair
    near.close()
    near.close()
    assert near.closed
    assert near.fileno() == -1
    for use in (lambda: near.recv(1), lambda: near.sendall(b"x"), near.shutdown):
        with pytest.raises(ConnectionLost, match="near: closed on this side"):
            use()


def test_garbage_instead_of_tls(certificates):
    near, far = _sockets()
    secure, other = _encrypted(near, far, certificates)
    stream = stream_of(secure, "near")
    with socket.socket(fileno=os.dup(other.fileno())) as raw:
        raw.sendall(b"HTTP/1.1 200 OK\r\n\r\n" * 10)
    with pytest.raises(ConnectionLost, match="near: TLS failed: "):
        stream.recv(1, 5)
    stream.close()
    other.close()


def test_the_last_record_goes_out_though_it_had_to_wait(certificates):
    near, far = (stream_of(sock, "it") for sock in _encrypted(*_sockets(), certificates))
    push, answers = near._push, iter([OUT])
    near._push = lambda: next(answers, 0) or push()  # the first time there is no room
    near.sendall(b"last", 5)
    assert read(far, 4) == b"last"
    near.close()
    far.close()


def test_the_far_side_hears_the_end_of_tls(certificates):
    near, far = _sockets()
    secure, other = _encrypted(near, far, certificates)
    other.suppress_ragged_eofs = False  # now a cut is an error
    stream_of(secure, "near").close()
    assert other.recv(1) == b""
    other.close()


def test_what_was_decrypted_is_told(certificates):
    near, far = _sockets()
    secure, other = _encrypted(near, far, certificates)
    stream, peer = stream_of(secure, "near"), stream_of(other, "far")
    peer.sendall(b"hello")
    assert stream.recv(1, 5) == b"h"
    assert stream.pending() == 4
    assert stream.certificate()["subject"] == ((("commonName", "server"),),)
    assert peer.certificate() is None
    stream.close()
    peer.close()


class Stop:
    def __init__(self):
        self.read, self.write = os.pipe()

    def fileno(self):
        return self.read

    def close(self):
        os.close(self.read)
        os.close(self.write)


def test_a_stop_ends_the_file_for_who_may_be_stopped():
    near, far = _sockets()
    with contextlib.closing(Stop()) as stop:
        stream, peer = stream_of(near, "near", stop), stream_of(far, "far")
        with thread_of(lambda: (_until_reads(stream), os.write(stop.write, b"!"))):
            assert stream.recv(10, 30, stoppable=True) == b""
        assert not stream.ended
        with pytest.raises(SocketTimeout):
            stream.recv(10, 0.02)  # in the middle of something
        peer.sendall(b"what was on its way")
        assert stream.recv(100, 5, stoppable=True) == b"what was on its way"
        stream.close()
        peer.close()


def _until_reads(stream):
    while not stream._reading.locked():
        os.sched_yield()


@pytest.mark.parametrize("how", ["plain", "tls"])
def test_parting_hears_the_far_side_out(how, certificates):
    near, far = _sockets() if how == "plain" else _encrypted(*_sockets(), certificates)
    stream = stream_of(near, "near")
    far.sendall(b"x" * 1000)
    stream.sendall(b"answer")

    def client():
        assert far.recv(100) == b"answer"
        far.sendall(b"y" * 100_000)
        assert far.recv(100) == b""  # no reset
        far.close()

    with thread_of(client):
        stream.part(20)
    assert stream.closed


def test_parting_has_a_bound():
    near, far = _sockets()
    stream = stream_of(near, "near")
    far.sendall(b"x" * 1000)
    began = time.monotonic()
    stream.part(0.05)
    assert 0.04 < time.monotonic() - began < 5
    far.close()


def test_milliseconds_are_rounded_up():
    assert [milliseconds(seconds) for seconds in (-1, 0, 0.0001, 1, 1e300)] == [1, 1, 1, 1001, 2**31 - 1]
