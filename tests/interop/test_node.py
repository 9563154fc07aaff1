"""Node's msgpack5rpc, as a client of ours and as a server."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

import elsewhere
from elsewhere.errors import RemoteError
from elsewhere.msgpackrpc.error import RPCError
from tests.interop.peers import BOUND, Methods, drop_in_client, line_of, our_server, program
from tests.require import require

SCRIPT = Path(__file__).parent / "session.js"


@pytest.fixture(scope="module")
def node():
    """The program, and its environment."""
    packages = require(file=".venv-node/node_modules/msgpack5rpc", install=".ci/peers node").parent
    return require(program="node", install=".ci/peers node"), {**os.environ, "NODE_PATH": str(packages)}


@pytest.fixture
def port(node):
    with program(node[0], SCRIPT, "server", env=node[1]) as child:
        yield int(line_of(child))


@pytest.mark.parametrize("kind", ["drop-in", "threads", "loop"])
def test_it_calls_us(node, kind):
    methods = Methods()
    with our_server(kind, methods) as port:
        done = subprocess.run(
            [node[0], SCRIPT, "client", str(port)],
            env=node[1],
            capture_output=True,
            text=True,
            check=False,
            timeout=BOUND,
        )
        assert done.returncode == 0, done.stderr
        assert methods.wait_for_one() == "told"
    found = json.loads(done.stdout)
    error, result = found.pop("fail")
    assert (error.removeprefix("ValueError: "), result) == ("so", None)
    as_bytes = found.pop("raw")
    if kind == "drop-in":  # the old raw goes out, which Node takes for text
        assert as_bytes[:2] == [None, False]
    else:
        assert as_bytes == [None, True, [0, 255, 1]]
    assert found == {
        "double": [None, 16],
        "text": [None, "ä" * 100],
        "long": 1000000,
        "nested": [None, {"a": [1, 2.5, None, True, -7, {"b": "c"}]}],
        "zzz": ["'zzz' method not found", None],
        "many": [[None, 2 * n] for n in range(50)],
    }


def test_our_drop_in_calls_it(port):
    client = drop_in_client(port)
    assert client.call("double", 8) == 16
    assert client.call("echo", {"a": ["ä" * 100, 2.5, None]}) == {"a": ["ä" * 100, 2.5, None]}
    assert client.call("raw") == b"\x00\xff\x00\xff"
    client.notify("tell", "told")
    assert client.call("last") == "told"
    with pytest.raises(RPCError) as caught:
        client.call("fail", "so")
    assert caught.value.args == ("so",)
    futures = [client.call_async("double", n) for n in range(100)]
    assert [future.get() for future in futures] == [2 * n for n in range(100)]
    client.notify("ask", "double", [21])  # it calls us back, where nothing can be called: it is told so
    while (found := client.call("last")) == "told":
        pass
    assert found == ["'double' method not found", None]
    client.close()


def test_our_client_calls_it(port):
    with elsewhere.connect(f"tcp://127.0.0.1:{port}", timeout=BOUND) as client:
        assert client.double(8) == 16
        assert client.echo({"a": ["ä" * 100, 2.5, None, b"\x00\xff"]}) == {"a": ["ä" * 100, 2.5, None, b"\x00\xff"]}
        assert client.raw() == b"\x00\xff\x00\xff"
        client.notify("tell", "told")
        assert client.last() == "told"
        with pytest.raises(RemoteError, match="so") as caught:
            client.fail("so")
        assert caught.value.data == "so"
        with pytest.raises(RemoteError, match="no zzz"):
            client.zzz()
        futures = [client.submit("double", n) for n in range(100)]
        assert [future.result(BOUND) for future in futures] == [2 * n for n in range(100)]
