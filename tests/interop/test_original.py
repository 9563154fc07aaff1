"""The original msgpack-rpc-python 0.4.1, on Tornado 4.5 and msgpack-python 0.5: as a client of ours, and a server."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

import elsewhere
from elsewhere.errors import ConnectionLost, RemoteError
from elsewhere.msgpackrpc.error import RPCError, TransportError
from tests.interop.peers import BOUND, Methods, drop_in_client, line_of, our_server, program
from tests.require import require

CLIENT = """
import json, sys, msgpackrpc
assert "elsewhere" not in sys.modules and msgpackrpc.__version__ == "0.4.1"
at = msgpackrpc.Address("127.0.0.1", int(sys.argv[1]))
client = msgpackrpc.Client(at, unpack_encoding="utf-8")
found = {
    "double": client.call("double", 8),
    "text": client.call("echo", "ä" * 100),
    "long": len(client.call("echo", "a" * 1000000)),
    "nested": client.call("echo", {"a": [1, 2.5, None, True, -7, 2 ** 40, {"b": "c"}]}),
    "nothing": client.call("echo", None),
}
future = client.call_async("double", "x")
other = client.call_async("double", 3)
other.join()
future.join()
found["async"] = [future.result, other.result]
for name, args in (("fail", ["so"]), ("zzz", [])):
    try:
        client.call(name, *args)
    except msgpackrpc.error.RPCError as error:
        found[name] = [type(error).__name__, error.args[0]]
client.notify("tell", "told")
found["after"] = client.call("double", 1)
client.close()
raw = msgpackrpc.Client(at)                      # the default: every str is bytes
found["bytes"] = [repr(raw.call("echo", "text")), repr(raw.call("double", b"\\x00"))]
raw.close()
print(json.dumps(found))
"""

SERVER = """
import sys, msgpackrpc, tornado.tcpserver
assert "elsewhere" not in sys.modules and msgpackrpc.__version__ == "0.4.1"
listen = tornado.tcpserver.TCPServer.listen
tornado.tcpserver.TCPServer.listen = lambda self, port, address="": listen(self, port, "127.0.0.1")
class Methods(object):
    told = []
    def double(self, n): return n + n
    def echo(self, value): return value
    def fail(self, text): raise ValueError(text)
    def tell(self, value): self.told.append(value)
    def last(self): return self.told.pop()
    def raw(self): return b"\\x00\\xff" * 20
    def later(self):
        import threading
        result = msgpackrpc.server.AsyncResult()
        threading.Timer(0.01, lambda: server._loop._ioloop.add_callback(result.set_result, "later")).start()
        return result
server = msgpackrpc.Server(Methods(), unpack_encoding="utf-8")
server.listen(msgpackrpc.Address("127.0.0.1", 0))
(sock,) = server._listeners[0]._mp_server._sockets.values()
print(sock.getsockname()[1])
sys.stdout.flush()
server.start()
"""


@pytest.fixture(scope="module")
def python() -> Path:
    require(file=".venv-msgpackrpc/.ready", install=".ci/peers original")
    return require(file=".venv-msgpackrpc/bin/python", install=".ci/peers original")


@pytest.fixture
def original(python):
    with program(python, "-c", SERVER) as child:
        yield int(line_of(child)), child


@pytest.mark.parametrize("kind", ["drop-in", "threads", "loop"])
def test_it_calls_us(python, kind):
    methods = Methods()
    with our_server(kind, methods) as port:
        done = subprocess.run(
            [python, "-c", CLIENT, str(port)], capture_output=True, text=True, check=False, timeout=BOUND
        )
        assert done.returncode == 0, done.stderr
        assert methods.wait_for_one() == "told"
    found = json.loads(done.stdout)
    (kind_of_fail, text_of_fail) = found.pop("fail")
    assert (kind_of_fail, text_of_fail.removeprefix("ValueError: ")) == ("RPCError", "so")
    if kind == "drop-in":
        assert text_of_fail == "so"  # with the original, a method's exception is its text alone
    assert found == {
        "double": 16,
        "text": "ä" * 100,
        "long": 1000000,
        "nested": {"a": [1, 2.5, None, True, -7, 2**40, {"b": "c"}]},
        "nothing": None,
        "async": ["xx", 6],
        "zzz": ["RPCError", "'zzz' method not found"],
        "after": 2,
        "bytes": ["b'text'", r"b'\x00\x00'"],
    }


def test_our_drop_in_calls_it(original):
    port, child = original
    client = drop_in_client(port)
    assert client.call("double", 8) == 16
    assert client.call("echo", "ä" * 100) == "ä" * 100
    assert client.call("echo", {"a": [1, 2.5, None, True, {"b": "c"}]}) == {"a": [1, 2.5, None, True, {"b": "c"}]}
    assert client.call("raw") == b"\x00\xff" * 20
    assert client.call("echo", "a" * 1_000_000) == "a" * 1_000_000
    assert client.call("later") == "later"
    futures = [client.call_async("double", n) for n in range(200)]
    assert [future.get() for future in futures] == [2 * n for n in range(200)]
    client.notify("tell", "told")
    assert client.call("last") == "told"
    with pytest.raises(RPCError) as caught:
        client.call("zzz")
    assert caught.value.args == ("'zzz' method not found",)
    with pytest.raises(RPCError) as caught:
        client.call("fail", "so")
    assert caught.value.args == ("so",)
    future = client.call_async("double", 1)
    child.kill()
    with pytest.raises(TransportError):
        while True:
            future.get()
            future = client.call_async("double", 1)
    client.close()


@pytest.mark.parametrize("old_raw", [False, True])
def test_our_client_calls_it(original, old_raw):
    port, child = original
    with elsewhere.connect(f"tcp://127.0.0.1:{port}", timeout=BOUND, old_raw=old_raw) as client:
        assert client.double(8) == 16
        assert client.call("echo", "ä" * 100) == "ä" * 100
        assert client.echo({"a": [1, 2.5, None, True, {"b": "c"}]}) == {"a": [1, 2.5, None, True, {"b": "c"}]}
        raw = b"\x00\xff" * 20
        assert client.raw() == (raw if old_raw else raw.decode("utf-8", "surrogateescape"))
        assert client.echo("a" * 1_000_000) == "a" * 1_000_000
        futures = [client.submit("double", n) for n in range(200)]
        assert [future.result(BOUND) for future in futures] == [2 * n for n in range(200)]
        client.notify("tell", "told")
        assert client.last() == "told"
        with pytest.raises(RemoteError, match="'zzz' method not found"):
            client.zzz()
        with pytest.raises(RemoteError, match="so") as caught:
            client.fail("so")
        assert caught.value.data == "so"
        with pytest.raises((TypeError, elsewhere.ElsewhereError), match="keyword"):
            client.double(n=8)
        assert client.double(1) == 2
        child.kill()
        with pytest.raises((ConnectionLost, ConnectionError)):
            while True:
                client.double(1)
