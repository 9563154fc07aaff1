"""XML-RPC over HTTP, spoken with Python's own client, wherever methods run."""

from __future__ import annotations

import datetime as dt
import gzip
import xmlrpc.client
from xmlrpc.client import Fault, MultiCall, ServerProxy

import pytest

from elsewhere import Pool, Service
from tests.contract import work
from tests.contract.work import until
from tests.rpc import serving
from tests.rpc.web.plain import XML, Plain

WHERE = ["threads", "loop", "processes"]


def typed(number: int, text: str = "", *, more: bool = False) -> list[int]:
    """Has a signature.

    And a second paragraph.
    """
    return [number]


def open_ended(*numbers: int) -> dict[str, int]:
    return {"sum": sum(numbers)}


def nothing() -> None:
    pass


def bad_text() -> str:
    return "a\x00b"


def long_text() -> str:
    return "x" * 90_000


def large() -> int:
    return 2**70


def own_fault() -> None:
    raise Fault(404, "<not found>")


@pytest.fixture(scope="module", params=WHERE)
def where(request):
    return request.param


@pytest.fixture(scope="module")
def pool(where):
    if where != "processes":
        yield None
        return
    with Pool(2) as pool:
        until(lambda: len(set(pool.map(work.pid_of, range(50)))) == 2)
        yield pool


@pytest.fixture
def service(where, pool):
    service = serving.service_of(where, pool=pool)
    for fn in (typed, open_ended, nothing, bad_text, large, own_fault):
        service.register(fn, where=where)
    service.register(serving.double, "math.double", where=where)
    return service


@pytest.fixture
def server(service):
    with service.start("http://127.0.0.1:0") as server:
        yield server


@pytest.fixture(params=["", "RPC2"])
def proxy(server, request):
    with ServerProxy(server.addresses[0] + request.param, allow_none=True, use_builtin_types=True) as proxy:
        yield proxy


NOON = dt.datetime(2026, 11, 25, 12)  # noqa: DTZ001 - XML-RPC knows no zones
BEYOND = [2**40, -(2**63), "ä <&> \r\n"]
VALUES = [
    *BEYOND, 0, -(2**31), True, False, 1.5, "", "ä <&>", b"\x00\xff", None, [], [1, [2, []]], {},
    {"a": {"b": [None]}}, NOON, "x" * 100_000, b"y" * 300_000,
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:30])
def test_values_there_and_back(server, value):
    with Plain(server.addresses[0]) as peer:
        found = peer.xmlrpc("echo", value)
    assert found == value
    assert type(found) is type(value)
    if value in BEYOND:
        return  # it sends no i8, and XML makes a line feed of the carriage return that it does not escape
    with ServerProxy(server.addresses[0], allow_none=True, use_builtin_types=True) as proxy:
        assert proxy.echo(value) == value


def test_a_dotted_name_is_a_name(proxy):
    assert proxy.math.double(4) == 8


@pytest.mark.parametrize(
    "name", ["nowhere", "<script>alert(1)</script>", "__class__", "double.__class__", "rpc.hello", "math"]
)
def test_no_such_method(server, name):
    with Plain(server.addresses[0]) as peer:
        fault = peer.xmlrpc(name)
    assert fault.code == -32601
    assert fault.text == f"{name!r} method not found"


def test_faults(proxy):
    with pytest.raises(Fault) as caught:
        proxy.fail("<bad> & worse")
    assert (caught.value.faultCode, caught.value.faultString) == (-32000, "ValueError: <bad> & worse")
    with pytest.raises(Fault) as caught:
        proxy.double("x")
    assert (caught.value.faultCode, caught.value.faultString) == (-32602, "double: n: expected int, got str")


def test_a_fault_of_its_own(where, proxy):
    if where == "processes":
        return  # a Fault of the standard library's cannot be pickled
    with pytest.raises(Fault) as caught:
        proxy.own_fault()
    assert (caught.value.faultCode, caught.value.faultString) == (404, "<not found>")


def test_what_xml_cannot_hold_is_a_fault(proxy):
    for name, words in (("bad_text", "cannot hold"), ("large", "64 bits")):
        with pytest.raises(Fault) as caught:
            getattr(proxy, name)()
        assert f"{name} has run, but its result cannot be sent" in caught.value.faultString
        assert words in caught.value.faultString


