"""A client and a service of ours over HTTP: the same as over MessagePack, as far as the protocol goes."""

from __future__ import annotations

import asyncio
import dataclasses
import threading

import pytest

from elsewhere import (
    ArgumentError,
    CallTimeout,
    ConnectError,
    MethodNotFound,
    ProtocolError,
    RemoteError,
    Service,
    Unauthorized,
    connect,
    errors,
)
from elsewhere.rpc import caller
from elsewhere.transport.tls import TLS
from tests.contract.work import PATIENCE, until

BODIES = {"json": "", "xml": "RPC2"}


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Work:
    """What the service does; it tells what became of its calls."""

    def __init__(self):
        self.came = threading.Event()
        self.stopped = threading.Event()
        self.done = []

    def double(self, n: int) -> int:
        """Twice the number."""
        self.done.append(n)
        return 2 * n

    def move(self, point: Point, by: int = 1) -> Point:
        return Point(point.x + by, point.y)

    def echo(self, value):
        return value

    def size(self, data: bytes) -> int:
        return len(data)

    def fail(self, text: str):
        raise ValueError(text)

    def pass_on(self, name: str):
        """Raise what a call of its own would raise."""
        raise getattr(errors, name)("of another call")

    async def linger(self):
        self.came.set()
        try:
            await asyncio.sleep(PATIENCE)
        except asyncio.CancelledError:
            self.stopped.set()
            raise

    def stay(self):
        self.came.set()
        until(lambda: caller().gone, "the caller to go")
        self.stopped.set()


@pytest.fixture
def work():
    return Work()


@pytest.fixture
def served(work):
    service = Service(work, name="tested")
    service.register(work.double, "safe.double", idempotent=True)
    service.register(work.double, "quick", where="loop")
    with service.start("http://127.0.0.1:0") as running:
        yield running.addresses[0]


@pytest.fixture(params=BODIES)
def body(request):
    return request.param


@pytest.fixture
def client(served, body):
    with connect(served + BODIES[body], timeout=PATIENCE) as client:
        yield client


