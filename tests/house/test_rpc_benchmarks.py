"""The benchmarks of services: what they judge, and that servers and clients of the same name understand each other."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.rpc import __main__ as program
from benchmarks.rpc.clients import CLIENTS
from benchmarks.rpc.goals import GOALS, Goal
from benchmarks.rpc.page import TITLES, page
from benchmarks.rpc.pairs import CONTESTANTS, spread
from benchmarks.rpc.rows import ROWS
from benchmarks.rpc.servers import SERVERS

ROOT = Path(__file__).parent.parent.parent


def test_a_goal_compares_figures_of_one_run():
    most, least = Goal("row", "a", 1.5, "b"), Goal("row", "a", 2, "b", least=True)
    assert most.verdict({"a": 3.0, "b": 2.0}) == ("a: ≤ 1.5 x b", "1.5", True)
    assert most.verdict({"a": 3.1, "b": 2.0}) == ("a: ≤ 1.5 x b", "1.55", False)
    assert least.verdict({"a": 4.0, "b": 2.0}) == ("a: ≥ 2 x b", "2", True)
    assert least.verdict({"a": 3.9, "b": 2.0}) == ("a: ≥ 2 x b", "1.95", False)
    assert least.verdict({"a": 3.9}) is None
    assert Goal("row", "a", 20, "").verdict({"a": 19.0}) == ("a: ≤ 20", "19", True)


def test_each_name_is_known():
    names = {contestant.name for contestant in CONTESTANTS}
    assert {contestant.peer for contestant in CONTESTANTS} == SERVERS.keys() == CLIENTS.keys()
    assert TITLES.keys() == ROWS.keys()
    for goal in GOALS:
        assert goal.row in ROWS
        if goal.row in {"sequential", "pipelined", "back"}:
            assert {goal.ours, goal.theirs} <= names


def test_the_page_has_each_figure_and_each_verdict():
    text = page({"processes": {"1 server process": 171.25, "2 server processes": 300.0}})
    assert "| 1 server process | 171 |" in text
    assert "≥ 1.8 x 1 server process | 1.75 | **no** |" in text


def test_a_percentile():
    assert spread([*range(100)], 0.99) == 99
    assert spread([7.0], 0.99) == 7.0


@pytest.mark.parametrize(
    ("words", "says"), [(["--rows", "zzz"], "no row 'zzz'"), (["--write", "--rows", "back"], "all")]
)
def test_wrong_usage_is_told(words, says, capsys):
    with pytest.raises(SystemExit) as caught:
        program.main(words)
    assert caught.value.code == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("peer", ["ours", "dropin", "bare", "floor"])
def test_a_server_and_its_client(peer):
    """Those that need no peer's package."""

    def start(module, *args):
        return subprocess.Popen(
            [sys.executable, "-m", f"benchmarks.rpc.{module}", peer, *args],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    server = start("servers")
    try:
        client = start("clients", server.stdout.readline().strip())
        try:
            assert client.stdout.readline() == "ready\n"
            for row, n in (("sequential", 20), ("back", 300_000), ("pipelined", 50)):
                client.stdin.write(json.dumps([row, n]) + "\n")
                client.stdin.flush()
                seconds = json.loads(client.stdout.readline())
                assert (
                    seconds > 0
                    if (row, peer) not in {("pipelined", "bare"), ("pipelined", "floor")}
                    else seconds is None
                )
        finally:
            client.communicate()
            assert client.returncode == 0
    finally:
        server.communicate()
        assert server.returncode == 0
