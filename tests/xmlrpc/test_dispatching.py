"""Which function a name means, and what its outcome is answered with."""

from __future__ import annotations

import math
import types
import xml.parsers.expat
from xmlrpc.client import Fault

import pytest

from elsewhere.xmlrpc.client import MultiCall, ServerProxy, dumps, loads
from elsewhere.xmlrpc.server import (
    MultiPathXMLRPCServer,
    SimpleXMLRPCDispatcher,
    SimpleXMLRPCRequestHandler,
    list_public_methods,
    resolve_dotted_attribute,
)
from tests.xmlrpc.serving import body, simple, url


class Inner:
    math = math

    def __init__(self, outer):
        self.outer = outer

    def depth(self):
        return 2

    def steps(self):
        yield 1

    running = (one for one in (1, 2))


class Outer:
    number = 7

    def __init__(self):
        self.inner = Inner(self)

    def depth(self):
        return 1

    def _private(self):
        return "secret"

    @property
    def broken(self):
        raise ZeroDivisionError


@pytest.fixture
def dispatcher():
    return SimpleXMLRPCDispatcher()


def answer(dispatcher, method, *params):
    """The value of the answer to a call, through both bodies; raises its fault."""
    data = dispatcher._marshaled_dispatch(body(method, *params))
    xml.parsers.expat.ParserCreate().Parse(data, True)
    (value,), _ = loads(data)
    return value


def text_of(dispatcher, method, *params):
    with pytest.raises(Fault) as caught:
        answer(dispatcher, method, *params)
    assert caught.value.faultCode == 1
    return caught.value.faultString


class TestNames:
    def test_functions_come_before_the_instance(self, dispatcher):
        dispatcher.register_instance(Outer())
        assert answer(dispatcher, "depth") == 1
        dispatcher.register_function(lambda: 0, "depth")
        assert answer(dispatcher, "depth") == 0

    def test_a_decorator(self, dispatcher):
        @dispatcher.register_function
        def one():
            return 1

        @dispatcher.register_function(name="two")
        def _():
            return 2

        assert (one(), answer(dispatcher, "one"), answer(dispatcher, "two")) == (1, 1, 2)

    @pytest.mark.parametrize("dotted", [False, True])
    @pytest.mark.parametrize(
        "name",
        [
            "_private",
            "__class__",
            "__init__",
            "number",
            "nothing",
            "",
            ".",
            "depth.__func__",
            "inner._x",
            "broken",
            "a b",
        ],
    )
    def test_what_cannot_be_called(self, dispatcher, name, dotted):
        dispatcher.register_instance(Outer(), allow_dotted_names=dotted)
        request = body("x").replace(b">x<", f">{name}<".encode())
        with pytest.raises(Fault):
            loads(dispatcher._marshaled_dispatch(request))

    def test_what_is_no_function_is_not_tried(self, dispatcher):
        dispatcher.register_instance(Outer())
        assert text_of(dispatcher, "number") == "<class 'Exception'>:method \"number\" is not supported"

    def test_dots(self, dispatcher):
        dispatcher.register_instance(Outer())
        assert text_of(dispatcher, "inner.depth") == "<class 'Exception'>:method \"inner.depth\" is not supported"
        dispatcher.register_instance(Outer(), allow_dotted_names=True)
        assert answer(dispatcher, "inner.depth") == 2
        assert answer(dispatcher, "inner.outer.inner.outer.depth") == 1

    @pytest.mark.parametrize(
        "name", ["inner.math.sqrt", "inner.depth.im_func", "inner.running.gi_code", "inner.running.close"]
    )
    def test_dots_that_would_lead_to_everything(self, dispatcher, name):
        dispatcher.register_instance(Outer(), allow_dotted_names=True)
        assert "is not supported" in text_of(dispatcher, name, 4)
        with pytest.raises(AttributeError, match="attempt to look for"):
            resolve_dotted_attribute(Outer(), name)

    def test_a_module_may_be_the_instance(self, dispatcher):
        dispatcher.register_instance(math, allow_dotted_names=True)
        assert answer(dispatcher, "sqrt", 4) == 2
        package = types.ModuleType("package")
        package.math = math
        dispatcher.register_instance(package, allow_dotted_names=True)
        assert "is not supported" in text_of(dispatcher, "math.sqrt", 4)

    def test_lists_and_help(self, dispatcher):
        dispatcher.register_introspection_functions()
        dispatcher.register_instance(Outer(), allow_dotted_names=True)
        dispatcher.register_function(math.sqrt)
        assert list_public_methods(Outer()) == ["depth"]
        assert answer(dispatcher, "system.listMethods") == [
            "depth", "sqrt", "system.listMethods", "system.methodHelp", "system.methodSignature",
        ]  # fmt: skip
        assert answer(dispatcher, "system.methodHelp", "sqrt") == math.sqrt.__doc__
        assert answer(dispatcher, "system.methodHelp", "inner.math.sqrt") == ""
        assert answer(dispatcher, "system.methodSignature", "sqrt") == "signatures not supported"

    def test_an_instance_that_knows_better(self, dispatcher):
        class Knows:
            def _dispatch(self, method, params):
                return [method, list(params)]

            def _listMethods(self):
                return ["x"]

            def _methodHelp(self, method):
                return f"helps with {method}"

        dispatcher.register_introspection_functions()
        dispatcher.register_instance(Knows())
        assert answer(dispatcher, "__class__", 1) == ["__class__", [1]]
        assert "x" in answer(dispatcher, "system.listMethods")
        assert answer(dispatcher, "system.methodHelp", "x") == "helps with x"


