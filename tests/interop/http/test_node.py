"""Node's xmlrpc, as a client of ours and as a server."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.interop.http.peers import CLIENTS, MOMENT, SERVERS, calling, failure, serving
from tests.interop.peers import BOUND, line_of, program
from tests.require import require

SCRIPT = Path(__file__).parent / "session.js"


@pytest.fixture(scope="module")
def node():
    """The program, and its environment."""
    packages = require(file=".venv-node/node_modules/xmlrpc", install=".ci/peers node").parent
    return require(program="node", install=".ci/peers node"), {**os.environ, "NODE_PATH": str(packages)}


@pytest.mark.parametrize("kind", SERVERS)
def test_it_calls_us(node, kind):
    with serving(kind) as url:
        done = subprocess.run(
            [node[0], SCRIPT, "client", url + "/RPC2"],
            env=node[1],
            capture_output=True,
            text=True,
            check=False,
            timeout=BOUND,
        )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert "so" in found.pop("fail")[0]
    assert "zzz" in found.pop("zzz")[0]
    assert found == {
        "double": 16,
        "text": "ä€𝄞 <&>",
        "long": 1_000_000,
        "nested": {"a": [1, 2.5, True, -7, {"b": "c"}]},
        "bytes": {"bytes": [0, 255, 13, 10]},
        "moment": True,
        "many": [2 * n for n in range(20)],
        "large": "int",  # it sends five billion as an <int>
    }


@pytest.mark.parametrize("kind", CLIENTS)
def test_we_call_it(node, kind):
    with (
        program(node[0], SCRIPT, "server", env=node[1]) as child,
        calling(kind, f"http://127.0.0.1:{line_of(child)}/") as call,
    ):
        assert call("double", 8) == 16
        assert call("pair", 1, "b") == [1, "b"]
        for value in ("ä€𝄞 <&>", 2.5, True, [1, ["a"]], {"a": {"b": "c"}}, b"\x00\xff\r\n", MOMENT):
            assert call("echo", value) == value
        assert len(call("echo", "x" * 1_000_000)) == 1_000_000
        assert call("raw") == b"\x00\xff\r\n"
        assert call("large") == 5_000_000_000
        assert "so" in failure(call, "fail", "so")
        assert failure(call, "zzz")  # a page, with the status 404, in chunks
        if kind != "standard":  # it leaves the page unread, and is of no more use then
            assert call("double", 1) == 2
