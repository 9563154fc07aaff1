"""The names of the original, and the ways to stand in for it."""

from __future__ import annotations

import copy
import inspect
import os
import subprocess
import sys
import types
import xmlrpc.client as original
from typing import Any

import pytest

import elsewhere.xmlrpc as _package
from elsewhere.xmlrpc import client as _client
from tests.xmlrpc.raw import BOUND, RawServer, numbered

package: Any = _package
client: Any = _client
NAMES = sorted(
    name
    for name, value in vars(original).items()
    if not name.startswith("_")
    and not isinstance(value, types.ModuleType)
    and name not in {"BytesIO", "Decimal", "datetime"}
)
CLASSES = [name for name in NAMES if isinstance(vars(original)[name], type) and name != "boolean"]


def run(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", *args],
        capture_output=True,
        text=True,
        check=False,
        timeout=BOUND,
        env={**os.environ, **environment},
    )


class TestNames:
    @pytest.mark.parametrize("name", NAMES)
    def test_each_is_there(self, name):
        assert name in client.__all__
        assert hasattr(client, name)
        assert hasattr(package, name)
        assert name in package.__all__

    @pytest.mark.parametrize("name", CLASSES)
    def test_classes_have_what_the_originals_have(self, name):
        missing = [
            member
            for member in vars(getattr(original, name))
            if not member.startswith("_") and not hasattr(getattr(client, name), member)
        ]
        assert not missing

    @pytest.mark.parametrize(
        "name",
        [
            *(name for name in CLASSES if name not in {"Boolean", "Error", "ResponseError"}),
            "dumps",
            "loads",
            "getparser",
        ],
    )
    def test_arguments_are_those_of_the_original(self, name):
        ours, theirs = (inspect.signature(getattr(module, name)).parameters for module in (client, original))
        assert list(ours)[: len(theirs)] == list(theirs)
        for parameter in theirs.values():
            assert ours[parameter.name].kind == parameter.kind
            assert (ours[parameter.name].default is parameter.empty) == (parameter.default is parameter.empty)

    def test_what_else_programs_take_is_the_originals(self):
        assert client.expat is original.expat
        assert client._Method is not None
        with pytest.raises(AttributeError):
            _ = client.nothing_of_this_name


class TestProxy:
    def test_an_address_that_is_none(self):
        for url in ("ftp://x/", "x", "", "unix:///run/x"):
            with pytest.raises(OSError, match="http"):
                client.ServerProxy(url)

    def test_python_asks_it_for_what_no_server_has(self):
        with RawServer(numbered) as server, client.ServerProxy(server.url) as proxy:
            copy.copy(proxy)
            for name in ("__len__", "__array__", "__deepcopy__"):
                assert not hasattr(proxy, name)
            with pytest.raises(AttributeError, match="nothing"):
                proxy("nothing")
            assert getattr(proxy, "odd-name")() == 1
            assert not server.requests[1:]

    def test_several_values_are_a_tuple(self):
        def visit(visitor):
            visitor.request()
            visitor.send(client.dumps((1, 2)).join(["<methodResponse>", "</methodResponse>"]).encode())

        with RawServer(visit) as server, client.ServerProxy(server.url) as proxy:
            assert proxy.a() == (1, 2)


class TestMultiCall:
    @staticmethod
    def answering(value):
        def visit(visitor):
            visitor.request()
            visitor.answer(value)

        return RawServer(visit)

    def test_calls_and_outcomes(self):
        answer = [[1], {"faultCode": 4, "faultString": "no"}, [[2]]]
        with self.answering(answer) as server, client.ServerProxy(server.url) as proxy:
            multicall = client.MultiCall(proxy)
            multicall.a(1)
            multicall.b.c()
            multicall.d("x")
            outcomes = multicall()
        assert (outcomes[0], outcomes[2]) == (1, [2])
        with pytest.raises(client.Fault, match="no"):
            outcomes[1]
        [request] = server.requests
        assert client.loads(request.body) == (
            (
                [
                    {"methodName": "a", "params": [1]},
                    {"methodName": "b.c", "params": []},
                    {"methodName": "d", "params": ["x"]},
                ],
            ),
            "system.multicall",
        )

    @pytest.mark.parametrize("value", [1, [], [[1], [2]], {"a": 1}])
    def test_an_answer_that_is_none(self, value):
        with self.answering(value) as server, client.ServerProxy(server.url) as proxy:
            multicall = client.MultiCall(proxy)
            multicall.a()
            with pytest.raises(client.ResponseError, match="multicall"):
                multicall()

    @pytest.mark.parametrize("outcome", [1, {"faultCode": 1}, {"a": 1}, [], [1, 2]])
    def test_an_outcome_that_is_none(self, outcome):
        with self.answering([outcome]) as server, client.ServerProxy(server.url) as proxy:
            multicall = client.MultiCall(proxy)
            multicall.a()
            outcomes = multicall()
            with pytest.raises(ValueError, match="unexpected type"):
                outcomes[0]


PROGRAM = """
import sys, xmlrpc.client
from xmlrpc import client
from xmlrpc.client import *
from xmlrpc.client import ServerProxy, Transport
assert xmlrpc.client is client and client.__name__ == "elsewhere.xmlrpc.client", client
assert client.ServerProxy is ServerProxy
print(*sys.argv[1:], __name__)
"""


class TestInstall:
    def test_install(self):
        done = run("-c", "import elsewhere.xmlrpc as x; x.install(); x.install()\n" + PROGRAM, "a")
        assert (done.stdout, done.stderr) == ("a __main__\n", "")

    def test_a_script(self, tmp_path):
        script = tmp_path / "program.py"
        script.write_text(PROGRAM)
        done = run("-m", "elsewhere.xmlrpc", str(script), "a", "--b")
        assert (done.stdout, done.stderr, done.returncode) == ("a --b __main__\n", "", 0)

    def test_a_module(self, tmp_path):
        (tmp_path / "program.py").write_text(PROGRAM)
        path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH", "")]))
        done = run("-m", "elsewhere.xmlrpc", "-m", "program", "a", PYTHONPATH=path)
        assert (done.stdout, done.stderr, done.returncode) == ("a __main__\n", "", 0)

    def test_what_is_no_script(self):
        for args in ([], ["-m"], ["/nowhere.py"]):
            done = run("-m", "elsewhere.xmlrpc", *args)
            assert done.returncode == 2
            assert "elsewhere.xmlrpc" in done.stderr
            assert "Traceback" not in done.stderr

    def test_what_was_imported_before_knows_the_same_faults(self):
        program = """
import xmlrpc.client as before
import elsewhere.xmlrpc
elsewhere.xmlrpc.install()
import xmlrpc.client as after
assert before is not after and before.Fault is after.Fault and before.Binary is after.Binary
"""
        assert run("-c", program).stderr == ""