class Speechless(Exception):
    def __str__(self):
        raise RuntimeError


class TestFaults:
    def raising(self, dispatcher, error):
        def fail():
            raise error

        dispatcher.register_function(fail)
        return dispatcher

    @pytest.mark.parametrize(
        ("error", "text"),
        [
            (ValueError("bad"), "<class 'ValueError'>:bad"),
            (ValueError("a\x00b\x1b[31m"), "<class 'ValueError'>:a\\x00b\\x1b[31m"),
            (ValueError("\ud800"), "<class 'ValueError'>:\\ud800"),
            (ValueError("<b>&\r\n"), "<class 'ValueError'>:<b>&\r\n"),
            (SystemExit(3), "<class 'SystemExit'>:3"),
            (Speechless(), f"<class '{__name__}.Speechless'>:"),
        ],
    )
    def test_an_exception(self, dispatcher, error, text):
        assert text_of(self.raising(dispatcher, error), "fail") == text

    def test_a_fault(self, dispatcher):
        with pytest.raises(Fault) as caught:
            answer(self.raising(dispatcher, Fault(42, "\x07of mine")), "fail")
        assert (caught.value.faultCode, caught.value.faultString) == (42, "\\x07of mine")

    @pytest.mark.parametrize(("code", "text"), [(2**40, "x"), (1, object), (None, "x"), (1, [None])])
    def test_a_fault_that_cannot_be_written(self, dispatcher, code, text):
        assert text_of(self.raising(dispatcher, Fault(code, text)), "fail").startswith("<class '")

    def test_an_interrupt_is_no_answer(self, dispatcher):
        with pytest.raises(KeyboardInterrupt):
            answer(self.raising(dispatcher, KeyboardInterrupt()), "fail")

    @pytest.mark.parametrize("value", ["\x00", "\ud800", 2**31, None, object(), {1: 2}, [[None]], {"\x01": 1}])
    @pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-15"])
    def test_a_value_that_cannot_be_written(self, value, encoding):
        dispatcher = SimpleXMLRPCDispatcher(encoding=encoding)
        dispatcher.register_function(lambda: value, "give")
        assert text_of(dispatcher, "give").startswith("<class '")

    def test_a_name_with_markup_and_one_that_is_none(self, dispatcher):
        assert text_of(dispatcher, "<script>&") == "<class 'Exception'>:method \"<script>&\" is not supported"
        data = dispatcher._marshaled_dispatch(b"<params></params>")
        assert b"has no methodName" in data

    def test_none_if_it_is_allowed(self):
        dispatcher = SimpleXMLRPCDispatcher(allow_none=True)
        dispatcher.register_function(lambda: None, "nothing")
        assert answer(dispatcher, "nothing") is None


class TestMulticall:
    def outcomes(self, dispatcher, *calls):
        dispatcher.register_multicall_functions()
        dispatcher.register_function(lambda: None, "nothing")
        dispatcher.register_function(pow)
        return answer(dispatcher, "system.multicall", list(calls))

    def test_each_call_has_its_own_outcome(self, dispatcher):
        good = {"methodName": "pow", "params": [2, 3]}
        found = self.outcomes(
            dispatcher,
            good,
            {"methodName": "nothing", "params": []},
            {"methodName": "pow", "params": ["x"]},
            {"methodName": "pow"},
            {"methodName": 5, "params": []},
            {"methodName": "pow", "params": "2"},
            "no call",
            {"methodName": "system.multicall", "params": [[good]]},
            good,
        )
        assert found[0] == found[-1] == [8]
        assert [one["faultCode"] for one in found[1:-1]] == [1] * 7
        assert "cannot marshal None" in found[1]["faultString"]
        assert "may not be called in system.multicall" in found[7]["faultString"]

    def test_through_the_client(self):
        with simple(pow) as server, ServerProxy(url(server)) as proxy:
            server.register_multicall_functions()
            calls = MultiCall(proxy)
            calls.pow(2, 3)
            calls.nowhere()
            results = calls()
            assert results[0] == 8
            with pytest.raises(Fault, match="not supported"):
                results[1]


class AnyPath(SimpleXMLRPCRequestHandler):
    rpc_paths = ()


def test_paths_have_dispatchers_of_their_own():
    with simple(kind=MultiPathXMLRPCServer, handler=AnyPath) as server:
        for path in ("/a", "/b"):
            assert server.add_dispatcher(path, SimpleXMLRPCDispatcher()) is server.get_dispatcher(path)
            server.get_dispatcher(path).register_function(lambda path=path: path, "where")
        base = url(server).removesuffix("/RPC2")
        for path in ("/a", "/b"):
            with ServerProxy(base + path) as proxy:
                assert proxy.where() == path
        with ServerProxy(f"{base}/c") as proxy, pytest.raises(Fault, match="KeyError"):
            proxy.where()


def test_dates_and_bytes_as_they_are_asked_for():
    from datetime import datetime
    from xmlrpc.client import Binary, DateTime

    moment = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001 - XML-RPC's have no zone
    for builtin, kinds in ((True, ["bytes", "datetime"]), (False, ["Binary", "DateTime"])):
        dispatcher = SimpleXMLRPCDispatcher(use_builtin_types=builtin)
        dispatcher.register_function(lambda *values: [type(value).__name__ for value in values], "kinds")
        assert answer(dispatcher, "kinds", Binary(b"x"), DateTime(moment)) == kinds


def test_text_and_bytes_are_both_bodies(dispatcher):
    dispatcher.register_function(pow)
    text = dumps((2, 5), "pow")
    assert dispatcher._marshaled_dispatch(text) == dispatcher._marshaled_dispatch(text.encode())
