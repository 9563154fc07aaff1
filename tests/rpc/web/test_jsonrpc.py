"""JSON-RPC 2.0 over HTTP by a peer of any make, wherever methods run."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import json

import pytest

from elsewhere import Pool, Service
from elsewhere.rpc import codes
from tests.contract import work
from tests.contract.work import Gate, until
from tests.rpc import serving
from tests.rpc.web.plain import Plain

WHERE = ["threads", "loop", "processes"]


@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.0


def size(data: bytes) -> int:
    return len(data)


def swap(pair: dict[str, bytes]) -> list[int]:
    return [each[0] for each in pair.values()]


def move(point: Point, by: int = 1) -> Point:
    return Point(point.x + by, point.y)


def when() -> dt.datetime:
    return dt.datetime(2026, 11, 25, 19, 15, tzinfo=dt.UTC)


def blow(size: int) -> str:
    return "x" * size


def infinite() -> float:
    return float("inf")


@pytest.fixture(scope="module", params=WHERE)
def where(request):
    return request.param


@pytest.fixture(scope="module")
def pool(where):
    if where != "processes":
        yield None
        return
    with Pool(2) as pool:
        until(lambda: len(set(pool.map(work.pid_of, range(50)))) == 2)  # both are there before the first look for leaks
        yield pool


@pytest.fixture
def service(where, pool):
    service = serving.service_of(where, pool=pool)
    for fn in (size, swap, move, when, infinite):
        service.register(fn, where=where)
    return service


@pytest.fixture
def server(service):
    with service.start("http://127.0.0.1:0") as server:
        yield server


@pytest.fixture
def peer(server):
    with Plain(server.addresses[0]) as peer:
        yield peer


def test_a_value(peer):
    found = peer.jsonrpc({"jsonrpc": "2.0", "method": "double", "params": [21], "id": "a"})
    assert (found.status, found.json) == (200, {"jsonrpc": "2.0", "result": 42, "id": "a"})
    assert found.headers["Content-Type"] == "application/json"
    assert found.headers[codes.OURS] == "1"
    assert found.headers["Date"]


def test_many_calls_on_one_connection(peer):
    sock = None
    for n in range(20):
        assert peer.result("double", n) == 2 * n
        sock = sock or peer.http.sock
        assert peer.http.sock is sock


def test_arguments_by_name(peer):
    assert peer.result("join", first="a", sep="-") == "a"
    assert peer.result("move", point={"x": 1, "y": 2.5}, by=2) == {"x": 3, "y": 2.5}
    error = peer.error("move", point={"x": 1}, far=2)
    assert error["code"] == -32602
    assert "takes no argument 'far'" in error["message"]


def test_arguments_are_checked_before_it_runs(peer, service):
    error = peer.error("double", "x")
    assert error == {
        "code": -32602,
        "message": "double: n: expected int, got str",
        "data": {"kind": "arguments", "type": "elsewhere.errors.ArgumentError"},
    }
    assert service.statistics()["double"].calls == 0


def test_no_such_method(peer):
    error = peer.error("<script>")
    assert error["code"] == -32601
    assert error["data"]["kind"] == "method"
    for name in ("__class__", "double.__call__", "rpc.hello", "_told"):
        assert peer.error(name)["code"] == -32601


def test_the_methods_own_exception(peer, service):
    error = peer.error("fail", "bad")
    assert error == {"code": -32000, "message": "bad", "data": {"kind": "error", "type": "builtins.ValueError"}}
    assert service.statistics()["fail"].errors == 1


def test_a_failure_that_the_method_passes_on_is_its_own(where, peer, service):
    service.register(serving.pass_on, where=where)
    assert peer.error("pass_on", "NeverStarted")["data"]["kind"] == "error"


def test_bytes_go_in_as_base64_and_do_not_come_out(peer):
    assert peer.result("size", base64.b64encode(bytes(1000)).decode()) == 1000
    assert peer.result("swap", {"a": base64.b64encode(b"\x07").decode(), "b": "/w=="}) == [7, 255]
    error = peer.error("size", "no base64!")
    assert error["code"] == -32602
    assert "expected bytes, as base64" in error["message"]
    error = peer.error("big", 10)
    assert error["data"]["kind"] == "error"
    assert "JSON has no bytes" in error["message"]
    assert "has run" in error["message"]


def test_results_that_json_has_no_type_for(peer):
    assert peer.result("when") == "2026-11-25T19:15:00+00:00"
    error = peer.error("infinite")
    assert "has run, but its result cannot be sent" in error["message"]


def test_what_cannot_be_sent_at_all(where, peer):
    if where == "processes":
        return  # it does not even come out of there
    assert "cannot be sent" in peer.error("thing")["message"]


def test_a_notification_is_not_answered_and_runs(peer, tmp_path):
    gate = Gate(tmp_path / "gate")
    found = peer.jsonrpc({"jsonrpc": "2.0", "method": "wait_at", "params": [str(gate.folder), "it"]})
    assert (found.status, found.body) == (204, b"")
    gate.wait_for("came", "it")
    gate.open()
    gate.wait_for("left", "it")
    assert peer.result("double", 1) == 2


def test_a_notification_that_fails_is_logged(peer, caplog):
    assert peer.jsonrpc({"jsonrpc": "2.0", "method": "fail", "params": ["bad"]}).status == 204
    until(lambda: "the notification 'fail'" in caplog.text)
    assert peer.jsonrpc({"jsonrpc": "2.0", "method": "nothing"}).status == 204
    assert len(caplog.records) == 1


def test_a_batch(peer):
    calls = [
        {"jsonrpc": "2.0", "method": "double", "params": [1], "id": 1},
        {"jsonrpc": "2.0", "method": "double", "params": [2]},
        {"jsonrpc": "2.0", "method": "fail", "params": ["x"], "id": 2},
        {"jsonrpc": "1.0", "method": "double", "id": 3},
        7,
        {"jsonrpc": "2.0", "method": "nothing", "id": None},
    ]
    found = peer.jsonrpc(calls).json
    assert [each["id"] for each in found] == [1, 2, 3, None, None]
    assert found[0]["result"] == 2
    assert [each["error"]["code"] for each in found[1:]] == [-32000, -32600, -32600, -32601]


def test_a_batch_of_notifications_has_no_answer(peer):
    found = peer.jsonrpc([{"jsonrpc": "2.0", "method": "double", "params": [n]} for n in range(5)])
    assert (found.status, found.body) == (204, b"")


def test_a_large_batch(peer, service):
    calls = [{"jsonrpc": "2.0", "method": "double", "params": [n], "id": n} for n in range(300)]
    assert [each["result"] for each in peer.jsonrpc(calls).json] == [2 * n for n in range(300)]
    assert service.statistics()["double"].calls == 300
    calls = [calls[0]] * 1001
    assert "1,001 calls is above the limit" in peer.jsonrpc(calls).json["error"]["message"]


def test_calls_of_a_batch_run_at_the_same_time(peer, tmp_path):
    gates = [Gate(tmp_path / name) for name in "ab"]
    calls = [
        {"jsonrpc": "2.0", "method": "wait_at", "params": [str(gate.folder), "it"], "id": n}
        for n, gate in enumerate(gates)
    ]
    peer.http.request("POST", "/jsonrpc", json.dumps(calls), {"Content-Type": "application/json"})
    for gate in gates:
        gate.wait_for("came", "it")
    for gate in gates:
        gate.open()
    assert [each["result"] for each in peer.answer().json] == ["it", "it"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"\xff", -32700),
        (b'{"jsonrpc": "2.0", "method": "double", "params": [NaN], "id": 1}', -32700),
        (b"[" * 100_000, -32700),
        (b"[]", -32600),
        (b"7", -32600),
        (b'{"jsonrpc": "2.0", "method": 7, "id": 1}', -32600),
        (b'{"jsonrpc": "2.0", "method": "double", "params": 7, "id": 1}', -32600),
    ],
)
def test_what_is_no_request(peer, body, code):
    found = peer.jsonrpc(body)
    assert (found.status, found.json["error"]["code"]) == (200, code)
    assert peer.result("double", 2) == 4


def test_our_own_clients_limit_the_time(peer, tmp_path):
    gate = Gate(tmp_path / "gate")
    call = {"jsonrpc": "2.0", "method": "wait_at", "params": [str(gate.folder), "it"], "id": 1}
    error = peer.jsonrpc(call, **{codes.TIMEOUT: "0.2"}).json["error"]
    assert error["code"] == -32001
    assert error["data"]["kind"] == "timeout"
    gate.open()
    for nonsense in ("nan", "-1", "soon", "1e300"):
        assert peer.jsonrpc(call, **{codes.TIMEOUT: nonsense}).json["result"] == "it"


def test_methods_are_told(peer, service):
    assert peer.result("rpc.methods") == service.methods()


def test_tracebacks_only_where_the_service_allows_them(where, pool):
    service = Service(traceback=True, pool=pool)
    service.register(serving.fail, where=where)
    with service.start("http://127.0.0.1:0") as server, Plain(server.addresses[0]) as peer:
        assert "raise ValueError(text)" in peer.error("fail", "bad")["data"]["traceback"]


def test_a_large_argument_and_a_large_result(peer):
    text = "ä" * 500_000
    assert peer.result("echo", text) == text
    assert peer.result("echo", [1] * 200_000) == [1] * 200_000


def test_a_batch_ends_where_its_answer_is_too_large(where, pool):
    service = Service(max_size=1_000_000, pool=pool)
    service.register(blow, where=where)
    with service.start("http://127.0.0.1:0") as server, Plain(server.addresses[0]) as peer:
        calls = [{"jsonrpc": "2.0", "method": "blow", "params": [90_000], "id": n} for n in range(500)]
        found = peer.jsonrpc(calls).json
        assert "above the limit of 1,000,000 bytes after" in found["error"]["message"]
        assert service.statistics()["blow"].calls < 500


def test_a_result_above_the_limit_is_an_error(where, pool):
    service = Service(max_size=100_000, pool=pool)
    service.register(blow, where=where)
    with service.start("http://127.0.0.1:0") as server, Plain(server.addresses[0]) as peer:
        assert "above the limit of 100,000" in peer.error("blow", 100_000)["message"]
        assert peer.result("blow", 3) == "xxx"
