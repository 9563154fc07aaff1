"""A service mounted in somebody else's application, and in somebody else's server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from elsewhere import Pool, connect
from tests.contract.work import PATIENCE, Gate, until
from tests.rpc import serving
from tests.rpc.web.plain import JSON, Plain

BODY = b'{"jsonrpc": "2.0", "method": "double", "params": [2], "id": 1}'


@contextlib.contextmanager
def hosted(app):
    """Uvicorn, as one runs it by oneself: the address."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        server = uvicorn.Server(
            uvicorn.Config(app, log_config=None, lifespan="on", ws="none", timeout_graceful_shutdown=5)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
        thread.start()
        try:
            until(lambda: server.started)
            yield f"http://127.0.0.1:{sock.getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join(PATIENCE)
            assert not thread.is_alive()


def mounted(app):
    async def hello(request):
        return PlainTextResponse("hello")

    return Starlette(routes=[Route("/hello", hello), Mount("/rpc", app)])


@pytest.mark.parametrize("where", ["threads", "loop", "processes"])
def test_mounted_in_starlette(where):
    service = serving.service_of(where, page=True)
    app = service.asgi()
    try:
        with hosted(mounted(app)) as address, Plain(address) as peer:
            assert peer.ask("GET", "/hello").body == b"hello"
            assert peer.post("/rpc/jsonrpc", BODY, JSON).json["result"] == 4
            assert b"double" in peer.ask("GET", "/rpc/").body
            assert b'/rpc/page/page.js"' in peer.ask("GET", "/rpc/").body
            assert peer.ask("GET", "/rpc/page/page.js").status == 200
            assert {each[0] for each in peer.ask("GET", "/rpc/page/figures.json").json["methods"]} > {"double"}
            assert peer.ask("GET", "/rpc/nothing").status == 404
            for url in (f"{address}rpc/", f"{address}rpc/RPC2", f"xmlrpc+{address}rpc/"):
                with connect(url) as client:
                    assert client.double(21) == 42
        assert service.statistics()["double"].calls == 4
    finally:
        app.close()
    assert service._servers == []


def test_run_by_itself_it_ends_with_its_server():
    service = serving.service_of("threads")
    with hosted(service.asgi()) as address, Plain(address) as peer:
        assert peer.result("double", 2) == 4
        assert peer.ask("GET", "/").status == 405  # no page where nobody says who comes
    assert service._servers == []


def test_the_service_closes_it():
    service = serving.service_of("threads")
    with hosted(mounted(service.asgi())) as address, Plain(address) as peer:
        assert peer.post("/rpc/jsonrpc", BODY, JSON).json["result"] == 4
        service.close()
        error = peer.post("/rpc/jsonrpc", BODY, JSON).json["error"]
        assert error["data"]["kind"] == "never"


def test_closing_waits_for_what_runs(tmp_path):
    gate = Gate(tmp_path / "gate")
    service = serving.service_of("threads")
    app = service.asgi()
    call = json.dumps({"jsonrpc": "2.0", "method": "wait_at", "params": [str(gate.folder), "it"], "id": 1})
    with hosted(mounted(app)) as address, Plain(address) as peer:
        peer.http.request("POST", "/rpc/jsonrpc", call, JSON)
        gate.wait_for("came", "it")
        thread = threading.Thread(target=app.close, args=(20,))
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
        gate.open()
        assert peer.answer().json["result"] == "it"
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_names_are_checked_there_too():
    service = serving.service_of("loop", allowed_hosts=["rpc.example.com"])
    app = service.asgi()
    with hosted(mounted(app)) as address:
        for host, status in (("rpc.example.com", 200), ("evil.example", 421)):
            with Plain(address) as peer:
                assert peer.post("/rpc/jsonrpc", BODY, {**JSON, "Host": host}).status == status
    app.close()


def asked(app, body, **more):
    """Asked by hand, on a loop of its own."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/jsonrpc", "raw_path": b"/jsonrpc", "root_path": "",
        "query_string": b"", "http_version": "1.1", "scheme": "http", "client": None, "server": None,
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")], **more,
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    return sent


@pytest.mark.parametrize("where", ["threads", "loop", "processes"])
def test_on_one_loop_after_the_other(where):
    with Pool(1) as pool:
        service = serving.service_of(where, pool=pool if where == "processes" else None)
        app = service.asgi()
        for _ in range(3):
            start, body = asked(app, BODY)
            assert start["status"] == 200
            assert json.loads(body["body"])["result"] == 4
        app.close()


def test_what_is_no_request_of_http_is_closed():
    app = serving.service_of("loop").asgi()
    assert [each["type"] for each in asked(app, b"", type="websocket")] == ["websocket.close"]
    app.close()
