"""Who may come in over HTTP: names, origins, content types, tokens, sizes."""

from __future__ import annotations

import base64
import gzip
import re
import socket
import sys
import zlib
from pathlib import Path

import pytest

from elsewhere import Service
from elsewhere.transport.tls import TLS
from tests.rpc import serving
from tests.rpc.web.plain import JSON, XML, Plain

BODY = b'{"jsonrpc": "2.0", "method": "double", "params": [2], "id": 1}'
TOKEN = "secret & long"


def serve(*addresses, **options):
    return serving.service_of("loop", **options).start(*(addresses or ("http://127.0.0.1:0",)))


@pytest.fixture
def server():
    with serve() as server:
        yield server


@pytest.fixture
def peer(server):
    with Plain(server.addresses[0]) as peer:
        yield peer


# ---- Host ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:9", "LOCALHOST", "localhost:80", "app.localhost", "[::1]", "[::1]:80", "10.1.2.3"]
)
def test_names_that_no_stranger_can_point_here(server, host):
    with Plain(server.addresses[0]) as peer:
        assert peer.jsonrpc(BODY, Host=host).json["result"] == 4


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example", ""]
)
def test_other_names_are_turned_away(server, host):
    for path, headers in (("/jsonrpc", JSON), ("/RPC2", XML)):
        with Plain(server.addresses[0]) as peer:
            found = peer.post(path, BODY, {**headers, "Host": host})
            assert found.status == 421
            assert "allowed_hosts" in found.text
    with Plain(server.addresses[0]) as peer:
        assert peer.ask("GET", "/", Host=host).status == 421


def test_names_that_are_allowed():
    with serve(allowed_hosts=["rpc.example.com", "*.example.org"]) as server:
        for host, status in (
            ("rpc.example.com", 200), ("RPC.example.com.:8000", 200), ("a.b.example.org", 200),
            ("example.org", 421), ("x.rpc.example.com", 421),
        ):  # fmt: skip
            with Plain(server.addresses[0]) as peer:
                assert peer.jsonrpc(BODY, Host=host).status == status
    with serve(allowed_hosts=["*"]) as server, Plain(server.addresses[0]) as peer:
        assert peer.jsonrpc(BODY, Host="whatever.example").status == 200


@pytest.mark.parametrize("names", ["example.com", [7], ["http://example.com"], ["a*b"], [""]])
def test_allowed_hosts_that_are_none(names):
    with pytest.raises((TypeError, ValueError), match=r"allowed_hosts|name of a host"):
        Service(allowed_hosts=names)


def test_a_host_that_came_twice(server):
    with Plain(server.addresses[0]) as peer:
        peer.http.putrequest("POST", "/jsonrpc", skip_host=True)
        for name, value in (("Host", "localhost"), ("Host", "evil.example"), ("Content-Length", str(len(BODY)))):
            peer.http.putheader(name, value)
        peer.http.putheader("Content-Type", "application/json")
        peer.http.endheaders(BODY)
        assert peer.answer().status == 400


# ---- Origin and content types ----------------------------------------------------------------------------------------


def test_a_page_of_the_service_may_call_it(server, peer):
    for origin, host in (
        (f"http://127.0.0.1:{peer.port}", f"127.0.0.1:{peer.port}"), ("http://localhost", "localhost:80"),
        ("http://localhost:80", "localhost"), ("https://localhost", "localhost"),
    ):  # fmt: skip
        assert peer.jsonrpc(BODY, Origin=origin, Host=host).status == 200


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://127.0.0.1", "http://localhost:9", "file://", "chrome-extension://x", ""],
)
def test_a_foreign_page_may_not(server, origin):
    for path, headers in (("/jsonrpc", JSON), ("/RPC2", XML), ("/", XML)):
        with Plain(server.addresses[0]) as peer:
            found = peer.post(path, BODY, {**headers, "Origin": origin})
            assert found.status == 403
            assert "may not call" in found.text


@pytest.mark.parametrize("path", ["/jsonrpc", "/RPC2", "/"])
@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json"]
)
def test_content_types_that_a_page_can_send_unasked_are_turned_away(server, path, kind):
    with Plain(server.addresses[0]) as peer:
        found = peer.post(path, BODY, {"Content-Type": kind})
        assert found.status == 415
        assert ("application/json" if path == "/jsonrpc" else "text/xml") in found.text
    other = XML if path == "/jsonrpc" else JSON
    with Plain(server.addresses[0]) as peer:
        assert peer.post(path, BODY, other).status == 415


