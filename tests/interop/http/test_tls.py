"""HTTPS with others: curl and Python's own client call a service that wants a token; we call Python's own server."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
import xmlrpc.client
import xmlrpc.server

import pytest

import elsewhere
from elsewhere import Service
from elsewhere.errors import ConnectError
from elsewhere.net import TLS
from tests.interop.http.peers import SERVICES, Methods, calling, xmlrpc_module
from tests.interop.peers import BOUND
from tests.require import require

TOKEN = "a secret of some length"


@pytest.fixture(params=SERVICES)
def url(request, certificates):
    service = Service(Methods(), where=request.param, token=TOKEN)
    tls = TLS(cert=certificates.server)
    with service.start("https://127.0.0.1:0", tls=tls) as running:
        yield running.addresses[0].rstrip("/")


@pytest.fixture
def curl(certificates):
    program = require(program="curl", install=".ci/peers curl")
    body = json.dumps({"jsonrpc": "2.0", "method": "double", "params": [21], "id": 1})

    def curl(url, *words, authority=certificates.authority):
        return subprocess.run(
            [
                program,
                *("--silent", "--show-error", "--noproxy", "*", "--max-time", str(BOUND), "--cacert", authority),
                *("--write-out", "\n%{http_code}", "--header", "Content-Type: application/json", "--data", body),
                *words,
                url + "/jsonrpc",
            ],
            capture_output=True,
            text=True,
            check=False,
        )

    return curl


def test_curl_with_a_token(url, curl, certificates):
    for words in (("--header", f"Authorization: Bearer {TOKEN}"), ("--user", f"anybody:{TOKEN}")):
        assert curl(url, *words).stdout == '{"jsonrpc":"2.0","result":42,"id":1}\n200'
    for words in ((), ("--header", "Authorization: Bearer another"), ("--user", "anybody:another")):
        assert curl(url, *words).stdout.endswith("\n401")
    stranger = curl(url, "--user", f"anybody:{TOKEN}", authority=certificates.stranger)
    assert stranger.returncode == 60, stranger  # it does not believe the certificate


@pytest.mark.parametrize("kind", ["standard", "drop-in"])
def test_the_password_of_a_url_is_the_token(url, kind, certificates):
    context = ssl.create_default_context(cafile=certificates.authority)
    module = xmlrpc_module(kind)
    with_password = url.replace("://", f"://anybody:{TOKEN.replace(' ', '%20')}@") + "/RPC2"
    with module.ServerProxy(with_password, context=context) as proxy:
        assert [proxy.double(n) for n in range(5)] == [0, 2, 4, 6, 8]
    with module.ServerProxy(url + "/RPC2", context=context) as proxy, pytest.raises(module.ProtocolError) as caught:
        proxy.double(1)
    assert caught.value.errcode == 401


@pytest.fixture
def standard(certificates):
    server = xmlrpc.server.SimpleXMLRPCServer(("127.0.0.1", 0), logRequests=False, allow_none=True)
    server.register_instance(Methods())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.server)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"https://127.0.0.1:{server.server_address[1]}/RPC2"
    server.shutdown()
    thread.join()
    server.server_close()


def test_we_call_the_standard_server(standard, certificates):
    with elsewhere.connect(f"xmlrpc+{standard}", tls=TLS(ca=certificates.authority), timeout=BOUND) as client:
        assert client.call("double", 21) == 42
        assert client.echo("x" * 100_000) == "x" * 100_000
    context = ssl.create_default_context(cafile=certificates.authority)
    with xmlrpc_module("drop-in").ServerProxy(standard, context=context) as proxy:
        assert proxy.double(21) == 42


def test_we_do_not_call_whom_we_do_not_believe(standard, certificates):
    with pytest.raises(ConnectError, match="certificate"):
        elsewhere.connect(f"xmlrpc+{standard}", tls=TLS(ca=certificates.stranger), timeout=BOUND)


def test_a_plain_client_is_told(url):
    with pytest.raises(elsewhere.ElsewhereError), calling("client", url.replace("https", "http") + "/RPC2") as call:
        call("double", 1)
