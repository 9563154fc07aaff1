"""Perl's XMLRPC::Lite, as a client of ours and as a server."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.interop.http.peers import CLIENTS, MOMENT, SERVERS, calling, failure, serving
from tests.interop.peers import BOUND, line_of, program
from tests.require import require

SCRIPT = Path(__file__).parent / "session.pl"


@pytest.fixture(scope="module")
def perl():
    program = require(program="perl", install=".ci/peers perl")
    if subprocess.run(
        [program, "-MXMLRPC::Lite", "-MHTTP::Daemon", "-e1"], check=False, capture_output=True
    ).returncode:
        require(file="usr/share/perl5/XMLRPC/Lite.pm", install=".ci/peers perl")
    return program


@pytest.mark.parametrize("kind", SERVERS)
def test_it_calls_us(perl, kind):
    with serving(kind) as url:
        done = subprocess.run(
            [perl, SCRIPT, "client", url + "/RPC2"], capture_output=True, check=False, timeout=BOUND, text=True
        )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.replace("\0", "0").splitlines()
    failed, unknown = lines.pop(-3), lines.pop(-2)
    assert failed.startswith("fault ")
    assert "so" in failed
    assert unknown.startswith("fault ")
    assert "zzz" in unknown
    assert lines == [
        "value 16",
        "value 4.5",
        "value text <&>",
        "value raw0",
        "value bool",
        "value datetime",
        "value int",  # it sends five billion as an <int>
        "count 2",
        "length 1000000",
        "value 2",
    ]


@pytest.mark.parametrize("kind", CLIENTS)
def test_we_call_it(perl, kind):
    with program(perl, SCRIPT, "server") as child, calling(kind, f"http://127.0.0.1:{line_of(child)}/") as call:
        assert call("Methods.double", 8) == 16
        assert call("Methods.pair", 1, "b") == [1, "b"]
        for value in ("text <&>", 2.5, [1, ["a"]], {"a": {"b": "c"}}):
            assert call("Methods.echo", value) == value
        assert len(call("Methods.echo", "x" * 100_000)) == 100_000
        assert call("Methods.raw") == b"\x00\xff\r\n"
        assert call("Methods.large") == 5_000_000_000
        assert call("Methods.echo", MOMENT) == MOMENT
        assert "so" in failure(call, "Methods.fail", "so")
        assert failure(call, "Methods.zzz")
        assert call("Methods.double", 1) == 2
