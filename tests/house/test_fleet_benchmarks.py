"""The benchmarks of hosts: what they judge, and that contestants do what they are told to."""

from __future__ import annotations

import filecmp
import os
from pathlib import Path

import pytest

from benchmarks.fleet import __main__ as program
from benchmarks.fleet import contest, many
from benchmarks.fleet.clients import KINDS
from benchmarks.fleet.contest import Failed, Took, contestant, in_turns
from benchmarks.fleet.files import Again, Existing, New, make_tree
from benchmarks.fleet.goals import GOALS
from benchmarks.fleet.names import NAMES
from benchmarks.fleet.page import TITLES, page
from benchmarks.fleet.rows import ROWS, figures, milliseconds
from benchmarks.fleet.yard import Yard, yard
from tests.require import require

HOSTS = ["127.17.1.1", "127.17.1.2"]


def test_each_name_is_known():
    assert NAMES.keys() == KINDS.keys()
    assert TITLES.keys() == ROWS.keys()
    assert {goal.row for goal in GOALS} <= ROWS.keys()


def test_figures_are_medians():
    found = {"ours": [Took(1, 0.5), Took(3, 0.1), Took(2, 0.2)], "tar": [Took(1, 1, None, 0.5)]}
    ours = {"elsewhere": 2000, "elsewhere, CPU": 200}
    theirs = {"tar through ssh": 1000, "tar through ssh, CPU": 1000, "tar through ssh, CPU there": 500}
    assert figures(found, milliseconds) == ours | theirs


def test_who_fails_once_is_out(capsys):
    def measure(kind):
        if kind == "scp":
            raise Failed("why")
        return Took(1, 1)

    assert in_turns(["tar", "scp"], 3, measure) == {"tar": [Took(1, 1)] * 3}
    assert "scp in round 1: why" in capsys.readouterr().err


def test_the_page_has_each_figure_and_each_verdict():
    ours = {"elsewhere": 900.0, "elsewhere, CPU": 100.4, "elsewhere, CPU there": 700.0}
    text = page({"cold": {**ours, "Fabric 3": 1000.0, "asyncssh": 800.0}})
    assert "| elsewhere | 900 | 100 | 700 |" in text
    assert "| asyncssh | 800 |  |  |" in text
    assert "quick run" not in text
    assert "quick run" in page({}, quick=True)
    assert "elsewhere: ≤ 0.85 x Fabric 3 | 0.9 | **no** |" in text
    assert "elsewhere: ≤ 1.15 x asyncssh | 1.12 | yes |" in text


@pytest.mark.parametrize(
    ("words", "says"), [(["--rows", "zzz"], "no row 'zzz'"), (["--write", "--rows", "cold"], "all")]
)
def test_wrong_usage_is_told(words, says, capsys):
    with pytest.raises(SystemExit) as caught:
        program.main(words)
    assert caught.value.code == 2
    assert says in capsys.readouterr().err


def test_a_row_without_a_figure_is_a_goal_that_is_missed(capsys):
    assert program.verdicts({"again": {}}) == 1
    assert "MISSED  again" in capsys.readouterr().out
    assert program.verdicts({}) == 0


@pytest.fixture(scope="module")
def ground():
    with yard(HOSTS) as found:
        yield found


@pytest.fixture
def here(monkeypatch):
    """Those that need no peer's package run on the interpreter that runs this."""
    import sys

    monkeypatch.setattr(contest, "PEERS", Path(sys.executable))


@pytest.mark.parametrize("kind", ["ours", "asyncssh"])
def test_commands(ground: Yard, here: None, kind: str) -> None:
    with contestant(kind, ground.config) as who:
        before = ground.used(settled=True)
        assert all(who.ask("cold").wall > 0 for _ in range(5))  # one login may take less than the clock's hundredth
        assert ground.used(settled=True) > before
        who.ask("open")
        assert who.ask("warm", 2).cpu > 0
        assert who.ask("one", 2).wall > 0
        who.ask("close")
        with pytest.raises(Failed, match="it has no zzz"):
            who.ask("zzz")


def test_a_tree_is_looked_at(ground: Yard, here: None) -> None:
    require(program="rsync", install="apt-get install rsync")
    for state in (New, Existing, Again):
        with (
            state(ground, 20) as tree,
            contestant("rsync", ground.config) as who,
            contestant("tar", ground.config) as tar,
        ):
            assert tree.measure(who).wall > 0
            if state is not Again:
                assert tree.measure(tar).wall > 0
    with New(ground, 20) as tree, contestant("tar", ground.config) as who:
        os.unlink(tree.source / "folder-00" / "file-00000.txt")
        (tree.source / "folder-00" / "file-00000.txt").symlink_to("/nowhere")  # and so no file is copied
        with pytest.raises(Failed, match="file-00000"):
            tree.measure(who)


def test_a_crowd(ground: Yard, here: None) -> None:
    found = many.measure(ground, 100, timeout=5)
    assert found["accounted for"] == found["hosts"] == 100
    assert found["seconds for all of them"] > 5  # one hangs
    assert found["elsewhere: KB of each"] > 1


def test_trees_differ_in_their_contents_alone(tmp_path):
    make_tree(tmp_path / "a", 50, 1)
    make_tree(tmp_path / "b", 50, 2)
    names = [[str(path.relative_to(tmp_path / each)) for path in sorted((tmp_path / each).rglob("*"))] for each in "ab"]
    assert names[0] == names[1]
    files = [name for name in names[0] if name.endswith(".txt")]
    same, other, errors = filecmp.cmpfiles(tmp_path / "a", tmp_path / "b", files, shallow=False)
    assert (len(files), len(other), errors) == (50, 50 - len(same), [])
    assert len(same) <= 1
