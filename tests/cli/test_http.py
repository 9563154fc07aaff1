"""``elsewhere call`` over HTTP, as its users run it."""

from __future__ import annotations

import contextlib
import json

import pytest

from tests.cli.helpers import Started, shell
from tests.cli.test_services import MODULE, SECRET


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "calc.py").write_text(MODULE)
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    return tmp_path


@contextlib.contextmanager
def served(folder, *args):
    """The command, once it serves: its address."""
    with Started("serve", "calc.py:ready", "--bind", "http://127.0.0.1:0", *args, cwd=folder) as started:
        line = started.process.stderr.readline().decode()
        assert line.startswith("serving at http://127.0.0.1:"), line + started.process.stderr.read().decode()
        yield line.split()[2]


def called(folder, address, *args, **more):
    return shell("call", address, *args, cwd=folder, **more)


@pytest.mark.parametrize("path", ["", "RPC2"])
def test_what_serve_prints_can_be_called(folder, path):
    with served(folder) as found:
        address = found + path
        assert called(folder, address, "double", "7").stdout == "14\n"
        assert json.loads(called(folder, address, "same", '{"a": [1.5, null]}').stdout) == {"a": [1.5, None]}
        assert called(folder, address, "same", "--text", "é").stdout == "é\n"
        assert "double(n: int) -> int  Twice n." in called(folder, address, "--list", "--text").stdout.splitlines()
        for args, code, text in (
            (["fail", "bad"], 1, "ValueError: bad"),
            (["zzz"], 1, "--list"),
            (["double", "x"], 1, "int"),
            (["slow", "5", "--timeout", "0.3"], 1, "0.3 s"),
        ):
            ended = called(folder, address, *args)
            assert (ended.returncode, ended.stdout) == (code, ""), ended.stderr
            assert text in ended.stderr
            assert len(ended.stderr.splitlines()) == 1
        if path:
            assert called(folder, address, "blob", "3").stdout == "\0\0\0"
        else:
            assert called(folder, address, "same", "-k", "value=1", "-k", "more=2").stdout == "[1, 2]\n"
            assert "JSON has no bytes" in called(folder, address, "blob", "3").stderr
        wrong = called(folder, f"{found}other", "double", "7")
        assert (wrong.returncode, "try xmlrpc+http://" in wrong.stderr) == (1, True)


def test_secrets(folder):
    with served(folder, "--token-file", "secret") as address:
        for args, more in (
            (["--token-file", "secret"], {}),
            ([], {"ELSEWHERE_TOKEN": SECRET}),
            (["--user", "me", "--token-file", "secret"], {}),
        ):
            assert called(folder, address, "double", "7", *args, **more).stdout == "14\n"
        refused = called(folder, address, "double", "7", ELSEWHERE_TOKEN="battery-staple")
        assert (refused.returncode, "another token" in refused.stderr) == (1, True)
        assert "staple" not in refused.stderr


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["http://u:hunter2@127.0.0.1/", "x"], "no user or password"),
        (["http://127.0.0.1:99999/", "x"], "numbers up to 65535"),
        (["http://127.0.0.1:1/", "x", "--user", "me"], "--user has a password"),
        (["tcp://127.0.0.1:1", "x", "--user", "me", "--token-file", "secret"], "for addresses of HTTP"),
    ],
)
def test_wrong_usage(folder, args, text):
    ended = shell("call", *args, cwd=folder)
    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1), ended.stderr
    assert text in ended.stderr
    assert "hunter2" not in ended.stderr


def test_nobody_listens(folder):
    ended = called(folder, "http://127.0.0.1:1/", "double", "7")
    assert (ended.returncode, "nobody listens there" in ended.stderr) == (1, True)