def test_a_browser_that_asks_first_is_told_no(server):
    for path in ("/jsonrpc", "/RPC2", "/"):
        with Plain(server.addresses[0]) as peer:
            found = peer.ask("OPTIONS", path, Origin="http://evil.example", Access_Control_Request_Method="POST")
            assert found.status == 403
            assert not [name for name in found.headers if name.lower().startswith("access-control")]


def test_content_types_with_a_charset(peer):
    assert peer.post("/jsonrpc", BODY, {"Content-Type": "Application/JSON; charset=utf-8"}).status == 200


def test_other_methods_and_paths(server):
    for method, path, status in (
        ("GET", "/jsonrpc", 405), ("GET", "/RPC2", 405), ("PUT", "/", 405), ("DELETE", "/jsonrpc", 405),
        ("POST", "/nothing", 404), ("GET", "/jsonrpc/", 404),
    ):  # fmt: skip
        with Plain(server.addresses[0]) as peer:
            assert peer.ask(method, path, b"", **{"Content-Type": "text/xml"}).status == status


# ---- tokens ----------------------------------------------------------------------------------------------------------


def basic(password, user="anybody"):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_a_token_is_a_bearers_or_a_password():
    with serve(token=TOKEN) as server:
        for given in (f"Bearer {TOKEN}", f"bearer  {TOKEN}", basic(TOKEN), basic(TOKEN, "")):
            with Plain(server.addresses[0]) as peer:
                assert peer.jsonrpc(BODY, Authorization=given).json["result"] == 4


@pytest.mark.parametrize(
    "given", [None, "", "Bearer", "Bearer wrong", basic("wrong"), "Basic ???", "Basic ", f"Digest {TOKEN}", TOKEN]
)
def test_without_it_nothing_is_answered(given, caplog):
    headers = {} if given is None else {"Authorization": given}
    with serve(token=TOKEN, page=True) as server:
        for method, path, body in (("POST", "/jsonrpc", BODY), ("POST", "/", BODY), ("GET", "/", None)):
            with Plain(server.addresses[0]) as peer:
                found = peer.ask(method, path, body, **JSON, **headers)
                assert found.status == 401
                assert found.headers.get_all("WWW-Authenticate")[0].startswith("Basic realm=")
                assert TOKEN not in found.text
                assert peer.ended()
    assert TOKEN not in caplog.text


def test_beyond_this_machine_tls_and_a_token_are_wanted(certificates):
    with pytest.raises(ValueError, match=r"needs TLS \(an https:// address\) and authentication"):
        serve("http://0.0.0.0:0")
    with pytest.raises(ValueError, match="needs authentication"):
        Service().start("https://0.0.0.0:0", tls=TLS(cert=certificates.server))
    with pytest.raises(ValueError, match=r"a tls:// or https:// server needs a certificate"):
        Service().start("https://127.0.0.1:0")


def test_tls(certificates):
    service = serving.service_of("loop")
    context = TLS(ca=certificates.authority).for_client()
    with (
        service.start("https://127.0.0.1:0", tls=TLS(cert=certificates.server)) as server,
        Plain(server.addresses[0], context) as peer,
    ):
        assert server.addresses[0].startswith("https://127.0.0.1:")
        assert peer.result("double", 4) == 8
        assert peer.jsonrpc(BODY, Origin=f"http://127.0.0.1:{peer.port}").status == 403  # that one is not encrypted
        assert peer.jsonrpc(BODY, Origin=f"https://127.0.0.1:{peer.port}").status == 200


def test_client_certificates(certificates):
    service = serving.service_of("loop")
    tls = TLS(cert=certificates.server, ca=certificates.authority)
    with service.start("https://127.0.0.1:0", tls=tls) as server:
        with Plain(server.addresses[0], TLS(ca=certificates.authority).for_client()) as peer, pytest.raises(OSError):
            peer.result("double", 4)
        own = TLS(ca=certificates.authority, cert=certificates.client).for_client()
        with Plain(server.addresses[0], own) as peer:
            assert peer.result("double", 4) == 8


# ---- sizes -----------------------------------------------------------------------------------------------------------


