"""Without uvloop and httptools, which are not everywhere: uvicorn does HTTP by h11, on asyncio's own loop."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys

sys.modules["uvloop"] = sys.modules["httptools"] = None

from elsewhere import Service, connect
from tests.rpc import serving
from tests.rpc.web.plain import Bytes, Plain
from tests.rpc.web.test_hostile import HEAD, flood

service = serving.service_of("threads", handshake_timeout=1.0)
service.register(serving.sleepy)
with service.start("http://127.0.0.1:0", "tcp://127.0.0.1:0") as server:
    assert "h11" in type(server._serving.web._protocol()).__module__
    with connect(server.addresses[0]) as client:
        assert client.double(2) == client.sleepy(2) == 4
    with Plain(server.addresses[0]) as peer:
        assert peer.xmlrpc("double", 4) == 8
        assert b"double" in peer.ask("GET", "/").body
    with Plain(server.addresses[0]) as peer:
        assert peer.ask("POST", "/jsonrpc", b"").status == 415
    with Bytes(server.addresses[0]) as peer:
        peer.send(HEAD)
        assert peer.rest() == b""
    with Bytes(server.addresses[0]) as peer:
        peer.send(HEAD + b"Content-Length: 1000\\r\\n\\r\\n")
        assert peer.rest() == b""
    with Bytes(server.addresses[0]) as peer:
        peer.send(b"GET / HTTP/1.1\\r\\nX: ")
        assert flood(peer, b"y" * 6000, 64 << 20)
print("well")
"""


def test_without_what_makes_it_quick():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, timeout=50, check=False)
    assert (done.stdout, done.returncode) == (b"well\n", 0), done.stderr.decode()
