"""The page in a real browser: whatever is answered, and whoever answers, there is something to see."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from elsewhere.transport.tls import TLS
from tests.require import require
from tests.rpc.page.pages import call, card, entry, expect, figure
from tests.rpc.page.served import double, shown

pytestmark = [pytest.mark.slow, pytest.mark.bound(180)]


# What a service of ours never answers, but something on the way may.
ODD = {
    "no JSON at all": (502, "<h1>Bad gateway</h1>", "The service has answered 502: <h1>Bad gateway</h1>"),
    "nothing": (200, "", "The service has answered 200."),
    "JSON of another kind": (200, "[1]", "The service has answered 200: [1]"),
    "null": (200, "null", "The service has answered 200: null"),
    "an error that is a text": (200, '{"error": "no"}', "no"),
    "an error with odd data": (200, '{"error": {"message": "no", "data": [1, {"a": "b"}]}}', "no"),
    "an error with a number": (200, '{"error": {"message": 7, "data": 8}}', "7"),
    "both": (200, '{"result": 1, "error": null}', "1"),
    "too deep": (
        200,
        '{"result": ' + 100_000 * "[" + 100_000 * "]" + "}",
        'The service has answered 200: {"result": [[[',
    ),
}


def test_whatever_is_answered_there_is_something_to_see(browsing):
    page = browsing.open(shown())
    answers = {"": (0, "", "")}
    page.route(
        "**/jsonrpc",
        lambda route: route.fulfill(status=answers[""][0], body=answers[""][1], content_type="application/json"),
    )
    for case in ODD.values():
        answers[""] = case
        expect(call(page, "echo", value="1").locator("pre").first).to_contain_text(case[2])
        expect(card(page, "echo").get_by_role("button", name="Call")).to_be_enabled()
    assert [each for each in browsing.complaints if "502" not in each] == []


def test_a_value_that_is_very_large_is_shown_in_part_and_copied_whole(browsing):
    page = browsing.open(shown(), permissions=["clipboard-read", "clipboard-write"])
    found = card(page, "echo")
    result = call(page, "echo", value="[" + ",".join(map(str, range(50_000))) + "]")
    expect(result.locator(".what")).to_have_text("List of 50,000")
    expect(result.locator(".note")).to_have_text("This is its beginning. Copy gives all of it.")
    assert page.evaluate("document.querySelectorAll('.result span').length") < 25_000
    found.get_by_role("button", name="Copy").click()
    expect(found.get_by_role("button", name="Copied")).to_be_visible()
    assert json.loads(page.evaluate("navigator.clipboard.readText()")) == list(range(50_000))
    result = call(page, "echo", value=300_000 * "x")
    expect(result.locator(".note")).to_have_count(1)
    assert len(result.locator("pre").inner_text()) == 200_000
    expect(call(page, "echo", value="short").locator(".note")).to_have_count(0)
    assert browsing.complaints == []


def test_a_call_is_shown_as_a_command_that_does_the_same(browsing):
    require(program="curl", install=".ci/peers curl")
    page = browsing.open(shown(token="secret"), http_credentials={"username": "", "password": "secret"})
    found = card(page, "greet")
    entry(found, "name").fill("O'Hara & $HOME")
    found.get_by_role("button", name="As curl").click()
    expect(found.locator(".result pre")).to_contain_text("curl")
    command = found.locator(".result pre").inner_text()
    run = subprocess.run(
        ["sh", "-c", f"{command} --silent --max-time 30"],
        env={**os.environ, "ELSEWHERE_TOKEN": "secret", "no_proxy": "*"},
        capture_output=True,
        check=True,
    )
    assert json.loads(run.stdout)["result"] == "Hello, O'Hara & $HOME"
    expect(figure(page, "greet", "calls")).to_have_text("1")


def test_below_another_application_it_is_the_same(browsing):
    inner = shown(page=True).asgi()
    from starlette.applications import Starlette
    from starlette.routing import Mount

    try:
        with served(Starlette(routes=[Mount("/below", inner)])) as address:
            page = browsing.show(f"{address}/below/")
            expect(call(page, "double", n="4").locator("pre")).to_have_text("8")
            expect(figure(page, "double", "calls")).to_have_text("1")
    finally:
        inner.close()
    assert browsing.complaints == []


@contextlib.contextmanager
def served(app: Any) -> Iterator[str]:
    """Somebody else's server, in a thread."""
    import uvicorn

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, loop="asyncio", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def test_a_call_can_be_stopped(browsing):
    page = browsing.open(shown())
    found = card(page, "wait")
    entry(found, "seconds").fill("600")
    found.get_by_role("button", name="Call").click()
    expect(figure(page, "wait", "running")).to_have_text("1")
    expect(found.get_by_role("button", name="Call")).to_be_disabled()
    found.get_by_role("button", name="Stop").click()
    expect(found.locator(".result")).to_contain_text("It was stopped.")
    expect(figure(page, "wait", "running")).to_have_text("0")  # in the service, too
    assert browsing.complaints == []


def test_tracebacks_are_shown_only_if_the_service_allows_them(browsing):
    page = browsing.open(shown(traceback=True))
    failed = call(page, "fail", text="it is broken")
    failed.get_by_text("Traceback", exact=True).click()
    expect(failed.locator("details pre")).to_contain_text("raise ValueError(text)")
    assert browsing.complaints == []


def test_a_service_that_goes_away_is_missed_and_one_that_comes_back_is_seen(browsing):
    service = shown()
    running = service.start("http://127.0.0.1:0")
    address = running.addresses[0]
    try:
        page = browsing.show(address)
        expect(page.locator("#state")).to_have_text("live")
    finally:
        running.close()
    expect(page.locator("#state")).to_have_text("no answer")
    failed = call(page, "double", n="1")
    expect(failed).to_contain_text("The service cannot be reached.")
    with service.start(address):
        expect(page.locator("#state")).to_have_text("live")
        expect(call(page, "double", n="1").locator("pre")).to_have_text("2")
    assert all("ERR_" in each for each in browsing.complaints)  # what the browser itself says of it


def test_methods_that_are_added_meanwhile_are_said(browsing):
    service = shown()
    page = browsing.open(service)
    expect(page.locator("#state")).to_have_text("live")
    service.register(double, "later")
    expect(page.locator("#state")).to_have_text("The methods have changed: reload this page")
    expect(call(page, "double", n="1").locator("pre")).to_have_text("2")
    page.reload()
    expect(page.locator("#state")).to_have_text("live")
    expect(call(page, "later", n="2").locator("pre")).to_have_text("4")
    assert browsing.complaints == []


def test_a_token_is_asked_for(browsing):
    service = shown(token="secret")
    page = browsing.open(service, http_credentials={"username": "anybody", "password": "secret"})
    expect(page.locator("#state")).to_have_text("live")
    expect(call(page, "double", n="4").locator("pre")).to_have_text("8")
    with pytest.raises(_error(), match="AUTH_CREDENTIALS"):  # a browser with a window asks for them
        browsing.show(page.url)


def test_with_tls_it_is_the_same(browsing, certificates):
    page = browsing.open(
        shown(),
        address="https://127.0.0.1:0",
        start={"tls": TLS(cert=certificates.server)},
        ignore_https_errors=True,  # the authority is nobody whom the browser knows
    )
    expect(page.locator("#state")).to_have_text("live")
    expect(call(page, "double", n="4").locator("pre")).to_have_text("8")
    expect(figure(page, "double", "calls")).to_have_text("1")
    assert browsing.complaints == []


def _error() -> Any:
    from playwright import sync_api

    return sync_api.Error
