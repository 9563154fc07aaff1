"""``elsewhere serve --bind http://...``, as its users run it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from pathlib import Path

import pytest

from tests.cli.helpers import Started, environment, shell, until
from tests.cli.test_services import MODULE, SECRET
from tests.rpc.web.plain import JSON, Plain

BODY = b'{"jsonrpc": "2.0", "method": "double", "params": [2], "id": 1}'


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "calc.py").write_text(MODULE)
    return tmp_path


@contextlib.contextmanager
def served(folder: Path, *args: str, target: str = "calc.py:ready"):
    """The command, once it serves: its address and its process."""
    with Started("serve", target, "--bind", "http://127.0.0.1:0", *args, cwd=folder) as started:
        line = started.process.stderr.readline().decode()
        found = re.fullmatch(r"serving at (http://127\.0\.0\.1:\d+/)\n", line)
        assert found, line + started.process.stderr.read().decode()
        yield found[1], started


def running(peer: Plain) -> int:
    """Calls of `slow` that are under way."""
    rows = {name: rest for name, *rest in peer.ask("GET", "/page/figures.json").json["methods"]}
    return rows["slow"][2]


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_a_signal_comes(folder, workers, signum):
    with served(folder, "--workers", workers) as (address, started):
        with Plain(address) as peer:
            assert peer.result("double", 7) == 14
            assert b"double" in peer.ask("GET", "/").body
        assert shell("call", address, "double", "8", cwd=folder).stdout == "16\n"
        started.process.send_signal(signum)
        assert started.end() == 128 + signum


def test_a_call_that_runs_is_answered_after_a_signal(folder):
    with served(folder) as (address, started), Plain(address) as peer, Plain(address) as other:
        assert other.result("double", 7) == 14
        peer.http.request("POST", "/jsonrpc", BODY.replace(b"double", b"slow").replace(b"2]", b"1]"), JSON)
        until(lambda: running(other) == 1)
        started.process.send_signal(signal.SIGTERM)
        assert other.ended()
        assert peer.answer().json["result"] == "slept"
        assert started.end() == 143


def test_what_is_said_of_the_page_and_of_names(folder):
    with served(folder, "--no-page", "--allow-host", "rpc.example.com") as (address, _), Plain(address) as peer:
        assert peer.jsonrpc(BODY, Host="rpc.example.com").json["result"] == 4
        assert peer.ask("GET", "/").status == 405
    found = shell("serve", "calc.py:service", "--bind", "http://127.0.0.1:0", "--no-page", cwd=folder)
    assert found.returncode == 2
    assert "is a Service, which says itself what --no-page would say" in found.stderr


def test_the_secret_is_a_bearers(folder):
    os.environ["ELSEWHERE_TOKEN"] = SECRET
    try:
        with served(folder) as (address, _):
            with Plain(address) as peer:
                assert peer.jsonrpc(BODY).status == 401
            with Plain(address) as peer:
                assert peer.jsonrpc(BODY, Authorization=f"Bearer {SECRET}").json["result"] == 4
    finally:
        del os.environ["ELSEWHERE_TOKEN"]


def test_what_is_missing_is_said(folder):
    (folder / "uvicorn.py").write_text("raise ModuleNotFoundError('no uvicorn', name='uvicorn')")
    path = f"{folder}{os.pathsep}{environment().get('PYTHONPATH', '')}"
    found = shell("serve", "calc.py:ready", "--bind", "http://127.0.0.1:0", cwd=folder, PYTHONPATH=path)
    assert found.returncode == 1
    assert "python -m pip install 'elsewhere[http]'" in found.stderr
    assert "Traceback" not in found.stderr


def test_one_that_has_a_path_is_no_address_of_a_service(folder):
    found = shell("serve", "calc.py:ready", "--bind", "http://127.0.0.1:0/app", cwd=folder)
    assert found.returncode == 2
    assert "has a path" in found.stderr
