"""One client, many threads."""

from __future__ import annotations

import concurrent.futures
import random
import threading

import pytest

from elsewhere import connect
from tests.rpc.peers import Peer

THREADS = 32


def in_threads(count, work):
    with concurrent.futures.ThreadPoolExecutor(count) as threads:
        return [future.result(50) for future in [threads.submit(work, number) for number in range(count)]]


def test_each_of_32_threads_gets_its_own_1000_answers():
    with Peer() as peer, connect(peer.address) as client:

        def work(thread):
            return [client.echo([thread, number]) for number in range(1000)]

        found = in_threads(THREADS, work)
        assert found == [[[thread, number] for number in range(1000)] for thread in range(THREADS)]
        assert len(peer.executed) == THREADS * 1000
        assert peer.connections == 1


def test_calls_futures_batches_notifications_and_cancels_at_once():
    with Peer(ours=True) as peer, connect(peer.address) as client:
        client.double(1)

        def work(thread):
            dice = random.Random(thread)
            for number in range(150):
                token = [thread, number]
                kind = dice.randrange(6)
                if kind == 0:
                    assert client.echo(token) == token
                elif kind == 1:
                    futures = [client.submit("echo", [token, each]) for each in range(10)]
                    assert [future.result() for future in reversed(futures)] == [[token, e] for e in range(9, -1, -1)]
                elif kind == 2:
                    with client.batch() as batch:
                        batch.echo(token)
                        batch.notify("note", token)
                        batch.double(number)
                    assert batch.results() == [token, 2 * number]
                elif kind == 3:
                    client.submit("hang", token).cancel()
                elif kind == 4:
                    assert client.args(*token, n=1) == [token, {"n": 1}]
                else:
                    told = threading.Event()
                    client.submit("echo", token).add_done_callback(lambda _, told=told: told.set())
                    assert told.wait(30)
            return True

        assert in_threads(12, work) == [True] * 12
        assert client._link.conn.wire.pending == {}
        assert peer.connections == 1


def test_threads_that_give_up_leave_the_turn_to_others():
    with Peer(ours=True) as peer, connect(peer.address) as client:
        client.double(1)

        def work(thread):
            failed = 0
            for number in range(30):
                if thread % 2:
                    try:
                        client.options(timeout=0.001 * (number % 5 + 1)).hang()
                    except TimeoutError:
                        failed += 1
                else:
                    assert client.double(number) == 2 * number
            return failed

        assert in_threads(8, work) == [0, 30] * 4
        assert client._link.conn.parked == {}
        assert not client._link.conn.reading


def test_large_and_small_at_once():
    with Peer() as peer, connect(peer.address) as client:

        def work(thread):
            value = bytes([thread]) * (2_000_000 if thread % 2 else 10)
            return all(client.echo(value) == value for _ in range(10))

        assert in_threads(8, work) == [True] * 8


def test_threads_without_a_connection_make_one():
    with Peer() as peer, connect(peer.address) as client:
        client._link.conn.end("for the test")
        assert in_threads(16, client.double) == list(range(0, 32, 2))
        assert peer.connections == 2


class Inner(dict):
    """Runs code in the middle of a call, as a destructor does that the collector happens to call there."""

    def __init__(self, code):
        super().__init__(a=1)
        self.code = code

    def items(self):
        self.code()
        return super().items()


def test_code_in_the_middle_of_a_call_may_send_but_not_wait():
    futures = []
    with Peer(ours=True) as peer, connect(peer.address) as client:
        client.double(1)
        assert client.echo(Inner(lambda: client.notify("note", 1))) == {"a": 1}
        assert client.echo(Inner(lambda: futures.append(client.submit("double", 4)))) == {"a": 1}
        assert futures[0].result() == 8
        assert client.echo(Inner(lambda: client.submit("hang").cancel())) == {"a": 1}
        for call in (client.call, client.submit):
            with pytest.raises(RuntimeError, match="destructor"):
                call("echo", Inner(lambda: client.double(1)))
        told = threading.Event()
        client.submit("double", 5).add_done_callback(lambda _: told.set())
        assert told.wait(20)
        assert client.double(3) == 6
        assert [2, "note", [1]] in peer.heard
        assert peer.connections == 1
