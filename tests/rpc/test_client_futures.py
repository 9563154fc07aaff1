"""Futures of a client: pipelined, awaited, cancelled, and who does the work meanwhile."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time

import pytest

import elsewhere
from elsewhere import CallTimeout, ConnectError, ConnectionLost, RemoteError, connect
from tests.contract.work import until
from tests.rpc.peers import Peer, polite


@pytest.fixture
def peer():
    with Peer() as peer:
        yield peer


@pytest.fixture
def client(peer):
    with connect(peer.address) as client:
        yield client


class TestFutures:
    def test_is_one_of_ours_and_has_the_result(self, client):
        future = client.submit("double", 7)
        assert isinstance(future, elsewhere.Future)
        assert (future.result(), future.done(), future.exception(), future.successful()) == (14, True, None, True)

    def test_an_error_is_the_futures(self, client):
        future = client.submit("fail", "bad")
        assert isinstance(future.exception(), RemoteError)
        with pytest.raises(RemoteError, match="bad"):
            future.result()

    def test_many_are_in_order(self, client, peer):
        futures = [client.submit("double", number) for number in range(20_000)]
        assert [future.result() for future in futures] == [2 * number for number in range(20_000)]
        assert [number for _, number in peer.executed] == list(range(20_000))

    def test_answers_in_any_order_find_their_futures(self):
        def mood(conversation):
            requests = [conversation.request() for _ in range(100)]
            for request in reversed(requests):
                conversation.answer(request, request[3][0])
            conversation.until_gone()

        with Peer(mood) as peer, connect(peer.address) as client:
            futures = [client.submit("echo", number) for number in range(100)]
            assert [future.result() for future in futures] == list(range(100))

    def test_nobody_has_to_wait(self, client):
        told = threading.Event()
        future = client.submit("double", 1)
        future.add_done_callback(lambda _: told.set())
        assert told.wait(20)
        plain = [client.submit("double", number) for number in range(100)]
        until(lambda: all(future.done() for future in plain), "the futures")

    def test_callbacks_may_call(self, client):
        told: list[int] = []
        done = threading.Event()

        def callback(future):
            told.append(client.double(future.result()))
            told.append(client.submit("double", 5).result())
            done.set()

        client.submit("double", 1).add_done_callback(callback)
        assert done.wait(20)
        assert told == [4, 10]

    def test_the_standard_librarys_wait(self, client):
        futures = [client.submit("double", number) for number in range(50)]
        done, not_done = concurrent.futures.wait(futures, 20)
        assert (len(done), len(not_done)) == (50, 0)
        assert {future.result() for future in concurrent.futures.as_completed(futures)} == set(range(0, 100, 2))

    def test_a_wait_with_a_timeout_stops_only_the_waiting(self):
        with Peer(lambda c: (answers.append(c.request()), go.wait(20), c.answer(answers[0], 5))) as peer:
            answers: list = []
            go = threading.Event()
            with connect(peer.address) as client:
                future = client.submit("slow")
                for _ in range(3):
                    with pytest.raises(TimeoutError):
                        future.result(0.01)
                go.set()
                assert future.result() == 5

    def test_a_call_and_futures_at_the_same_time(self, client):
        futures = []
        for number in range(300):
            futures.append(client.submit("double", number))
            assert client.double(number) == 2 * number
        assert [future.result() for future in futures] == [2 * number for number in range(300)]

    def test_several_threads_wait_for_one(self):
        def mood(conversation):
            request = conversation.request()
            go.wait(20)
            conversation.answer(request, 5)

        go = threading.Event()
        with Peer(mood) as peer, connect(peer.address) as client:
            future = client.submit("slow")
            with concurrent.futures.ThreadPoolExecutor(8) as threads:
                found = [threads.submit(future.result) for _ in range(8)]
                go.set()
                assert [one.result() for one in found] == [5] * 8


class TestCancelling:
    def test_tells_a_service_of_ours(self):
        with Peer(ours=True) as peer, connect(peer.address) as client:
            client.double(1)
            future = client.submit("hang")
            assert future.cancel()
            assert future.cancelled()
            with pytest.raises(concurrent.futures.CancelledError):
                future.result()
            assert client.double(2) == 4
            assert peer.heard == [[2, "rpc.cancel", [3]]]

    def test_tells_a_plain_peer_nothing(self, client, peer):
        client.double(1)
        assert client.submit("hang").cancel()
        assert client.double(2) == 4
        assert peer.heard == []

    def test_a_late_answer_is_nobodys(self):
        def mood(conversation):
            first, second = conversation.request(), conversation.request()
            conversation.answer(first, "late")
            conversation.answer(second, "right")
            conversation.answer(second, "again")
            conversation.answer([0, 4_000_000_000], "unknown")
            polite(conversation)

        with Peer(mood) as peer, connect(peer.address) as client:
            first = client.submit("first")
            first.cancel()
            assert client.call("second") == "right"
            assert client.double(2) == 4


class TestAsyncio:
    def test_await_inside_a_running_loop(self, client):
        async def main():
            assert await client.submit("double", 1) == 2
            assert client.double(2) == 4  # blocks the loop, and works
            with pytest.raises(RemoteError):
                await client.submit("fail", "bad")
            return await asyncio.gather(*(client.submit("double", number) for number in range(1000)))

        for _ in range(2):
            assert asyncio.run(main()) == list(range(0, 2000, 2))

    def test_the_loop_goes_on_meanwhile(self):
        with Peer(ours=True) as peer, connect(peer.address) as client:

            async def main():
                future = client.submit("hang")
                for _ in range(100):
                    await asyncio.sleep(0)
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(asyncio.wrap_future(future), 0.05)

            asyncio.run(main())

    def test_cancelling_the_task_cancels_the_call(self):
        with Peer(ours=True) as peer, connect(peer.address) as client:

            async def main():
                async def wait():
                    return await client.submit("hang")

                task = asyncio.ensure_future(wait())
                await client.submit("double", 1)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                return await client.submit("double", 2)

            assert asyncio.run(main()) == 4
            assert [method for _, method, _ in peer.heard] == ["rpc.cancel"]

    def test_a_batch_is_awaited(self, client):
        async def main():
            with client.batch() as batch:
                futures = [batch.double(number) for number in range(10)]
            return [await future for future in futures]

        assert asyncio.run(main()) == list(range(0, 20, 2))


class TestLimits:
    def test_a_future_has_its_limit_whether_anybody_waits_or_not(self, client, peer):
        quick = client.options(timeout=0.05)
        waited, unwaited, told = quick.submit("hang"), quick.submit("hang"), threading.Event()
        unwaited.add_done_callback(lambda _: told.set())
        with pytest.raises(CallTimeout, match=r"hang at tcp.* did not end within its limit of 0.05 s \(set by options"):
            waited.result()
        assert told.wait(20)
        assert isinstance(unwaited.exception(), CallTimeout)
        assert client.double(1) == 2
        assert client._link.conn.wire.pending == {}

    def test_a_short_limit_behind_a_long_one(self, client):
        long = client.options(timeout=40).submit("hang")
        long.add_done_callback(print)
        until(lambda: client._link.conn.helper.reads, "the helper")  # and sleeps until it hears something

        def passed() -> float:
            begin, told = time.monotonic(), threading.Event()
            client.options(timeout=0.05).submit("hang").add_done_callback(lambda _: told.set())
            assert told.wait(20)  # half of what the long one has
            return time.monotonic() - begin

        # The helper looks once a second anyway; on a busy machine, it may take as long now and then.
        assert any(passed() < 0.7 for _ in range(20))
        assert not long.done()
        long.cancel()

    def test_while_it_waits_for_the_greeting(self):
        with Peer(lambda c: c.until_gone()) as peer, connect(peer.address) as client:
            future = client.options(timeout=0.05).submit("double", 1)
            with pytest.raises(CallTimeout):
                future.result()


class TestEnds:
    def test_close_fails_what_is_under_way(self, peer):
        client = connect(peer.address)
        client.double(1)
        futures = [client.submit("hang") for _ in range(3)]
        waiting = threading.Thread(target=futures[0].exception)
        waiting.start()
        client.close()
        waiting.join(20)
        for future in futures:
            with pytest.raises((ConnectionLost, ConnectError), match="the client was closed"):
                future.result()

    def test_close_calls_the_callbacks(self, peer):
        told: list[BaseException | None] = []
        client = connect(peer.address)
        futures = [client.submit("hang") for _ in range(10)]
        for future in futures:
            future.add_done_callback(lambda future: told.append(future.exception()))
        client.close()
        assert len(told) == 10
        late = client.submit("hang")
        late.add_done_callback(lambda future: told.append(future.exception()))
        assert len(told) == 11

    def test_a_submit_without_a_connection_makes_one(self, peer):
        with connect(peer.address) as client:
            client.double(1)
            client._link.conn.end("for the test")
            futures = [client.submit("double", number) for number in range(100)]
            assert [future.result() for future in futures] == list(range(0, 200, 2))
            with pytest.raises(TypeError):
                client._link.conn.end("for the test")
                client.submit("double", object())

    def test_a_submit_that_finds_nobody_says_so(self):
        with Peer() as peer:
            client = connect(peer.address)
            client.double(1)
        with client:
            client._link.conn.end("for the test")
            future = client.submit("double", 1)
            with pytest.raises(ConnectError, match="refused"):
                future.result()

    def test_a_full_pipe_both_ways_is_no_deadlock(self, client):
        # 40 MB there and back, on sockets that hold a few hundred kB: the peer answers before it reads on.
        value = b"x" * 100_000
        futures = [client.submit("echo", value) for _ in range(400)]
        assert all(future.result() == value for future in futures)
