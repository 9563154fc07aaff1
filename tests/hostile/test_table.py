"""The cells that `python -m benchmarks.hostile` makes a page of, for ours; and that they can tell bad from good."""

from __future__ import annotations

import pytest

from benchmarks.hostile import __main__ as program
from benchmarks.hostile.answers import ANSWERS
from benchmarks.hostile.attacks import ATTACKS
from benchmarks.hostile.page import page
from benchmarks.hostile.runner import (
    Cell,
    ClientCell,
    CrowdCell,
    client,
    run_cell,
    run_client_cell,
    run_crowd_cell,
    server,
)
from benchmarks.hostile.verdict import client_complaints, complaints, crowd_complaints


@pytest.fixture(scope="module", params=["threads", "loop"])
def service(request):
    """One for all attacks: none should be weakened by those before."""
    with server(request.param) as found:
        yield found


@pytest.fixture(scope="module")
def drop_in():
    with server("dropin") as found:
        yield found


@pytest.fixture(scope="module", params=["client", "dropin"])
def caller(request):
    with client(request.param) as found:
        yield found


@pytest.mark.parametrize("name", ATTACKS)
def test_a_service_is_not_harmed(name, service):
    assert list(complaints(run_cell(name, service))) == []


# An answer of the drop-in has no limit, as what it stands in for has none: it takes what its methods' results take.
OF_DROP_IN = [name for name, attack in ATTACKS.items() if not attack.needs_json and name != "multicall"]


@pytest.mark.parametrize("name", OF_DROP_IN)
def test_the_drop_in_server_is_not_harmed(name, drop_in):
    assert list(complaints(run_cell(name, drop_in))) == []


def test_slow_connections_do_not_hold_up_a_service(service):
    assert list(crowd_complaints(run_crowd_cell(service, seconds=3.0))) == []


def test_slow_connections_do_not_hold_up_the_drop_in_server(drop_in):
    assert list(crowd_complaints(run_crowd_cell(drop_in, seconds=3.0))) == []


@pytest.mark.parametrize("name", [name for name in ANSWERS if name != "silence"])
def test_our_clients_are_not_harmed(name, caller):
    assert list(client_complaints(run_client_cell(name, caller))) == []


def test_our_client_does_not_wait_for_ever():
    """The drop-in does, as what it stands in for: a program that sets no timeout may have calls that take hours."""
    with client("client") as who:
        assert run_client_cell("silence", who).outcome == "CallTimeout"


# ---- the same with the standard library, which is harmed: so a cell that says "well" means something -----------------


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("quadratic", " MB"),
        ("flood", " MB"),
        ("length", "no answer"),
        ("length", "nobody else was served"),
        ("type", "a method ran"),
        ("origin", "taken for a call"),
        ("host", "a method ran"),
        ("control", "broken XML"),
    ],
)
def test_a_server_that_is_harmed_is_seen(name, complaint):
    for limit in (4.0 if name == "flood" else 2.0, 15.0):  # a busy machine comes to harm later
        with server("standard") as at:
            found = ", ".join(complaints(run_cell(name, at, limit=limit)))
        if complaint in found:
            break
    assert complaint in found


def test_a_server_that_is_held_up_is_seen():
    with server("standard") as at:
        (complaint,) = crowd_complaints(run_crowd_cell(at, connections=20, seconds=0.5, limit=1.0))
    assert complaint == "0 of 1 calls were answered"


@pytest.mark.parametrize(
    ("name", "complaint"), [("drop", "sent 2 times"), ("silence", "waits for ever"), ("gzip", " MB"), ("flood", " MB")]
)
def test_a_client_that_is_harmed_is_seen(name, complaint):
    for limit in (5.0, 20.0):
        with client("standard") as who:
            found = ", ".join(client_complaints(run_client_cell(name, who, limit=limit)))
        if complaint in found:
            break
    assert complaint in found


# ---- the judgement, and the page -------------------------------------------------------------------------------------

WELL = Cell("laughs", "loop", "HTTP 400", "", 0.01, 2.0, served=True)


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, []),
        ({"outcome": "fault"}, []),
        ({"outcome": "closed"}, []),
        ({"outcome": ""}, ["no answer"]),
        ({"outcome": "value"}, ["taken for a call"]),
        ({"outcome": "value", "attack": "multicall"}, []),
        ({"outcome": "broken XML"}, ["broken XML"]),
        ({"outcome": "HTTP 500"}, ["HTTP 500"]),
        ({"ran": True}, ["a method ran"]),
        ({"leaked": True}, ["leaked"]),
        ({"grown": 65.0}, ["+65 MB"]),
        ({"grown": 150.0, "attack": "multicall"}, []),
        ({"grown": 170.0, "attack": "multicall"}, ["+170 MB"]),
        ({"served": False}, ["nobody else was served"]),
    ],
)
def test_what_there_is_to_complain_about(changed, found):
    assert list(complaints(WELL._replace(**changed))) == found


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        (ClientCell("drop", "client", "ConnectionLost", requests=1), []),
        (ClientCell("drop", "client", "ConnectionLost", requests=2), ["sent 2 times"]),
        (ClientCell("drop", "client", "", requests=1), ["waits for ever"]),
        (ClientCell("deep", "client", "RecursionError", requests=1), ["`RecursionError`"]),
        (ClientCell("deep", "client", "its end", requests=1), ["the process died"]),
        (ClientCell("gzip", "client", "value", requests=1, grown=200.0), ["taken for a value", "+200 MB"]),
    ],
)
def test_what_there_is_to_complain_about_in_clients(cell, found):
    assert list(client_complaints(cell)) == found


def test_the_page_has_each_cell_and_each_complaint():
    cells = [WELL, WELL._replace(server="standard", outcome="", served=False)]
    crowds = [CrowdCell("loop", 500, 20, 20, 0.002, 500, 3.0), CrowdCell("standard", 500, 20, 0, 15.0, 0, 0.0)]
    clients = [
        ClientCell("drop", "client", "ConnectionLost", requests=1),
        ClientCell("drop", "standard", "RemoteDisconnected", requests=2),
    ]
    lines = page(cells, crowds, clients).splitlines()
    assert "| billion laughs | **no answer, nobody else was served** | – | – | HTTP 400, +2 MB |" in lines
    assert "| `Service`, loop | 20 of 20 | 2 ms | +3 MB | 500 of 500 |" in lines
    assert "| `xmlrpc.server` | **0 of 20** | 15,000 ms | +0 MB | 0 of 500 |" in lines
    assert (
        "| the connection ends after the request | `RemoteDisconnected`: **sent 2 times** | – | `ConnectionLost` |"
        in lines
    )


@pytest.mark.parametrize(
    ("words", "says"), [(["--only", "zzz"], "no attack 'zzz'"), (["--write", "--only", "gzip"], "all")]
)
def test_wrong_usage_is_told(words, says, capsys):
    with pytest.raises(SystemExit) as caught:
        program.main(words)
    assert caught.value.code == 2
    assert says in capsys.readouterr().err
