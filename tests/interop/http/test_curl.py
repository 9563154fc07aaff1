"""curl, which sends what anybody can write by hand: JSON-RPC 2.0, and XML-RPC."""

from __future__ import annotations

import gzip
import json
import subprocess

import pytest

from tests.interop.http.peers import SERVERS, SERVICES, serving
from tests.interop.peers import BOUND
from tests.require import require


class Curl:
    """One server; gives the status and the body."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.program = require(program="curl", install=".ci/peers curl")

    def __call__(self, path, body, *words, kind="application/json"):
        done = subprocess.run(
            [
                self.program,
                *("--silent", "--show-error", "--noproxy", "*", "--max-time", str(BOUND)),
                *("--write-out", "\n%{http_code}", "--header", f"Content-Type: {kind}", "--data-binary", "@-"),
                *words,
                self.url + path,
            ],
            input=body,
            capture_output=True,
            text=True,
            check=True,
        )
        answer, _, status = done.stdout.rpartition("\n")
        return int(status), answer

    def json(self, asked):
        status, answer = self("/jsonrpc", asked if isinstance(asked, str) else json.dumps(asked))
        return status, json.loads(answer) if answer else None


@pytest.fixture(params=SERVICES)
def curl(request):
    with serving(request.param) as url:
        yield Curl(url)


def asking(method, params=None, **more):
    return {"jsonrpc": "2.0", "method": method, **({} if params is None else {"params": params}), "id": 1, **more}


def test_a_call(curl):
    assert curl.json(asking("double", [21])) == (200, {"jsonrpc": "2.0", "result": 42, "id": 1})


def test_parameters_by_name(curl):
    status, found = curl.json(asking("pair", {"second": 2, "first": 1}, id="text"))
    assert (status, found["result"], found["id"]) == (200, [1, 2], "text")


def test_no_parameters(curl):
    status, found = curl.json(asking("nothing"))
    assert (status, found) == (200, {"jsonrpc": "2.0", "result": None, "id": 1})


def test_a_notification_has_no_answer(curl):
    asked = asking("double", [21])
    del asked["id"]
    status, found = curl.json(asked)
    assert status in {200, 202, 204}
    assert found is None


def test_a_batch(curl):
    notification = {"jsonrpc": "2.0", "method": "double", "params": [1]}
    status, found = curl.json([asking("double", [1], id=1), notification, asking("zzz", id=2), 7])
    assert status == 200
    by_id = {answer["id"]: answer for answer in found}
    assert len(found) == 3
    assert by_id[1]["result"] == 2
    assert by_id[2]["error"]["code"] == -32601
    assert by_id[None]["error"]["code"] == -32600


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ("{", -32700),
        ("[", -32700),
        ("[]", -32600),
        ("7", -32600),
        ('{"jsonrpc": "2.0", "method": 7, "id": 1}', -32600),
        ('{"jsonrpc": "2.0", "method": "double", "params": 7, "id": 1}', -32600),
        (json.dumps(asking("zzz")), -32601),
        (json.dumps(asking("double", [1, 2])), -32602),
        (json.dumps(asking("double", {"m": 1})), -32602),
    ],
)
def test_the_codes_of_errors(curl, asked, code):
    status, found = curl.json(asked)
    assert status in {200, 400}
    assert found["error"]["code"] == code
    assert found["error"]["message"]
    assert found["jsonrpc"] == "2.0"


def test_an_error_of_the_method(curl):
    status, found = curl.json(asking("fail", ["so"]))
    assert status == 200
    assert "so" in found["error"]["message"]
    assert found["error"]["code"] not in {-32700, -32600, -32601, -32602}
    assert "Traceback" not in json.dumps(found)


@pytest.mark.parametrize("path", ["/RPC2", "/"])
@pytest.mark.parametrize("kind", SERVERS)
def test_xml_by_hand(kind, path):
    with serving(kind) as url:
        body = """<?xml version="1.0"?>
            <methodCall>
              <methodName>echo</methodName>
              <params><param><value>plain text</value></param></params>
            </methodCall>"""
        status, answer = Curl(url)(path, body, kind="text/xml")
    assert status == 200
    assert "<value><string>plain text</string></value>" in "".join(answer.split("\n"))


@pytest.mark.parametrize("kind", SERVERS)
def test_gzip_both_ways(kind, tmp_path):
    value = f"<value>{'x' * 5000}</value>"
    body = f"<methodCall><methodName>echo</methodName><params><param>{value}</param></params></methodCall>"
    packed = tmp_path / "body.gz"
    packed.write_bytes(gzip.compress(body.encode()))
    words = ("--compressed", "--header", "Content-Encoding: gzip", "--data-binary", f"@{packed}", "--dump-header", "-")
    with serving(kind) as url:
        curl = Curl(url)
        done = subprocess.run(
            [
                curl.program,
                *("--silent", "--noproxy", "*", "--max-time", str(BOUND), "--header", "Content-Type: text/xml"),
                *words,
                url + "/RPC2",
            ],
            capture_output=True,
            text=True,
            check=True,
        )
    assert "content-encoding: gzip" in done.stdout.lower()
    assert "x" * 5000 in done.stdout