def test_introspection(proxy, service):
    names = proxy.system.listMethods()
    assert set(service._registry.methods) < set(names)
    assert {"system.listMethods", "system.multicall", "system.methodHelp", "system.methodSignature"} < set(names)
    assert proxy.system.methodHelp("typed") == "Has a signature.\n\nAnd a second paragraph."
    assert proxy.system.methodHelp("system.listMethods") == ""
    assert proxy.system.methodSignature("typed") == [["array", "int"], ["array", "int", "string"]]
    assert proxy.system.methodSignature("nothing") == [["nil"]]
    assert proxy.system.methodSignature("open_ended") == "undef"
    for name in ("system.methodHelp", "system.methodSignature"):
        for args in ([], [7], ["nothing at all"], ["typed", "double"]):
            with pytest.raises(Fault):
                getattr(proxy, name)(*args)


def test_multicall(proxy):
    multi = MultiCall(proxy)
    multi.double(2)
    multi.fail("x")
    multi.system.listMethods()
    multi.bad_text()
    multi.double(3)
    found = multi()
    assert found[0] == 4
    with pytest.raises(Fault, match="ValueError: x"):
        found[1]
    assert "double" in found[2]
    with pytest.raises(Fault, match="cannot be sent"):
        found[3]
    assert found[4] == 6


def test_a_multicall_that_is_none(proxy):
    for args in ([], [7], [[], []]):
        with pytest.raises(Fault):
            proxy.system.multicall(*args)
    found = proxy.system.multicall([
        7, {"methodName": "system.multicall", "params": [[]]}, {"methodName": "double", "params": [1]},
    ])  # fmt: skip
    assert [type(each) for each in found] == [dict, dict, list]
    with pytest.raises(Fault, match="above the limit of 1,000"):
        proxy.system.multicall([{"methodName": "double", "params": [1]}] * 1001)


def test_a_multicall_ends_where_its_answer_is_too_large(where, pool):
    service = Service(max_size=1_000_000, pool=pool)
    service.register(long_text, where=where)
    with service.start("http://127.0.0.1:0") as server, ServerProxy(server.addresses[0]) as proxy:
        calls = [{"methodName": "long_text", "params": []}] * 500
        with pytest.raises(Fault, match="above the limit of 1,000,000 bytes after 12 of 500 calls"):
            proxy.system.multicall(calls)
        assert service.statistics()["long_text"].calls == 12
        assert len(proxy.system.multicall(calls[:10])) == 10


def test_a_method_of_a_reserved_name_goes_before_ours():
    service = Service()
    service.register(lambda: ["mine"], "system.listMethods")
    with service.start("http://127.0.0.1:0") as server, ServerProxy(server.addresses[0]) as proxy:
        assert proxy.system.listMethods() == ["mine"]


def test_answers_are_compressed_for_who_takes_that(server):
    body = xmlrpc.client.dumps(("x" * 5000,), "echo").encode()
    with Plain(server.addresses[0]) as peer:
        assert "Content-Encoding" not in peer.post("/RPC2", body, XML).headers
        found = peer.post("/RPC2", body, {**XML, "Accept-Encoding": "gzip"})
        assert found.headers["Content-Encoding"] == "gzip"
        assert b"xxxxx" in gzip.decompress(found.body)


def test_requests_may_be_compressed(server):
    body = xmlrpc.client.dumps(("x" * 5000,), "echo").encode()
    with Plain(server.addresses[0]) as peer:
        found = peer.post("/RPC2", gzip.compress(body), {**XML, "Content-Encoding": "gzip"})
        assert b"xxxxx" in found.body


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"hello", -32700),
        (b"<methodCall><methodName>double</methodName>", -32700),
        (b"<html/>", -32600),
        (b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'b'>]><methodCall/>", -32600),
        (b"<methodCall><methodName>echo</methodName><params><param>" + b"<value><array><data>" * 100_000, -32600),
    ],
)  # fmt: skip
def test_what_is_no_call(server, body, code):
    with Plain(server.addresses[0]) as peer:
        found = peer.post("/RPC2", body, XML)
        assert found.status == 200
        with pytest.raises(Fault) as caught:
            xmlrpc.client.loads(found.body)
        assert caught.value.faultCode == code
        assert peer.result("double", 2) == 4