def test_what_claims_to_be_too_large_is_turned_away_before_it_comes(server):
    with Plain(server.addresses[0]) as peer:
        peer.http.putrequest("POST", "/RPC2")
        peer.http.putheader("Content-Type", "text/xml")
        peer.http.putheader("Content-Length", str(1 << 30))
        peer.http.endheaders(b"<methodCall>")
        found = peer.answer()
        assert found.status == 413
        assert "1,073,741,824 bytes, above the limit of 67,108,864" in found.text
        assert peer.ended()


def test_what_is_too_large_without_saying_so():
    with serve(max_size=100_000) as server, Plain(server.addresses[0]) as peer:
        found = peer.ask("POST", "/jsonrpc", iter([bytes(1000)] * 150), **JSON)
        assert found.status == 413
        assert peer.ended()
    with serve(max_size=100_000) as server, Plain(server.addresses[0]) as peer:
        found = peer.ask("POST", "/jsonrpc", iter([BODY[:9], BODY[9:]]), **JSON)
        assert found.json["result"] == 4


def test_a_compressed_body_is_bounded_without_its_compression(server):
    packer = zlib.compressobj(1, wbits=31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(300)) + packer.flush()
    before = resident("VmRSS")
    try:
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    except OSError:
        before = resident("VmHWM")
    with Plain(server.addresses[0]) as peer:
        found = peer.post("/RPC2", bomb, {**XML, "Content-Encoding": "gzip"})
        assert found.status == 413
        assert "without its compression" in found.text
    assert resident("VmHWM") - before < 64 << 20


def resident(which):
    """Bytes of memory that this process has, or has had."""
    found = re.search(rf"^{which}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1]) << 10


@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [
        ("gzip", b"nonsense", 400),
        ("gzip", gzip.compress(BODY)[:-9], 400),
        ("gzip", gzip.compress(BODY) + b"x", 400),
        ("br", BODY, 415),
        ("gzip, gzip", gzip.compress(gzip.compress(BODY)), 415),
        ("identity", BODY, 200),
        ("x-gzip", gzip.compress(BODY), 200),
    ],
)
def test_ways_of_compression(server, encoding, body, status):
    with Plain(server.addresses[0]) as peer:
        assert peer.post("/jsonrpc", body, {**JSON, "Content-Encoding": encoding}).status == status


# ---- the page, and what is missing -----------------------------------------------------------------------------------


def test_the_page_is_shown_to_this_machine_and_to_who_knows_the_token():
    for options, address, headers, status in (
        ({}, "http://127.0.0.1:0", {}, 200),
        ({"page": False}, "http://127.0.0.1:0", {}, 405),
        ({"token": TOKEN}, "http://127.0.0.1:0", {"Authorization": basic(TOKEN)}, 200),
    ):
        with serve(address, **options) as server, Plain(server.addresses[0]) as peer:
            assert peer.ask("GET", "/", **headers).status == status


def test_the_page_is_not_shown_to_strangers():
    service = serving.service_of("loop")
    with (
        service.start("http://0.0.0.0:0", insecure=True) as server,
        Plain(server.addresses[0].replace("0.0.0.0", "127.0.0.1")) as peer,
    ):
        assert peer.result("double", 2) == 4
        assert peer.jsonrpc(BODY, Host=socket.gethostname()).status == 200
        assert peer.ask("GET", "/").status == 405


def test_the_page_and_its_parts(peer):
    found = peer.ask("GET", "/")
    assert b"double" in found.body
    assert found.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert peer.ask("GET", "/", If_None_Match=found.headers["ETag"]).status == 304
    assert peer.ask("HEAD", "/").status == 200
    assert peer.ask("GET", "/page/page.js").headers["Content-Type"].startswith("text/javascript")
    peer.result("double", 2)
    rows = {name: rest for name, *rest in peer.ask("GET", "/page/figures.json").json["methods"]}
    assert rows["double"][:3] == [1, 0, 0]


def test_what_is_missing_is_said_in_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    for serve_ in (Service().asgi, lambda: Service().start("http://127.0.0.1:0")):
        with pytest.raises(ModuleNotFoundError, match=r"python -m pip install 'elsewhere\[http\]'"):
            serve_()


@pytest.mark.parametrize("address", ["http://localhost:0/app", "xmlrpc+http://localhost:0", "udp://localhost:0"])
def test_addresses_that_cannot_be_served(address):
    with pytest.raises(ValueError, match=r"has a path|is of no use here"):
        Service().start(address)
