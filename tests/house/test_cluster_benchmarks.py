"""The benchmarks of hosts and clusters: what they judge, and that contestants do what they are told to."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.cluster import __main__ as program
from benchmarks.cluster import cold, rows
from benchmarks.cluster import yard as place
from benchmarks.cluster.clients import KINDS
from benchmarks.cluster.goals import GOALS
from benchmarks.cluster.names import NAMES
from benchmarks.cluster.page import TITLES, page
from benchmarks.cluster.rows import ROWS, contestant, figures, first, milliseconds, right
from benchmarks.cluster.yard import Cluster, Yard, cluster, loopback, yard
from benchmarks.fleet.contest import Failed, Took
from tests.require import require

DASK = "pip install distributed"


def test_each_name_is_known():
    assert NAMES.keys() == KINDS.keys() | cold.KINDS.keys()
    assert TITLES.keys() == ROWS.keys()
    assert {goal.row for goal in GOALS} <= ROWS.keys()


def test_figures_are_medians():
    found = {"pool_dask": [Took(1, 0.5), Took(3, 0.1), Took(2, 0.2)], "dask": [Took(1, 1, None, 0.5)], "cat": []}
    ours = {"elsewhere on Dask": 2000, "elsewhere on Dask, CPU": 200}
    assert figures(found, milliseconds) == ours | {"Dask": 1000, "Dask, CPU": 1000, "Dask, CPU there": 500}


def test_who_finds_something_else_is_out():
    assert right(Took(1, 2, 3), 3) == Took(1, 2)
    with pytest.raises(Failed, match="it found 4, not 3"):
        right(Took(1, 2, 4), 3)


def test_the_page_has_each_figure_and_each_verdict():
    ours = {"elsewhere on Dask": 12.0, "elsewhere on Dask, CPU": 1.5, "elsewhere on Dask, CPU there": 2.5}
    text = page({"nap": {**ours, "Dask": 30.0, "Dask's executor": 33.0}, "array": {"Dask, MB sent for each worker": 1}})
    assert "| elsewhere on Dask | 12 | 1.5 | 2.5 |" in text
    assert "| Dask | 30 |  |  |" in text
    assert "elsewhere on Dask: ≤ 0.5 x Dask | 0.4 | yes |" in text
    assert "elsewhere on Dask: ≤ 0.35 x Dask's executor | 0.364 | **no** |" in text
    assert "MB sent for each worker |" in text
    assert "quick run" not in text
    assert "quick run" in page({}, quick=True)


@pytest.mark.parametrize(
    ("words", "says"), [(["--rows", "zzz"], "no row 'zzz'"), (["--write", "--rows", "cold"], "all")]
)
def test_wrong_usage_is_told(words, says, capsys):
    with pytest.raises(SystemExit) as caught:
        program.main(words)
    assert caught.value.code == 2
    assert says in capsys.readouterr().err


def test_a_row_without_a_figure_is_a_goal_that_is_missed(capsys):
    assert program.verdicts({"cold": {}}) == 1
    assert "MISSED  cold" in capsys.readouterr().out
    assert program.verdicts({}) == 0


@pytest.fixture(scope="module")
def here():
    """Everybody runs on the interpreter that runs this."""
    require(module="distributed", install=DASK)
    with pytest.MonkeyPatch.context() as patch:
        for module in (place, rows):
            patch.setattr(module, "PEERS", Path(sys.executable))
        yield


@pytest.fixture(scope="module")
def ground(here):
    with yard() as found:
        yield found


@pytest.fixture(scope="module")
def dask(ground):
    with cluster(ground) as found:
        yield found


@pytest.mark.parametrize("kind", ["dask", "dask_executor"])
def test_calls_on_a_cluster(ground: Yard, dask: Cluster, kind: str) -> None:
    with contestant(kind, ground.config | {"scheduler": dask.address}) as who:
        before, sent = dask.used(), loopback()
        assert right(who.ask("many", "burn", 50), sum(range(50))).cpu > 0
        assert dask.used() > before
        assert loopback() > sent
        assert who.ask("one", 3).told == 3
        assert who.ask("array", 1, 5).told == 10.0
        with pytest.raises(Failed, match="it has no zzz"):
            who.ask("zzz")


def test_calls_on_hosts(ground: Yard) -> None:
    with contestant("pool_fleet", ground.config) as who:
        assert who.ask("many", "nap", 50).told == sum(range(50))
        assert who.ask("array", 1, 5).told == 10.0


@pytest.mark.parametrize("kind", ["host_call", "host_submit", "cat", "python", "threaded"])
def test_trips(ground: Yard, kind: str) -> None:
    with contestant(kind, ground.config) as who:
        assert who.ask("one", 20).told == 20


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["first_host", "first_sshcluster_worker"])
def test_a_cold_start(ground: Yard, kind: str) -> None:
    took = first(ground, kind)
    assert took.wall > took.cpu > 0


def test_a_cold_start_that_fails(ground: Yard) -> None:
    with pytest.raises(Failed, match="KeyError: 'zzz'"):
        first(ground, "zzz")
