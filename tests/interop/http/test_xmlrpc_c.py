"""The `xmlrpc` command of xmlrpc-c (in C), which calls our servers, and the standard library's."""

from __future__ import annotations

import subprocess

import pytest

from tests.interop.http.peers import SERVERS, SERVICES, serving
from tests.interop.peers import BOUND
from tests.require import require


@pytest.fixture(params=SERVERS)
def call(request):
    program = require(program="xmlrpc", install=".ci/peers xmlrpc")

    def call(*words):
        return subprocess.run(
            [program, url, *words], capture_output=True, text=True, check=False, timeout=BOUND, encoding="utf-8"
        )

    with serving(request.param) as base:
        url = base + "/RPC2"
        yield call


@pytest.mark.parametrize(
    ("argument", "shown"),
    [
        ("i/-7", "Integer: -7"),
        ("d/2.5", "Floating Point: 2.500000"),
        ("b/true", "Boolean: TRUE"),
        ("s/text <&>", "String: 'text <&>'"),
        ("s/ä", r"String: '\xc3\xa4'"),
        ("h/00ff0d0a", "Bit string: 00ff0d0a"),
        ("n/", "Nil"),
    ],
)
def test_values_go_there_and_back(call, argument, shown):
    done = call("echo", argument)
    assert (done.returncode, done.stdout.split("\n", 2)[2].strip()) == (0, shown), done.stderr


def test_arrays_come_back(call):
    done = call("pair", "i/1", "s/b")
    assert done.returncode == 0, done.stderr
    assert "Array of 2 items" in done.stdout
    assert "String: 'b'" in done.stdout


def test_an_error_is_told(call):
    done = call("fail", "s/so")
    assert done.returncode == 1
    assert "ValueError" in done.stderr
    assert "so" in done.stderr
    assert "fault code" in done.stderr


def test_an_unknown_method_is_told(call):
    done = call("zzz")
    assert done.returncode == 1
    assert "zzz" in done.stderr


def test_it_lists_methods(call):
    assert "'double'" in call("system.listMethods").stdout


@pytest.mark.parametrize("kind", SERVICES)
def test_whole_numbers_of_64_bits(kind):
    """The standard library's server cannot answer these, and the drop-in does as that does."""
    program = require(program="xmlrpc", install=".ci/peers xmlrpc")
    with serving(kind) as url:
        for number in (5_000_000_000, 2**63 - 1, -(2**63)):
            done = subprocess.run(
                [program, url + "/RPC2", "echo", f"I/{number}"],
                capture_output=True,
                text=True,
                check=False,
                timeout=BOUND,
            )
            assert done.returncode == 0, done.stderr
            assert f"64-bit integer: {number}" in done.stdout.lower().replace("\n", " ") or str(number) in done.stdout