class TestCalls:
    def test_in_every_way(self, client):
        assert (client.double(1), client.call("quick", 2), client.safe.double(3)) == (2, 4, 6)
        assert [future.result() for future in [client.submit("double", number) for number in range(50)]] == [
            2 * number for number in range(50)
        ]

    def test_annotations_convert(self, client):
        assert client.move({"x": 1}, 5) == {"x": 6, "y": 0}
        with pytest.raises(ArgumentError, match=r"point\.x: expected int"):
            client.move({"x": "1"})

    def test_keywords(self, client):
        assert client.move({"x": 1}, by=2) == {"x": 3, "y": 0}
        assert client.move(point={"x": 1}, by=2) == {"x": 3, "y": 0}
        assert client.submit("move", {"x": 1}, by=3).result() == {"x": 4, "y": 0}
        with client.batch() as batch:
            batch.move({"x": 1}, by=2)
            batch.double(n=1)
        assert batch.results() == [{"x": 3, "y": 0}, 2]
        with pytest.raises(ArgumentError, match="takes no argument 'to'"):
            client.move({"x": 1}, to=2)
        with pytest.raises(MethodNotFound, match="nope"):
            client.nope(1, n=2)
        for wrong in (["double"], ["rpc.methods", [], {}], ["double", 1, {}], [1, [], {}], []):
            with pytest.raises((ArgumentError, MethodNotFound)):
                client.call("rpc.call", *wrong)

    def test_bytes(self, client, body):
        if body == "json":
            assert client.size("AAEC") == 3
            with pytest.raises(TypeError, match="base64"):
                client.size(b"abc")
        else:
            assert client.size(b"abc") == 3
            assert client.echo(b"\0" * 3_000_000) == b"\0" * 3_000_000

    def test_notifications_and_batches(self, client, work):
        client.notify("double", 5)
        with client.batch() as batch:
            batch.double(1)
            batch.notify("double", 6)
            batch.quick(2)
        assert batch.results() == [2, 4]
        until(lambda: sorted(work.done) == [1, 2, 5, 6])

    def test_methods_are_told(self, client):
        found = {each["name"]: each for each in client.methods()}
        assert found["double"] == {
            "name": "double", "signature": "(n: int) -> int", "doc": "Twice the number.", "idempotent": False,
        }  # fmt: skip
        assert found["safe.double"]["idempotent"]

    def test_many_threads(self, client):
        results = []
        threads = [
            threading.Thread(target=lambda: results.extend(client.double(number) for number in range(50)))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert sorted(results) == sorted([2 * number for number in range(50)] * 8)


class TestErrors:
    def test_of_the_method(self, client):
        with pytest.raises(RemoteError, match=r"fail at http.*ValueError: bad$") as caught:
            client.fail("bad")
        assert type(caught.value) is RemoteError

    @pytest.mark.parametrize("name", ["NeverStarted", "MethodNotFound", "ArgumentError", "CallTimeout", "WorkerLost"])
    def test_what_a_method_raises_never_says_that_it_did_not_run(self, client, name):
        with pytest.raises(errors.ElsewhereError) as caught:
            client.options(retry=2).pass_on(name)
        assert not isinstance(caught.value, (errors.NeverStarted, MethodNotFound, ArgumentError))

    def test_of_the_call(self, client):
        with pytest.raises(MethodNotFound, match="nope"):
            client.nope()
        with pytest.raises(ArgumentError, match="n: expected int"):
            client.double("x")
        for hidden in ("__class__", "echo.__globals__", "rpc.hello"):
            with pytest.raises(MethodNotFound):
                client.call(hidden)

    def test_another_path_is_named(self, served):
        with connect(f"{served}other") as client, pytest.raises(ProtocolError, match="404 Not Found"):
            client.double(1)

    def test_another_protocol_is_named(self, served):
        address = served.replace("http://", "tcp://").rstrip("/")
        with (
            connect(address) as client,
            pytest.raises(errors.ConnectionLost, match="an address of HTTP begins with http://"),
        ):
            client.double(1)

    def test_a_token(self, work, body):
        service = Service(work, token="hunter2")
        with service.start("http://127.0.0.1:0") as running:
            url = running.addresses[0] + BODIES[body]
            with connect(url, token="hunter2") as client:
                assert client.double(1) == 2
            with connect(url, user="anybody", password="hunter2") as client:
                assert client.double(2) == 4
            for wrong in ({"token": "hunter3"}, {"user": "u", "password": "p"}):
                with pytest.raises(Unauthorized, match="wants another token"):
                    connect(url, **wrong)
            with connect(url) as client, pytest.raises(Unauthorized, match="wants a token"):
                client.double(3)
        assert work.done == [1, 2]


class TestStopping:
    @pytest.mark.parametrize("method", ["linger", "stay"])
    def test_a_call_that_is_too_late_is_stopped(self, client, work, method):
        with pytest.raises(CallTimeout):
            client.options(timeout=1.0).call(method)
        assert work.stopped.wait(PATIENCE)
        assert client.double(1) == 2

    @pytest.mark.parametrize("method", ["linger", "stay"])
    def test_a_future_that_is_cancelled_is(self, client, work, method):
        future = client.submit(method)
        assert work.came.wait(PATIENCE)
        assert future.cancel()
        assert work.stopped.wait(PATIENCE)
        assert client.double(1) == 2

    @pytest.mark.parametrize("method", ["linger", "stay"])
    def test_so_are_the_calls_of_a_client_that_is_closed(self, served, body, work, method):
        client = connect(served + BODIES[body])
        client.submit(method)
        assert work.came.wait(PATIENCE)
        client.close()
        assert work.stopped.wait(PATIENCE)


class TestOtherWays:
    def test_over_tls(self, work, body, certificates):
        with Service(work).start("https://localhost:0", tls=TLS(cert=certificates.server)) as running:
            with connect(running.addresses[0] + BODIES[body], tls=TLS(ca=certificates.authority)) as client:
                assert client.double(1) == 2
                assert client.echo("x" * 3_000_000) == "x" * 3_000_000
                assert [future.result() for future in [client.submit("double", each) for each in range(20)]] == [
                    2 * each for each in range(20)
                ]
            with pytest.raises(ConnectError, match="not believed"):
                connect(running.addresses[0], tls=TLS(ca=certificates.stranger))
            with pytest.raises((ConnectError, ProtocolError, errors.ConnectionLost)):
                connect(running.addresses[0].replace("https", "http")).double(1)

    def test_beside_messagepack(self, work):
        with Service(work).start("http://127.0.0.1:0", "tcp://127.0.0.1:0") as running:
            for address in running.addresses:
                with connect(address) as client:
                    assert client.double(1) == 2

    def test_a_service_that_starts_again(self, work, body):
        service = Service(work)
        with service.start("http://127.0.0.1:0") as running:
            address = running.addresses[0]
            client = connect(address + BODIES[body])
            assert client.double(1) == 2
        with pytest.raises(ConnectError):
            client.double(2)
        with service.start(address):
            assert client.double(3) == 6
        client.close()
        assert work.done == [1, 3]
