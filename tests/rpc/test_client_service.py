"""A client and a `Service`: what our own two ends say to each other."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading

import pytest

from elsewhere import (
    ArgumentError,
    CallTimeout,
    ConnectionLost,
    MethodNotFound,
    RemoteError,
    Service,
    Unauthorized,
    connect,
)
from elsewhere.rpc import caller
from tests.contract.work import until
from tests.rpc.peers import Peer


def make() -> Service:
    service = Service(name="under test")
    gate, begun, stopped = threading.Event(), threading.Event(), threading.Event()
    service.gate, service.begun, service.stopped = gate, begun, stopped  # type: ignore[attr-defined]

    @service.method
    def double(n: int) -> int:
        """Twice that."""
        return 2 * n

    @service.method(idempotent=True)
    def echo(value, *, suffix=""):
        return value + suffix if suffix else value

    @service.method(name="a.b.c")
    def deep(value):
        return value

    @service.method
    def fail(text):
        raise ValueError(text)

    @service.method
    def wait():
        assert gate.wait(20)
        return "waited"

    @service.method
    async def sleep(seconds: float):
        begun.set()
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            stopped.set()
            raise

    @service.method
    def ask(method, value):
        return caller().call(method, value)

    @service.method
    def ask_nothing_of(method):
        return caller().call(method)

    @service.method
    def factorial(n: int) -> int:
        return n * caller().call("factorial", n - 1) if n > 1 else 1

    return service


@pytest.fixture
def service():
    service = make()
    yield service
    service.gate.set()


@pytest.fixture
def server(service):
    with service.start("tcp://127.0.0.1:0") as server:
        yield server


@pytest.fixture
def client(server):
    with connect(server.addresses[0]) as client:
        yield client


class TestCalls:
    def test_all_ways(self, client):
        assert client.double(7) == 14
        assert client.call("a.b.c", 1) == client.a.b.c(1) == 1
        assert client.echo("a", suffix="b") == "ab"
        assert client.submit("echo", "a", suffix="c").result() == "ac"
        with client.batch() as batch:
            for number in range(100):
                batch.double(number)
            batch.echo("x", suffix="y")
        assert batch.results() == [*range(0, 200, 2), "xy"]
        assert "plain" not in repr(client)

    def test_errors(self, client):
        with pytest.raises(RemoteError, match="ValueError: bad") as caught:
            client.fail("bad")
        assert (caught.value.type_name, caught.value.text) == ("builtins.ValueError", "bad")
        with pytest.raises(ArgumentError, match=r"\bn\b.*int"):
            client.double("x")
        with pytest.raises(ArgumentError):
            client.double(1, m=2)
        with pytest.raises(MethodNotFound, match="'zzz' method not found"):
            client.zzz()
        with pytest.raises(MethodNotFound):
            client.submit("zzz").result()

    def test_methods_tell_their_signatures(self, client):
        found = {each["name"]: each for each in client.methods()}
        assert found["double"]["signature"].replace("'", "") == "(n: int) -> int"
        assert found["double"]["doc"] == "Twice that."
        assert (found["echo"]["idempotent"], found["double"]["idempotent"]) == (True, False)

    def test_many_threads(self, client):
        def work(thread):
            return [client.echo([thread, number]) for number in range(100)]

        with concurrent.futures.ThreadPoolExecutor(16) as threads:
            found = list(threads.map(work, range(16)))
        assert found == [[[thread, number] for number in range(100)] for thread in range(16)]

    def test_awaited(self, client):
        async def main():
            return await asyncio.gather(*(client.submit("double", number) for number in range(500)))

        assert asyncio.run(main()) == list(range(0, 1000, 2))

    def test_pipelined(self, client):
        futures = [client.submit("double", number) for number in range(10_000)]
        assert [future.result() for future in futures] == list(range(0, 20_000, 2))

    def test_large_values(self, client):
        value = bytes(10_000_000)
        assert client.echo(value) == value

    def test_large_and_small_ones_in_turn(self, client):
        values = [b"x" * size for size in (300_000, 5, 1_000_000, 300_000, 0, 40_000_000, 1, 262_144, 262_143)]
        values += ["é" * 500_000, list(range(100_000)), {"a": b"y" * 400_000}, [b"z" * 300_000, b"z" * 300_000]]
        for value in [*values, *reversed(values)]:
            assert client.echo(value) == value
        futures = [client.submit("echo", value) for value in values]
        assert all(future.result() == value for future, value in zip(futures, values, strict=True))

    def test_over_a_unix_socket(self, service, tmp_path):
        with service.start(f"unix://{tmp_path}/s") as server, connect(server.addresses[0]) as client:
            assert client.double(1) == 2


class TestTimeAndCancelling:
    def test_a_limit_reaches_the_method(self, client, service):
        client.double(1)
        with pytest.raises(CallTimeout):
            client.options(timeout=0.05).sleep(60.0)
        if service.begun.is_set():  # on a busy machine the time may be over before
            assert service.stopped.wait(20)
        until(lambda: not service.statistics()["sleep"].running)

    def test_cancelling_reaches_the_method(self, client, service):
        client.double(1)
        future = client.submit("sleep", 60.0)
        assert service.begun.wait(20)
        assert future.cancel()
        assert service.stopped.wait(20)
        until(lambda: not service.statistics()["sleep"].running)

    def test_the_end_of_a_limit_stops_one_that_runs(self, client, service):
        @service.method(timeout=0.05, name="brief", where="loop")
        async def brief():
            service.begun.set()
            try:
                await asyncio.sleep(60.0)
            except asyncio.CancelledError:
                service.stopped.set()
                raise

        with pytest.raises(CallTimeout, match=r"0.05 s"):
            client.brief()
        if service.begun.is_set():
            assert service.stopped.wait(20)

    def test_others_pass_a_slow_one(self, client, service):
        slow = client.submit("wait")
        assert [client.double(number) for number in range(20)] == list(range(0, 40, 2))
        service.gate.set()
        assert slow.result() == "waited"


class TestTokens:
    def test_right_wrong_and_none(self):
        service = Service(token="correct horse")
        service.register(lambda: 1, "one")
        with service.start("tcp://127.0.0.1:0") as server:
            with connect(server.addresses[0], token="correct horse") as client:
                assert client.one() == 1
            with pytest.raises(Unauthorized) as caught:
                connect(server.addresses[0], token="battery staple")
            assert "staple" not in str(caught.value)
            with connect(server.addresses[0]) as client, pytest.raises(Unauthorized, match="token"):
                client.one()


class TestEnds:
    def test_a_service_that_closes_and_comes_back(self, service):
        with service.start("tcp://127.0.0.1:0") as server:
            address = server.addresses[0]
            client = connect(address)
            assert client.double(1) == 2
        with client, service.start(address):
            assert client.options(idempotent=True).double(2) == 4
            assert client.submit("double", 3).result() == 6

    def test_an_idempotent_call_survives_it(self, service):
        with service.start("tcp://127.0.0.1:0") as server, connect(server.addresses[0]) as client:
            assert client.echo(1) == 1
            client._link.conn.stream.shutdown()
            assert client.echo(2) == 2
            client._link.conn.stream.shutdown()
            assert client.submit("echo", 3).result() == 3


class TestCallingBack:
    def offered(self, **more):
        offered = Service()

        @offered.method
        def shout(text: str) -> str:
            return text.upper()

        for name, fn in more.items():
            offered.register(fn, name)
        return offered

    def test_while_our_own_call_is_pending(self, server):
        with connect(server.addresses[0], service=self.offered()) as client:
            assert client.ask("shout", "hello") == "HELLO"
            assert client.submit("ask", "shout", "again").result() == "AGAIN"
            with pytest.raises(RemoteError, match="'zzz' method not found"):
                client.ask("zzz", 1)
            with pytest.raises(RemoteError, match="text"):
                client.ask("shout", 5)

    def test_to_any_depth(self, server):
        def factorial(n: int) -> int:
            return n * mine.factorial(n - 1) if n > 1 else 1

        with connect(server.addresses[0], service=self.offered(factorial=factorial)) as mine:
            assert mine.factorial(20) == 2_432_902_008_176_640_000

    def test_with_a_caller_of_its_own(self, server):
        def factorial(n: int) -> int:
            return n * caller().call("factorial", n - 1) if n > 1 else 1

        with connect(server.addresses[0], service=self.offered(factorial=factorial)) as client:
            assert client.factorial(15) == 1_307_674_368_000

    def test_deeper_than_there_are_threads(self, server):
        def factorial(n: int) -> int:
            return n * caller().call("factorial", n - 1) if n > 1 else 1

        offered = Service(max_threads=2)
        offered.register(factorial)
        with connect(server.addresses[0], service=offered) as client:
            assert client.factorial(20) == 2_432_902_008_176_640_000

    def test_from_many_threads(self, server):
        with connect(server.addresses[0], service=self.offered()) as client:
            with concurrent.futures.ThreadPoolExecutor(8) as threads:
                found = list(threads.map(lambda n: client.ask("shout", f"text {n}"), range(200)))
            assert found == [f"TEXT {n}" for n in range(200)]

    def test_a_client_that_offers_nothing_says_so(self, client):
        with pytest.raises(RemoteError, match="'shout' method not found"):
            client.ask("shout", "hello")

    def test_more_calls_than_are_allowed_are_refused(self):
        def mood(conversation):
            conversation.error(conversation.next(), "what?")
            request = conversation.next()
            for msgid in range(100, 105):
                conversation.send(b"\x94\x00" + bytes([msgid]) + b"\xa4wait\x90")
            conversation.peer.heard += [conversation.next() for _ in range(3)]
            gate.set()
            conversation.peer.heard += [conversation.next() for _ in range(2)]
            conversation.answer(request, "done")

        gate = threading.Event()
        offered = Service(max_calls=2)
        offered.register(lambda: gate.wait(20), "wait")
        with Peer(mood) as peer, connect(peer.address, service=offered) as client:
            assert client.anything() == "done"
            assert sorted(peer.heard[:3]) == [
                [1, msgid, "too many calls are under way: wait was not begun", None] for msgid in (102, 103, 104)
            ]
            assert sorted(peer.heard[3:]) == [[1, 100, None, True], [1, 101, None, True]]

    def test_over_a_new_connection_too(self, server):
        with connect(server.addresses[0], service=self.offered()) as client:
            assert client.ask("shout", "one") == "ONE"
            client._link.conn.end("for the test")
            assert client.ask("shout", "two") == "TWO"

    def test_a_plain_peer_may_call_at_any_time(self):
        def mood(conversation):
            conversation.error(conversation.next(), "what?")
            request = conversation.next()
            conversation.send(b"\x94\x00\x07\xa5shout\x91\xa2hi" + b"\x94\x00\x08\xa5shout\x90")
            answers = sorted(conversation.next() for _ in range(2))
            conversation.peer.heard += answers
            conversation.answer(request, "done")
            conversation.send(b"\x94\x00\x09\xa5shout\x91\xa3yes")
            conversation.peer.heard.append(conversation.next())
            later.set()

        later = threading.Event()
        with Peer(mood) as peer, connect(peer.address, service=self.offered()) as client:
            assert client.anything() == "done"
            assert later.wait(20)
            first, second, third = peer.heard
            assert (first, third) == ([1, 7, None, "HI"], [1, 9, None, "YES"])
            assert second[:2] == [1, 8]
            assert "text" in second[2]

    def test_what_is_under_way_is_told_of_the_end(self, server, service):
        entered, ended = threading.Event(), threading.Event()

        def slow():
            entered.set()
            try:
                client.call("wait")
            finally:
                ended.set()

        client = connect(server.addresses[0], service=self.offered(slow=slow))
        future = client.submit("ask_nothing_of", "slow")
        assert entered.wait(20)
        client.close()
        with pytest.raises(ConnectionLost, match="was closed"):
            future.result()
        assert ended.wait(20)
        service.gate.set()

    def test_arguments_are_checked(self, server):
        with pytest.raises(TypeError, match="Service"):
            connect(server.addresses[0], service=object())
        with pytest.raises(ValueError, match="token"):
            connect(server.addresses[0], service=Service(self, token="x"))
