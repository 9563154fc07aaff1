"""Futures over HTTP: a few connections at a time, each call with its own end."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading

import pytest

from elsewhere import CallTimeout, ConnectError, ConnectionLost, Retry, connect
from elsewhere.rpc.calling.http import senders
from tests.contract.work import PATIENCE, until
from tests.rpc.http_client.peers import HttpPeer, execute


class Held:
    """A mood: calls of "held" wait until they are let go; others are answered."""

    def __init__(self):
        self.go = threading.Event()
        self.came = 0
        self._lock = threading.Lock()

    def __call__(self, conversation):
        for asked in conversation.requests():
            if isinstance(asked.json, dict) and asked.json["method"] == "held":
                with self._lock:
                    self.came += 1
                self.go.wait(PATIENCE)
                conversation.answer(asked, asked.json["params"][0])
            elif isinstance(asked.json, dict) and asked.json["method"] == "hang":
                with self._lock:
                    self.came += 1
                conversation.until_gone()
                return
            else:
                execute(conversation, asked)


@pytest.fixture
def held():
    held = Held()
    yield held
    held.go.set()


@pytest.fixture
def peer(held):
    with HttpPeer(held) as peer:
        yield peer
        held.go.set()


@pytest.fixture
def client(peer):
    with connect(peer.address, timeout=PATIENCE) as client:
        yield client


class TestMany:
    def test_results_are_their_own(self, client, peer):
        futures = [client.submit("double", number) for number in range(300)]
        assert [future.result() for future in futures] == [2 * number for number in range(300)]
        assert peer.connections <= senders.MOST + 1

    def test_some_are_under_way_together_and_the_rest_wait(self, client, peer, held):
        futures = [client.submit("held", number) for number in range(senders.MOST + 5)]
        until(lambda: held.came == senders.MOST)
        assert not any(future.done() for future in futures)
        assert client.double(1) == 2  # who waits for a call has a connection of its own
        held.go.set()
        assert [future.result() for future in futures] == list(range(senders.MOST + 5))

    def test_concurrent_futures_wait(self, client):
        futures = [client.submit("double", number) for number in range(5)]
        done, waiting = concurrent.futures.wait(futures, timeout=PATIENCE)
        assert (len(done), len(waiting)) == (5, 0)
        assert sorted(each.result() for each in concurrent.futures.as_completed(futures)) == [0, 2, 4, 6, 8]

    def test_they_can_be_awaited(self, client):
        async def main():
            return await asyncio.gather(*(client.submit("double", number) for number in range(20)))

        assert asyncio.run(main()) == [2 * number for number in range(20)]

    def test_callbacks_run(self, client):
        told: list[int] = []
        ended = threading.Event()
        for number in range(3):
            future = client.submit("double", number)
            future.add_done_callback(lambda future: (told.append(future.result()), len(told) == 3 and ended.set()))
        assert ended.wait(PATIENCE)
        assert sorted(told) == [0, 2, 4]

    def test_too_many_that_are_unsent_wait_for_room(self, client, held, monkeypatch):
        monkeypatch.setattr(senders, "MOST_CALLS", 10)
        futures = []

        def submit():
            futures.extend(client.submit("held", number) for number in range(senders.MOST + 30))

        thread = threading.Thread(target=submit)
        thread.start()
        until(lambda: held.came == senders.MOST and len(client._link._senders._queue) == 11)
        assert thread.is_alive()
        held.go.set()
        thread.join(PATIENCE)
        assert [future.result() for future in futures] == list(range(senders.MOST + 30))

    def test_threads_end_where_there_is_nothing_to_do(self, client):
        client.submit("double", 1).result()
        until(lambda: not [each for each in threading.enumerate() if each.name == "elsewhere-rpc-http"])
        assert client.submit("double", 2).result() == 4


class TestLimits:
    def test_of_one_under_way(self, client, peer, held):
        future = client.options(timeout=1.0).submit("hang", 1)
        with pytest.raises(CallTimeout, match=r"hang at .* was sent and not answered"):
            future.result()
        assert peer.gone.wait(PATIENCE)

    def test_of_one_that_waits_for_a_connection(self, client, held):
        for number in range(senders.MOST):
            client.submit("held", number)
        until(lambda: held.came == senders.MOST)
        hurried = client.options(timeout=0.1)
        told = threading.Event()
        one, two, late = hurried.submit("held", 1), hurried.submit("held", 2), client.submit("held", 3)
        two.add_done_callback(lambda _: told.set())
        with pytest.raises(CallTimeout, match="was not sent yet: so many calls are under way"):
            one.result()
        assert told.wait(PATIENCE)  # without anybody who waits
        held.go.set()
        assert late.result() == 3

    def test_of_who_waits_is_no_limit_of_the_call(self, client, held):
        future = client.submit("held", 1)
        with pytest.raises(TimeoutError):
            future.result(timeout=0.01)
        held.go.set()
        assert future.result() == 1


class TestCancelling:
    def test_what_is_under_way_ends_its_connection(self, client, peer, held):
        future = client.submit("hang", 1)
        until(lambda: held.came)
        assert future.cancel()
        assert peer.gone.wait(PATIENCE)
        assert client.submit("double", 1).result() == 2

    def test_what_waits_is_never_sent(self, client, peer, held):
        busy = [client.submit("held", number) for number in range(senders.MOST)]
        until(lambda: held.came == senders.MOST)
        future = client.submit("double", 77)
        assert future.cancel()
        held.go.set()
        concurrent.futures.wait(busy)
        assert client.submit("double", 1).result() == 2
        assert peer.executed == [("double", 1)]

    def test_a_task_that_is_cancelled_ends_its_call(self, client, peer, held):
        async def main():
            async def work():
                await client.submit("hang", 1)

            task = asyncio.create_task(work())
            await asyncio.to_thread(until, lambda: held.came)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(main())
        assert peer.gone.wait(PATIENCE)

    def test_it_harms_no_other_call(self, client, peer):
        stop, wrong = threading.Event(), []

        def work():
            number = 0
            while not stop.is_set():
                number += 1
                try:
                    assert client.double(number) == 2 * number
                except Exception as error:
                    wrong.append(error)

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in range(200):
            futures = [client.submit("double", number) for _ in range(3)]
            futures[number % 3].cancel()
            for future in futures:
                assert future.cancelled() or future.result() == 2 * number
        stop.set()
        for thread in threads:
            thread.join(PATIENCE)
        assert wrong == []


class TestClosing:
    @pytest.mark.parametrize("time", range(5))  # threads that read meet the one that closes in different moments
    def test_what_is_under_way_may_have_run_and_the_rest_has_not(self, peer, held, time):
        client = connect(peer.address)
        futures = [client.submit("held", number) for number in range(senders.MOST + 3)]
        until(lambda: held.came == senders.MOST)
        client.close()
        errors = [type(future.exception(timeout=PATIENCE)) for future in futures]
        assert errors.count(ConnectionLost) == senders.MOST
        assert errors.count(ConnectError) == 3

    def test_what_waits_to_be_repeated_ends_too(self):
        def mood(conversation):
            for _ in conversation.requests():
                conversation.reply("", "503 Service Unavailable", extra="Elsewhere-Version: 1\r\n")

        with HttpPeer(mood) as peer, connect(peer.address) as client:
            patient = client.options(retry=Retry(5, backoff=1000.0))
            future = patient.submit("double", 1)
            until(lambda: client._link._errands._jobs)
            client.close()
            with pytest.raises(ConnectionLost, match="the client was closed"):
                future.result(timeout=PATIENCE)

    def test_a_call_in_another_thread_ends(self, peer, held):
        client = connect(peer.address)
        errors = []

        def work():
            try:
                client.held(1)
            except ConnectionLost as error:
                errors.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        until(lambda: held.came)
        client.close()
        thread.join(PATIENCE)
        assert "the client was closed" in str(errors[0])


def test_what_was_changed_so_that_it_cannot_be_sent_again_is_said():
    def mood(conversation):
        for asked in conversation.requests():
            if isinstance(asked.json, list):
                changed.append(object())
                return
            execute(conversation, asked)

    changed: list = []
    with HttpPeer(mood) as peer, connect(peer.address, timeout=PATIENCE) as client:
        with client.options(idempotent=True).batch() as batch:
            one, two = batch.echo(1), batch.echo(changed)
        assert one.result() == 1
        with pytest.raises(TypeError, match="cannot be sent"):
            two.result()


def test_batches_are_cancelled_one_by_one(client, peer):
    with client.batch() as batch:
        futures = [batch.double(number) for number in range(3)]
        assert futures[1].cancel()
    assert (futures[0].result(), futures[2].result()) == (0, 4)
    assert peer.executed == [("double", 0), ("double", 2)]


def _works(client, future):
    """In a forked child."""
    try:
        future.result(timeout=PATIENCE)
    except ConnectionLost as error:
        return "was forked off" in str(error) and client.double(21) == 42 and client.submit("double", 4).result() == 8
    return False


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_has_connections_of_its_own(client, held):
    client.double(1)
    future = client.submit("held", 1)
    until(lambda: held.came)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if _works(client, future) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert client.double(2) == 4  # the parent's own is still well
    held.go.set()
    assert future.result() == 1
