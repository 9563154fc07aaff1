"""Python's own xmlrpc.client and SimpleXMLRPCServer, with our servers and our clients, and with each other."""

from __future__ import annotations

import threading
import xmlrpc.client

import pytest

from tests.interop.http.peers import CLIENTS, LARGE, SERVERS, VALUES, calling, failure, serving, xmlrpc_module

# With the standard library on one side or on both.
PAIRS = [
    *(("standard", server) for server in SERVERS),
    *((client, "standard") for client in CLIENTS if client != "standard"),
]


@pytest.fixture(params=PAIRS, ids="-".join)
def call(request):
    client, server = request.param
    with serving(server) as url, calling(client, url + "/RPC2") as call:
        yield call


@pytest.fixture(params=SERVERS)
def url(request):
    with serving(request.param) as url:
        yield url + "/RPC2"


def test_values_go_there_and_back(call):
    for value in VALUES:
        found = call("echo", value)
        assert (found, type(found)) == (value, type(value))


def test_they_are_what_they_were_when_they_arrive(call):
    assert [call("kind", value) for value in (1, True, 2.5, "a", b"a", [1], {"a": 1}, None)] == [
        "int",
        "bool",
        "float",
        "str",
        "bytes",
        "list",
        "dict",
        "NoneType",
    ]


def test_nothing_is_a_value(call):
    assert call("nothing") is None
    assert call("echo", [None]) == [None]


def test_several_arguments(call):
    assert call("pair", 1, "b") == [1, "b"]


@pytest.mark.parametrize("value", LARGE, ids=["ascii", "text", "bytes", "list"])
def test_large_values(call, value):
    assert call("echo", value) == value


def test_an_error_has_its_text(call):
    assert "so <&>" in failure(call, "fail", "so <&>")
    assert call("double", 2) == 4


def test_an_unknown_method_is_told(call):
    assert "zzz" in failure(call, "zzz")
    assert call("double", 2) == 4


def test_wrong_arguments_are_told(call):
    assert "argument" in failure(call, "double", 1, 2)


def test_a_call_after_the_other_and_many_clients(url):
    failed = []

    def calls():
        try:
            with xmlrpc.client.ServerProxy(url) as proxy:
                assert [proxy.double(n) for n in range(50)] == [2 * n for n in range(50)]
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=calls) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_the_standard_multicall(url):
    with xmlrpc.client.ServerProxy(url) as proxy:
        calls = xmlrpc.client.MultiCall(proxy)
        calls.double(2)
        calls.fail("so")
        calls.zzz()
        calls.pair(1, 2)
        found = calls()
        assert found[0] == 4
        with pytest.raises(xmlrpc.client.Fault, match="so"):
            found[1]
        with pytest.raises(xmlrpc.client.Fault, match="zzz"):
            found[2]
        assert found[3] == [1, 2]


def test_introspection(url):
    with xmlrpc.client.ServerProxy(url) as proxy:
        assert {"double", "echo", "system.listMethods", "system.methodHelp"} <= set(proxy.system.listMethods())
        assert proxy.system.methodHelp("echo") == "The value, as it came."
        assert proxy.system.methodSignature("echo")
        assert proxy.system.methodHelp("double") == ""


def test_our_multicall_and_the_standard_server():
    module = xmlrpc_module("drop-in")
    with serving("standard") as url, module.ServerProxy(url) as proxy:
        calls = module.MultiCall(proxy)
        calls.double(2)
        calls.fail("so")
        found = calls()
        assert found[0] == 4
        with pytest.raises(module.Fault, match="so"):
            found[1]


def test_our_batch_and_the_standard_server():
    import elsewhere

    with serving("standard") as url, elsewhere.connect(f"xmlrpc+{url}/RPC2") as client:
        with client.batch() as batch:
            two = batch.double(2)
            failing = batch.fail("so")
            three = batch.double(3)
        assert (two.result(), three.result()) == (4, 6)
        assert "so" in str(failing.exception())
        assert client.system.listMethods()
