"""The benchmarks over HTTP: what they judge, and that servers and clients understand each other."""

from __future__ import annotations

import pytest

from benchmarks.http import __main__ as program
from benchmarks.http.clients import CLIENTS
from benchmarks.http.goals import GOALS
from benchmarks.http.page import TITLES, page
from benchmarks.http.pairs import Contestant, Failed, ask, pair
from benchmarks.http.rows import ALONE, JSON, LEAN, MANY, ROWS
from benchmarks.http.servers import SERVERS

# Those of one server that have all rows, and the client that reaches it.
PAIRS = [
    ("standard", "standard"),
    ("standard_1.1", "standard"),
    ("standard_queue", "standard"),
    ("route", "plain"),
    ("thread_route", "plain"),
    ("dropin", "dropin"),
    ("threads", "ours"),
    ("loop", "ours"),
    ("loop", "lean"),
    ("threads", "plain"),
    ("loop", "ours_json"),
]


def test_each_name_is_known():
    everybody = [*ALONE, *MANY, *JSON, *LEAN]
    assert {each.server for each in everybody} == SERVERS.keys()
    assert {each.client for each in everybody} == CLIENTS.keys()
    assert TITLES.keys() == ROWS.keys()
    names = {"json": JSON, "lean": LEAN, "many": MANY}
    for goal in GOALS:
        assert {goal.ours, goal.theirs} <= {each.name for each in names.get(goal.row, ALONE)}


def test_the_page_has_each_figure_and_each_verdict():
    text = page({"many": {"elsewhere, loop": 9000.4, "xmlrpc.client and .server": 4000.0}})
    assert "| elsewhere, loop | 9,000 |" in text
    assert "≥ 2.5 x xmlrpc.client and .server | 2.25 | **no** |" in text


@pytest.mark.parametrize(
    ("words", "says"), [(["--rows", "zzz"], "no row 'zzz'"), (["--write", "--rows", "json"], "all")]
)
def test_wrong_usage_is_told(words, says, capsys):
    with pytest.raises(SystemExit) as caught:
        program.main(words)
    assert caught.value.code == 2
    assert says in capsys.readouterr().err


def test_a_row_without_a_figure_is_a_goal_that_is_missed(capsys):
    assert program.verdicts({"json": {}}) == 1
    assert "MISSED  json" in capsys.readouterr().out
    assert program.verdicts({}) == 0


@pytest.mark.parametrize(("server", "client"), PAIRS)
def test_a_server_and_its_client(server, client):
    rows = {"lean": ["lean"], "plain": ["json"], "ours_json": ["json"]}.get(client, ["sequential", "many", "argument"])
    if server in {"standard", "standard_1.1"}:  # they serve many at once in their own time, or not at all
        rows.remove("many")
    with pair(Contestant("", server, client)) as clients:
        for row in rows:
            assert ask(clients, row, 320) > 0


def test_a_row_that_a_client_does_not_have_is_told():
    with pair(Contestant("", "standard", "standard")) as clients, pytest.raises(Failed, match="zzz"):
        ask(clients, "zzz", 1)
