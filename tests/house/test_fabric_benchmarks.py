"""The benchmark of task files: what it judges, and that it looks at what a run has left."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from benchmarks.fabric import __main__ as program
from benchmarks.fabric import runs
from benchmarks.fabric.goals import GOALS
from benchmarks.fabric.page import page
from benchmarks.fabric.programs import PROGRAMS, Program
from benchmarks.fleet.contest import Failed, Took
from benchmarks.fleet.yard import Yard, yard

NAMES = {each.name for each in PROGRAMS.values()}


class Other(Program):
    """A program that is no Fabric."""

    @property
    def words(self) -> list[str]:
        return [sys.executable, "-c", self.name]


@pytest.fixture(scope="module")
def ground() -> Iterator[Yard]:
    with yard(["127.18.0.101", "127.18.0.102"]) as found:
        yield found


def test_each_goal_is_about_programs_that_there_are():
    assert {who for goal in GOALS for who in (goal.ours, goal.theirs)} <= NAMES
    assert len(NAMES) == len(PROGRAMS)


def test_a_task_has_twenty_steps():
    for each in PROGRAMS.values():
        steps = [
            line
            for line in each.file.read_text().splitlines()
            if line.strip().startswith(("run(", "put(", "c.run(", "c.put("))
        ]
        assert len(steps) == 20


@pytest.mark.parametrize("name", ["ours1", "ours1_parallel", "ours3", "ours3_parallel"])
def test_ours_deploys(ground: Yard, name: str) -> None:
    took = runs.measure(ground, PROGRAMS[name])
    assert min(took.wall, took.cpu) > 0


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("print('why'); exit(3)", "status is 3: ...why"),
        ("", "No such file"),
        ("import os; os.kill(os.getpid(), 9)", "status is -9"),
    ],
)
def test_a_run_that_does_not_do_it_has_no_figure(ground: Yard, script: str, says: str) -> None:
    with pytest.raises(Failed, match=says):
        runs.measure(ground, Other(script, 1, ours=True, parallel=False))


def test_a_host_that_is_not_as_it_should_be_is_told(ground: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(runs.LEFT, "current/VERSION", "3\n")
    with pytest.raises(Failed, match=r"127.18.0.101: current/VERSION has '2\\n'"):
        runs.measure(ground, PROGRAMS["ours1"])


def test_who_hangs_is_ended(ground: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "PATIENCE", 0.2)
    with pytest.raises(Failed, match="status is -9"):
        runs.measure(ground, Other("import signal; signal.pause()", 1, ours=True, parallel=False))


def test_figures_are_medians_and_the_page_has_them():
    found = {name: [Took(3, 1, None, 2), Took(5, 1, None, 2), Took(4, 3, None, 2)] for name in PROGRAMS}
    numbers = program.figures(found)
    assert {numbers[name] for name in NAMES} == {4}
    text = page(numbers, 3)
    assert "| Fabric 1 -P | 4 | 1 | 2 |" in text
    assert text.count("**no**") == len(GOALS)


def test_a_missing_figure_is_a_goal_that_is_missed(capsys):
    assert program.verdicts({}, NAMES) == 1
    assert "MISSED" in capsys.readouterr().out
    assert program.verdicts({}, {"elsewhere, Fabric 1's file"}) == 0


@pytest.mark.parametrize(
    ("words", "says"), [(["--rows", "zzz"], "no row 'zzz'"), (["--write", "--rows", "ours1"], "all")]
)
def test_wrong_usage_is_told(words, says, capsys):
    with pytest.raises(SystemExit) as caught:
        program.main(words)
    assert caught.value.code == 2
    assert says in capsys.readouterr().err
